import { RouteLoss } from "../announcing/routeless.ts"
import { objectKey, rawRef } from "../config/index.ts"
import { blastRadiusOf, emitApproval, hasBudget, heldCount, lossBy, orderToJoin } from "./budget.ts"
import { reportFindings, reportJudgement } from "./configure.ts"
import type { Draft } from "./draft.ts"
import type { EventSubject } from "./event.ts"
import type { ClusterMemory } from "./fleet.ts"
import { announcedWith } from "./judged.ts"
import {
  type AddressPoolState,
  type KeptState,
  type ManifestState,
  type StreamState,
  streamOf,
  streamOfVip
} from "./stream.ts"

type Version = KeptState["version"]

/**
 * What a command's changes of configuration take of routes is a withdrawal like others. Beyond the budget they are recorded
 * all the same, but routes go on by the versions before, until a second person approves what came instead, or until it
 * takes nothing any more, since another object covers the same or what was there is put back.
 */
export const holdConfiguration = (draft: Draft): void => {
  if (!draft.fleet.allows("configurationBudget")) return
  for (const name of draft.announcedBefore.keys()) holdOf(draft, draft.cluster(name))
  for (const cluster of draft.fleet.clusters.values()) {
    if (cluster.kept.size > 0 && !draft.fleet.isFrozen(cluster)) reviewKept(draft, cluster)
  }
}

const holdOf = (draft: Draft, cluster: ClusterMemory): void => {
  const before = draft.announcedBefore.get(cluster.name)
  if (before === undefined) return
  const older = olderVersions(draft, cluster)
  const takenWith = (kept: ReadonlyArray<readonly [string, KeptState]>): number => {
    const loss = new RouteLoss(cluster, { before, after: announcedWith(draft.fleet, cluster, kept) })
    return loss.streams(draft.fleet, cluster).length
  }
  const takenByAll = takenWith([])
  if (takenByAll === 0) return drop(draft, cluster, [...cluster.kept.values()], "no-longer-needed")
  const others = [...cluster.kept].filter(([key]) => !older.has(key))
  const taken = others.length === 0 ? takenByAll : takenWith(others)
  if (taken > 0 && older.size > 0 && !hasBudget(draft, cluster, taken)) return keep(draft, cluster, older)
  drop(
    draft,
    cluster,
    [...cluster.kept].flatMap(([key, kept]) => (older.has(key) ? [kept] : [])),
    "no-longer-needed"
  )
  if (taken > 0) countTaken(draft, cluster, taken)
}

/**
 * Of each object that the command changed, by its key, the version by which routes went until then. Of a new one there is none,
 * unless it is back before its deletion took effect.
 */
const olderVersions = (draft: Draft, cluster: ClusterMemory): ReadonlyMap<string, Version> => {
  const older = new Map<string, Version>()
  for (const { before, after } of draft.events) {
    const [was, is] = [versionOf(before), versionOf(after)]
    const either = is ?? was
    if (either === undefined || (either._tag === "Manifest" && either.cluster !== cluster.name)) continue
    const key = keyOf(either)
    const kept = cluster.kept.get(key)
    const version = kept?.version ?? was
    // Of a pool that is gone nobody has an address.
    const isAlike = kept === undefined && isPool(either) && (is === undefined || labelsOf(was) === labelsOf(is))
    if (version !== undefined && !older.has(key) && !isAlike) older.set(key, version)
  }
  return older
}

const versionOf = (state: StreamState | null): Version | undefined =>
  state?._tag === "Manifest" || state?._tag === "AddressPool" ? state : undefined

/** Nothing else of a pool says how its addresses are announced. */
const labelsOf = (version: Version | undefined): string =>
  JSON.stringify(version?._tag === "AddressPool" ? version.pool.pool.labels : version?.manifest.labels)

const keep = (draft: Draft, cluster: ClusterMemory, older: ReadonlyMap<string, Version>): void => {
  const order = orderToJoin(draft, cluster)
  for (const [key, version] of older) {
    const before = cluster.kept.get(key) ?? null
    if (before?.order !== order) emitKept(draft, before, { _tag: "Kept", cluster: cluster.name, order, version })
  }
  reportJudgement(draft, cluster)
}

/** Lets the versions go that wait for an order: from here on routes go by what came instead. */
export const dropKept = (draft: Draft, cluster: ClusterMemory, order: string, reason: DropReason): void =>
  drop(
    draft,
    cluster,
    [...cluster.kept.values()].filter((kept) => kept.order === order),
    reason
  )

type DropReason = "approved" | "no-longer-needed"

const drop = (draft: Draft, cluster: ClusterMemory, kept: ReadonlyArray<KeptState>, reason: DropReason): void => {
  if (kept.length === 0) return
  for (const before of kept) {
    emitKept(draft, before, null, reason)
    const key = keyOf(before.version)
    // Of the others it is told below.
    if (before.version._tag === "Manifest" && !cluster.manifests.has(key) && !cluster.waiting.has(key))
      reportFindings(draft, cluster, rawRef(before.version.manifest), "centre", [])
  }
  reportJudgement(draft, cluster)
}

/** Each period has what was taken within it, for who decides next. */
const countTaken = (draft: Draft, cluster: ClusterMemory, addresses: number): void => {
  const { nowMs } = draft.context
  const before = cluster.routesTaken
  const { perMs } = blastRadiusOf(draft.fleet)
  const recent = (before?.taken ?? []).filter(({ atMs }) => nowMs - atMs < perMs)
  draft.emit({
    stream: streamOf.routesTaken(cluster.name),
    type: "RoutesTaken",
    reason: "applied",
    before: before ?? null,
    after: { _tag: "RoutesTaken", cluster: cluster.name, taken: [...recent, { atMs: nowMs, addresses }] },
    about: { cluster: cluster.name }
  })
}

/** Lets go what takes nothing any more, and says of an order that has grown how much it would withdraw by now. */
const reviewKept = (draft: Draft, cluster: ClusterMemory): void => {
  const touched = touchedVips(draft, cluster)
  if (cluster.routeless !== undefined && touched.size === 0) return
  for (const id of [...new Set([...cluster.kept.values()].map(({ order }) => order))].sort()) {
    if (routelessStreams(draft, cluster, id, touched).size === 0) {
      dropKept(draft, cluster, id, "no-longer-needed")
      continue
    }
    const order = draft.fleet.approvals.get(id)
    if (order === undefined || draft.held.get(cluster.name) === id) continue // told at the command's end
    const count = heldCount(draft.fleet, order)
    // What was rejected was less: it is asked about again.
    if (count > order.count) emitApproval(draft, "WithdrawalsHeld", order, { ...order, phase: "pending", count })
  }
}

/** Of what is known from the commands before, only the addresses that this one touched are asked about anew. */
const routelessStreams = (
  draft: Draft,
  cluster: ClusterMemory,
  order: string,
  touched: ReadonlySet<string>
): ReadonlySet<string> => {
  cluster.routeless ??= new Map()
  const known = cluster.routeless.get(order)
  if (known === undefined) {
    const loss = lossBy(draft.fleet, cluster, order)
    const streams = new Set(loss.streams(draft.fleet, cluster))
    cluster.routeless.set(order, { loss, streams })
    return streams
  }
  for (const stream of touched) known.streams.delete(stream)
  for (const stream of known.loss.streams(draft.fleet, cluster, touched)) known.streams.add(stream)
  return known.streams
}

/** The addresses whose holders or whose holders' labels the command may have changed. */
const touchedVips = (draft: Draft, cluster: ClusterMemory): ReadonlySet<string> => {
  const touched = new Set<string>()
  for (const { type, stream, before, after } of draft.events) {
    const state = after ?? before
    if (state?._tag === "Vip" && state.cluster === cluster.name) touched.add(stream)
    if (state?._tag !== "Service" || state.cluster !== cluster.name || type === "ServingNodesChanged") continue
    const key = `${state.service.namespace}/${state.service.name}`
    for (const addresses of [cluster.addressesOf.get(key), cluster.movingOf.get(key)]) {
      for (const address of addresses ?? []) {
        const vip = draft.fleet.vip(cluster.network, address, cluster.name)
        if (vip !== undefined) touched.add(streamOfVip(vip))
      }
    }
  }
  return touched
}

const emitKept = (
  draft: Draft,
  before: KeptState | null,
  after: KeptState | null,
  reason: "over-budget" | DropReason = "over-budget"
): void => {
  const kept = after ?? before
  if (kept === null) return
  const { kind, namespace = "", name } = refOf(kept.version)
  draft.emit({
    stream: streamOf.kept(kept.cluster, kind, namespace, name),
    type: after === null ? "VersionDropped" : "VersionKept",
    reason,
    before,
    after,
    about: { cluster: kept.cluster, ...poolOf(kept.version) }
  })
}

const refOf = (version: Version) =>
  version._tag === "Manifest" ? rawRef(version.manifest) : { kind: "AddressPool", name: version.pool.name }

const keyOf = (version: ManifestState | AddressPoolState): string => objectKey(refOf(version))

const isPool = (version: Version): boolean => ["IPAddressPool", "AddressPool"].includes(refOf(version).kind)

const poolOf = (version: Version): Pick<EventSubject, "pool"> => (isPool(version) ? { pool: refOf(version).name } : {})
