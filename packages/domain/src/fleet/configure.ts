import { settleAll, settleUnserved } from "../allocation/settle.ts"
import {
  decodeObject,
  type Finding,
  type FindingCode,
  finding,
  hasError,
  type ObjectRef,
  objectKey,
  type RawObject,
  rawRef
} from "../config/index.ts"
import { brokenBy, heldFindings } from "./broken-by.ts"
import type { ReportFindings } from "./command.ts"
import type { Draft } from "./draft.ts"
import type { ReasonCode } from "./event.ts"
import type { ClusterMemory } from "./fleet.ts"
import { heldOf, nextOrdinal, whyHeld } from "./held-changes.ts"
import { judgeCluster, judgeRefused } from "./judged.ts"
import { isPoolInUse, retiredFinding } from "./retired-pool.ts"
import { isHeldBeyondPool, strayFindings } from "./stray-addresses.ts"
import { type FindingsState, type KeptState, type ManifestState, streamOf } from "./stream.ts"

/**
 * Takes a configuration object. One with errors is not taken, and one that would break what is in effect is held until it
 * would not: the last good version stays, and the findings say so. What the cluster's objects amount to is judged anew, and its Services are
 * settled by it.
 */
export const applyManifest = (draft: Draft, cluster: ClusterMemory, manifest: RawObject): void => {
  const ref = rawRef(manifest)
  const decoded = decodeObject(manifest)
  if (hasError(decoded.findings)) return reportFindings(draft, cluster, ref, "centre", decoded.findings)
  const key = objectKey(ref)
  const waiting = heldOf(cluster)
  waiting.delete(key)
  const before = cluster.manifests.get(key) ?? null
  if (before === null || before.retired === true || JSON.stringify(before.manifest) !== JSON.stringify(manifest)) {
    const why = whyHeld(draft.fleet, cluster, manifest)
    if (why.length > 0) {
      if (draft.fleet.allows("heldChanges")) return reportJudgement(draft, cluster, waiting.set(key, manifest))
      return reportFindings(draft, cluster, ref, "centre", [...decoded.findings, ...why])
    }
    draft.emit({
      stream: manifestStream(cluster, ref),
      type: "ManifestApplied",
      reason: "applied",
      before,
      after: { _tag: "Manifest", cluster: cluster.name, manifest, ordinal: before?.ordinal ?? nextOrdinal(cluster) },
      about: { cluster: cluster.name, ...(manifest.kind === "IPAddressPool" ? { pool: ref.name } : {}) }
    })
  }
  reportJudgement(draft, cluster, waiting)
  settleAll(draft, cluster)
}

/**
 * Drops a configuration object. One that is still needed, a pool of which addresses are held or an object without which
 * others would be invalid, is retired instead: it goes when nobody needs it any more, and no route goes with it.
 */
export const deleteManifest = (draft: Draft, cluster: ClusterMemory, ref: ObjectRef): void => {
  const before = cluster.manifests.get(objectKey(ref))
  if (before !== undefined && isNeeded(draft, cluster, ref)) retire(draft, cluster, ref, before)
  else drop(draft, cluster, ref, "deleted")
  settleAll(draft, cluster)
}

/** A pool is needed by who holds its addresses: what merely names it loses no route with it. */
const isNeeded = (draft: Draft, cluster: ClusterMemory, ref: ObjectRef): boolean =>
  ref.kind === "IPAddressPool" ? isPoolInUse(cluster, ref) : brokenBy(draft.fleet, cluster, ref, undefined).length > 0

const retire = (draft: Draft, cluster: ClusterMemory, ref: ObjectRef, before: ManifestState): void => {
  const key = objectKey(ref)
  if (before.retired === true && !cluster.waiting.has(key)) return
  if (before.retired !== true) {
    draft.emit({
      stream: manifestStream(cluster, ref),
      type: "ManifestRetired",
      reason: "still-needed",
      before,
      after: { ...before, retired: true },
      about: { cluster: cluster.name, ...(ref.kind === "IPAddressPool" ? { pool: ref.name } : {}) }
    })
  }
  reportJudgement(draft, cluster, heldWithout(cluster, key))
}

const drop = (draft: Draft, cluster: ClusterMemory, ref: ObjectRef, reason: ReasonCode): void => {
  const before = cluster.manifests.get(objectKey(ref))
  if (before !== undefined) {
    draft.emit({
      stream: manifestStream(cluster, ref),
      type: "ManifestDeleted",
      reason,
      before,
      after: null,
      about: { cluster: cluster.name, ...(ref.kind === "IPAddressPool" ? { pool: ref.name } : {}) }
    })
  }
  const key = objectKey(ref)
  const waiting = heldWithout(cluster, key)
  if (!cluster.kept.has(key)) reportFindings(draft, cluster, ref, "centre", [])
  reportJudgement(draft, cluster, waiting)
}

const heldWithout = (cluster: ClusterMemory, key: string): ReadonlyMap<string, RawObject> => {
  const waiting = heldOf(cluster)
  waiting.delete(key)
  return waiting
}

/**
 * Lets retired objects go that nobody needs since the command: pools whose last address it released, and what others
 * rested on. Of the ones that stay, the finding says who needs them. Answers whether any went.
 */
export const reviewRetired = (draft: Draft): boolean => {
  let hasDropped = false
  const touched = new Set(
    draft.events.flatMap(({ before, after, about }) => {
      const tag = (after ?? before)?._tag
      return tag === "Vip" || tag === "Manifest" ? (about.cluster ?? []) : []
    })
  )
  for (const name of touched) {
    const cluster = draft.cluster(name)
    if (cluster.retired.size === 0) {
      const isLeft = draft.events.some(
        ({ before }) =>
          before?._tag === "Vip" && before.cluster === name && isHeldBeyondPool(draft.fleet, cluster, before)
      )
      // It may have left a pool of the fleet as well.
      if (isLeft || draft.fleet.addressPools.size > 0) reportJudgement(draft, cluster)
      continue
    }
    const unneeded = [...cluster.retired].flatMap((key) => {
      const state = cluster.manifests.get(key)
      if (state === undefined) return []
      const ref = rawRef(state.manifest)
      return isNeeded(draft, cluster, ref) ? [] : [ref]
    })
    for (const ref of unneeded) drop(draft, cluster, ref, "no-longer-needed")
    if (unneeded.length > 0)
      settleUnserved(draft, cluster) // what their refusals say of the pools that there are
    else reportJudgement(draft, cluster)
    hasDropped ||= unneeded.length > 0
  }
  return hasDropped
}

/** What is found wrong with how a cluster registers, for as long as it registers so. */
const ofRegistration: ReadonlySet<string> = new Set<FindingCode>(["LT0142", "LT0212", "LT0543"])

/** Whether RegisterCluster says when it is over. */
export const isOfRegistration = ({ code }: Finding): boolean => ofRegistration.has(code)

/** What the agent has said of an object, or how its cluster registers. */
export const reportedOn = (cluster: ClusterMemory, ref: ObjectRef): ReadonlyArray<Finding> => {
  const { findings = [], reportedCount = 0 } = cluster.findings.get(objectKey(ref)) ?? {}
  return findings.slice(0, reportedCount)
}

/** Takes what the agent finds wrong with an object, and judges anew what it did not take of it. */
export const hearFindings = (
  draft: Draft,
  cluster: ClusterMemory,
  { object, findings, refused }: Pick<ReportFindings, "object" | "findings" | "refused">
): void => {
  const key = objectKey(object)
  const before = cluster.findings.get(key)?.refused
  const standing = reportedOn(cluster, object).filter((found) => object.kind === "Cluster" && isOfRegistration(found))
  reportFindings(draft, cluster, object, "agent", [...standing, ...findings], refused)
  // Of a Service it says what that asks of the pools, and no other object is judged by it: see `reviewServices`.
  if (object.kind === "Service" || JSON.stringify(before) === JSON.stringify(refused)) return
  if (refused === undefined && !cluster.manifests.has(key) && !cluster.waiting.has(key))
    reportFindings(draft, cluster, object, "centre", [])
  reportJudgement(draft, cluster)
}

/**
 * Records what the agent, or the centre, finds wrong with one object, when it differs from what is recorded. Neither
 * speaks for the other; nothing wrong on either side ends the record. With it goes the version that is not in effect for it:
 * the one that the agent refused, or the one that the centre holds.
 */
export const reportFindings = (
  draft: Draft,
  cluster: ClusterMemory,
  ref: ObjectRef,
  by: "agent" | "centre",
  findings: ReadonlyArray<Finding>,
  version?: RawObject
): void => {
  const before = cluster.findings.get(objectKey(ref)) ?? null
  const told = by === "agent" ? findings : (before?.findings.slice(0, before.reportedCount) ?? [])
  const refused = by === "agent" ? version : before?.refused
  const held = by === "centre" ? version : before?.held
  const judged = by === "centre" ? findings : (before?.findings.slice(before.reportedCount) ?? [])
  const after: FindingsState | null =
    told.length + judged.length === 0
      ? null
      : {
          _tag: "Findings",
          cluster: cluster.name,
          object: ref,
          findings: [...told, ...judged],
          reportedCount: told.length,
          ...(refused === undefined ? {} : { refused }),
          ...(held === undefined ? {} : { held })
        }
  if (JSON.stringify(before) === JSON.stringify(after)) return
  draft.emit({
    stream: streamOf.findings(cluster.name, ref.kind, ref.namespace ?? "", ref.name),
    type: after === null ? "FindingsResolved" : "FindingsReported",
    reason: by === "agent" ? "observed" : "judged",
    before,
    after,
    about: {
      cluster: cluster.name,
      ...(ref.namespace === undefined ? {} : { namespace: ref.namespace }),
      ...(ref.kind === "Service" ? { service: ref.name } : {}),
      ...(ref.kind === "IPAddressPool" ? { pool: ref.name } : {})
    }
  })
}

/** Records the findings of the cluster's configuration as a whole, object by object; with those of the changes that are held. */
export const reportJudgement = (
  draft: Draft,
  cluster: ClusterMemory,
  waiting: ReadonlyMap<string, RawObject> = heldOf(cluster)
): void => {
  const { findings } = judgeCluster(draft.fleet, cluster)
  const byObject = new Map<string, { readonly ref: ObjectRef; readonly findings: Array<Finding> }>()
  for (const { manifest, retired } of cluster.manifests.values()) {
    const ref = rawRef(manifest)
    const own = retired === true ? retiredFindings(draft, cluster, ref) : []
    byObject.set(objectKey(ref), { ref, findings: [...own, ...decodeObject(manifest).findings] })
  }
  for (const [key, held] of waiting) {
    const why = whyHeld(draft.fleet, cluster, held)
    byObject.set(key, { ref: rawRef(held), findings: [...decodeObject(held).findings, ...why] })
  }
  for (const [key, kept] of cluster.kept) {
    if (kept.version._tag !== "Manifest") continue
    const ref = rawRef(kept.version.manifest)
    const of = byObject.get(key) ?? { ref, findings: [] }
    of.findings.unshift(keptFinding(ref, kept, cluster.manifests.has(key)))
    byObject.set(key, of)
  }
  for (const found of [...findings, ...strayFindings(draft.fleet, cluster)]) addTo(byObject, found)
  for (const { object, refused } of cluster.findings.values()) {
    if (refused !== undefined && object.kind !== "Service" && !byObject.has(objectKey(object)))
      byObject.set(objectKey(object), { ref: object, findings: [] })
  }
  for (const found of judgeRefused(draft.fleet, cluster)) addTo(byObject, found)
  for (const [key, { ref, findings }] of byObject) {
    const held = waiting.get(key)
    // One that nothing holds any more is made before the command ends, which tells of the object anew.
    if (held === undefined || findings.length > 0) reportFindings(draft, cluster, ref, "centre", findings, held)
  }
}

/** Two versions of one object may have the same wrong with them. */
const addTo = (byObject: ReadonlyMap<string, { readonly findings: Array<Finding> }>, found: Finding): void => {
  const of = byObject.get(objectKey(found.object))?.findings
  if (of?.some(({ message }) => message === found.message) === false) of.push(found)
}

/** What stands on an object of which routes go by an older version. */
const keptFinding = (object: ObjectRef, { order }: KeptState, isThere: boolean): Finding =>
  finding("LT0621", {
    object,
    expected:
      "a change that takes their routes from no more addresses than the budget allows, or a second person who approves it",
    found: `${isThere ? "a newer version" : "its deletion"}, which waits for approval of ${order}; routes go by the version before`
  })

const retiredFindings = (draft: Draft, cluster: ClusterMemory, ref: ObjectRef): ReadonlyArray<Finding> =>
  isPoolInUse(cluster, ref)
    ? [retiredFinding(draft.fleet, cluster, ref)]
    : heldFindings(ref, brokenBy(draft.fleet, cluster, ref, undefined))

const manifestStream = (cluster: ClusterMemory, ref: ObjectRef): string =>
  streamOf.manifest(cluster.name, ref.kind, ref.namespace ?? "", ref.name)
