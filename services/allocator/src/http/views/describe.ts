import {
  type AddressPoolState,
  type ApprovalState,
  type BrakeState,
  codes,
  type EventType,
  type ExportState,
  type FindingsState,
  type FleetSettingsState,
  type FleetVersionState,
  type KeptState,
  type ManifestState,
  type NamespaceState,
  type NodeState,
  type QuotaState,
  type RecoveryState,
  type ReservationState,
  type RoutesTakenState,
  readEvent,
  type SegmentState,
  type ServiceState,
  type SharedAddressState,
  type StreamState,
  type VipState,
  type WireDropState,
  type WireSealState
} from "@lowtide/domain"
import { plural } from "@lowtide/domain/words"
import type { StoredEvent } from "@lowtide/ledger"
import { Result } from "effect"

/** An event in words, with the code and the remedy where it tells of a fault. */
export interface Described {
  readonly what: string
  readonly code: string | null
  readonly fix: string | null
}

/**
 * What an event says, as a sentence without its time and actor, and without its reason where that tells nothing else. What only
 * a newer release can read is named at least.
 */
export const describeEvent = (event: StoredEvent): Described => {
  const describe = Object.hasOwn(sentences, event.type) ? sentences[event.type as EventType] : undefined
  const change = readEvent(event)
  return describe === undefined || Result.isFailure(change)
    ? plain(`${event.type} of ${event.stream}`)
    : describe(change.success, event)
}

/** The state of an event's stream before and after it. */
export interface StateChange {
  readonly before: StreamState | null
  readonly after: StreamState | null
}

const plain = (what: string): Described => ({ what, code: null, fix: null })

type Sentence = (change: StateChange, event: StoredEvent) => Described

/** For a type whose stream holds states of one kind: the newest state that the event names, and the one before. */
const about =
  <State extends StreamState>(say: (state: State, before: State | null) => Described | string): Sentence =>
  ({ before, after }, event) => {
    const state = after ?? before
    if (state === null) return plain(`${event.type} of ${event.stream}`)
    const said = say(state as State, before as State | null)
    return typeof said === "string" ? plain(said) : said
  }

const sentences: { readonly [Type in EventType]: Sentence } = {
  ClusterRegistered: about((state) =>
    state._tag === "Cluster" ? `cluster ${state.cluster} is of network ${state.network}` : state._tag
  ),
  ManifestApplied: about<ManifestState>(
    (state, before) =>
      `${manifestName(state)} was ${before === null ? "created" : before.retired === true ? "brought back" : "changed"}`
  ),
  ManifestRetired: about<ManifestState>(
    (state) => `${manifestName(state)} was deleted while it is needed: it stays in effect until it no longer is`
  ),
  ManifestDeleted: about<ManifestState>((state) => `${manifestName(state)} was deleted`),
  FindingsReported: about<FindingsState>((state) => {
    const [first, ...others] = state.findings
    if (first === undefined) return `${findingsName(state)} is well`
    const more = others.length === 0 ? "" : ` (and ${others.length} more)`
    return { what: `${first.severity} ${first.code} ${first.message}${more}`, code: first.code, fix: first.fix }
  }),
  FindingsResolved: about<FindingsState>((state) => `${findingsName(state)} has no findings any more`),
  NamespaceObserved: about<NamespaceState>(
    ({ namespace }, before) => `namespace ${namespace.name} ${before === null ? "was seen" : "was relabelled"}`
  ),
  NamespaceGone: about<NamespaceState>(({ namespace }) => `namespace ${namespace.name} is gone`),
  NodeObserved: about<NodeState>(({ node }, before) => {
    const seen = seenOrChanged(before?.node, node, before?.present === false)
    return `node ${node.name} ${seen}${before?.retired === true ? "; retired before, it begins anew" : ""}`
  }),
  NodeGone: about<NodeState>(({ node }) => `node ${node.name} is gone; what it was to confirm it has yet to confirm`),
  NodeRetired: about<NodeState>(({ node }) => `node ${node.name} was retired: nothing more is awaited of it`),
  ServiceObserved: about<ServiceState>(
    ({ service }, before) => `Service ${serviceName(service)} ${seenOrChanged(before?.service, service, false)}`
  ),
  ServiceGone: about<ServiceState>(({ service }) => `Service ${serviceName(service)} is gone`),
  ServingNodesChanged: about<ServiceState>(({ service, servingNodes }) =>
    servingNodes.length === 0
      ? `Service ${serviceName(service)} has no serving endpoint`
      : `Service ${serviceName(service)} has serving endpoints on ${servingNodes.join(", ")}`
  ),
  AssignmentRefused: about<ServiceState>(({ service, refusal }) =>
    refusal === null
      ? `Service ${serviceName(service)} was refused`
      : { what: `refused ${refusal.code} ${refusal.message}`, code: refusal.code, fix: refusal.fix }
  ),
  RefusalCleared: about<ServiceState>(({ service }) => `Service ${serviceName(service)} is no longer refused`),
  VipAssigned: ({ after }, event) => {
    const vip = after as VipState
    const to = event.service === undefined ? holdersOf(vip) : `${event.cluster} ${event.namespace}/${event.service}`
    const shared = vip.holders.length > 1 ? `, shared by ${holdersOf(vip)}` : ""
    return plain(`${vip.address} of pool ${vip.pool} was given to ${to}${shared}`)
  },
  VipHoldersChanged: about<VipState>((vip) => `${vip.address} is held by ${holdersOf(vip)}`),
  VipReleased: about<VipState>((vip) =>
    vip.obliged.length === 0
      ? `${vip.address} was released by ${vip.lastHolders.join(", ")}`
      : `${vip.address} was released by ${vip.lastHolders.join(", ")}; ${vip.obliged.join(", ")} ${vip.obliged.length === 1 ? "is" : "are"} to confirm its withdrawal`
  ),
  VipQuarantined: about<VipState>(
    (vip) =>
      `${vip.address} is withdrawn everywhere and rests${vip.quarantineEndMs === null ? "" : ` until ${new Date(vip.quarantineEndMs).toISOString()}`}`
  ),
  VipObligationLifted: (change, { reasonCode }) => {
    const vip = change.after as VipState
    const before = change.before as VipState | null
    const lifted = (before?.obliged ?? []).filter((node) => !vip.obliged.includes(node)).join(", ")
    const why = Object.hasOwn(liftedBecause, reasonCode) ? `, ${liftedBecause[reasonCode]}` : ""
    return plain(`${vip.address} no longer waits for ${lifted}${why}`)
  },
  VipForceReleased: about<VipState>((vip, before) => {
    const rests = vip.quarantineEndMs === null ? "" : ` until ${new Date(vip.quarantineEndMs).toISOString()}`
    return `${vip.address} was released by force, without waiting for ${before?.obliged.join(", ")}: it rests${rests}`
  }),
  AddressReserved: about<ReservationState>(
    ({ address, pool, name, ...holder }) =>
      `${address} of pool ${pool} was reserved for ${reservedFor(holder)} by reservation ${name}`
  ),
  ReservationDeleted: about<ReservationState>(
    ({ address, name, ...holder }) =>
      `${address} is no longer reserved for ${reservedFor(holder)}: reservation ${name} was deleted`
  ),
  QuotaApplied: about<QuotaState>(
    ({ quota }) => `quota ${quota.name} allows ${plural(quota.addresses, "address", "addresses")} ${quotaScope(quota)}`
  ),
  QuotaDeleted: about<QuotaState>(
    ({ quota }) =>
      `quota ${quota.name} of ${plural(quota.addresses, "address", "addresses")} ${quotaScope(quota)} was deleted`
  ),
  SharedAddressApplied: about<SharedAddressState>(({ shared: { name, addresses, members } }) => {
    const to = members.map((each) => `${each.cluster} ${each.namespace}/${each.name} (priority ${each.priority})`)
    return `SharedAddress ${name} gives ${addresses.join(" and ")} to ${to.join(", ")}`
  }),
  SharedAddressDeleted: about<SharedAddressState>(({ shared }) => `SharedAddress ${shared.name} was deleted`),
  VipMoving: about<VipState>(
    (vip) => `${vip.address} is given up, and stays announced until the address that takes its place is`
  ),
  AddressPoolApplied: about<AddressPoolState>(({ pool }, before) => {
    const done = before === null ? "created" : before.retired === true ? "brought back" : "changed"
    return `AddressPool ${pool.name} of network ${pool.network} was ${done}: ${pool.pool.ranges.join(", ")}`
  }),
  AddressPoolRetired: about<AddressPoolState>(
    ({ pool }) => `AddressPool ${pool.name} was deleted while addresses of it are held: it gives out nothing more`
  ),
  AddressPoolDeleted: about<AddressPoolState>(({ pool }) => `AddressPool ${pool.name} was deleted`),
  VipFreed: about<VipState>((vip) => `${vip.address} of pool ${vip.pool} is free`),
  VipAdopted: about<VipState>((vip) =>
    vip.phase === "assigned"
      ? `${vip.address} was taken over as held by ${holdersOf(vip)}, which the log had lost; it is reserved until they are seen`
      : `${vip.address} was taken over as withdrawn, which the log had lost`
  ),
  HistoryLost: about<RecoveryState>(({ incarnation, why }) => ({
    what: `the database has lost history (${why}): incarnation ${incarnation} begins, and decides nothing before it has asked what speakers hold`,
    code: "LT0505",
    fix: codes.LT0505.fix
  })),
  HistoryRecovered: about<RecoveryState>(
    ({ incarnation, adoptedCount, without }) =>
      `incarnation ${incarnation} has merged what is remembered: ${plural(adoptedCount, "address is", "addresses are")} reserved for who comes back${without.length === 0 ? "" : `; not heard: ${without.join(", ")}`}`
  ),
  ClusterRepublished: about((state) =>
    state._tag === "Cluster"
      ? `everything of cluster ${state.cluster} is published anew under incarnation ${state.incarnation ?? 0}`
      : state._tag
  ),
  AuditExported: about<ExportState>(({ count, sinceSeq, untilSeq, filter, format }) => {
    const { journal, ...kept } = filter
    const filters = Object.entries(kept).map(([name, value]) => `${name} ${value}`)
    const range = `${sinceSeq} to ${untilSeq}`
    const what = journal === undefined ? `events ${range}` : `rows ${range} of the wire journal`
    const those = filters.length === 0 ? "" : `of ${what}, those with ${filters.join(", ")}`
    const found = count === null ? "" : `: ${plural(count, "event")}`
    return `${those === "" ? what : those} were exported as ${format}${found}`
  }),
  WireJournalSealed: about<WireSealState>(
    ({ count, sinceId, untilId, until, root }) =>
      `the wire journal until ${until} is sealed: ${plural(count, "row")}, ids ${sinceId} to ${untilId}, root ${root}`
  ),
  FleetVersionFinalised: about<FleetVersionState>(
    ({ version }, before) =>
      `the fleet is of version ${version}${before === null ? "" : `, and was of ${before.version}`}`
  ),
  BrakeReleased: about<BrakeState>(
    ({ cluster, node }) =>
      `the brakes of ${node === null ? `all nodes of cluster ${cluster}` : `node ${node} of cluster ${cluster}`} were released: what they held back is withdrawn`
  ),
  WireRowsDropped: about<WireDropState>(
    ({ untilId, before }) =>
      `rows of the wire journal up to id ${untilId}, recorded before ${before}, are removed; their seals stay`
  ),
  SegmentArchived: about<SegmentState>(
    ({ fromSeq, toSeq, file, sha256, root }) =>
      `events ${fromSeq} to ${toSeq} are archived in ${file}, SHA-256 ${sha256}, root ${root}`
  ),
  SegmentDropped: about<SegmentState>(
    ({ fromSeq, toSeq, file }) => `events ${fromSeq} to ${toSeq} are in ${file} alone from now on`
  ),
  SegmentRestored: about<SegmentState>(
    ({ fromSeq, toSeq, file }) => `events ${fromSeq} to ${toSeq} are back from ${file}`
  ),
  FleetApplied: about<FleetSettingsState>(
    ({ name, blastRadius: { maxWithdrawPercent, maxWithdrawRoutes, perMs, cluster, clusters = {} } }) =>
      `fleet ${name} lets ${maxWithdrawPercent} % and ${plural(maxWithdrawRoutes, "route")} be withdrawn within ${perMs / 1000} s without a second person, of each cluster ${cluster.maxWithdrawPercent} % and ${cluster.maxWithdrawRoutes}${Object.entries(
        clusters
      )
        .map(([name, share]) => `, of ${name} ${share.maxWithdrawPercent} % and ${share.maxWithdrawRoutes}`)
        .join("")}`
  ),
  FleetDeleted: about<FleetSettingsState>(({ name }) => `fleet ${name} was deleted: the standard budget holds`),
  VipReleaseHeld: about<VipState>(({ address, heldRelease }) => ({
    what: `${address} stays announced: its withdrawal waits for approval of ${heldRelease?.order}`,
    code: "LT0620",
    fix: codes.LT0620.fix
  })),
  WithdrawalsHeld: about<ApprovalState>(
    ({ id, cluster, author, count }) =>
      `order ${id} waits for a second person: ${plural(count, "address", "addresses")} of cluster ${cluster}, by order of ${author}`
  ),
  WithdrawalsApproved: about<ApprovalState>(
    ({ id, cluster, count }) =>
      `order ${id} was approved: ${plural(count, "address", "addresses")} of cluster ${cluster} ${count === 1 ? "is" : "are"} withdrawn`
  ),
  WithdrawalsRejected: about<ApprovalState>(
    ({ id, cluster, count }) =>
      `order ${id} was rejected: ${plural(count, "address", "addresses")} of cluster ${cluster} ${count === 1 ? "stays" : "stay"} announced`
  ),
  VersionKept: about<KeptState>(({ cluster, order, version }) => ({
    what: `routes of cluster ${cluster} go on by ${versionName(version)} as it was: what came instead waits for approval of ${order}`,
    code: "LT0621",
    fix: codes.LT0621.fix
  })),
  VersionDropped: about<KeptState>(
    ({ cluster, version }) => `routes of cluster ${cluster} go no longer by ${versionName(version)} as it was`
  ),
  RoutesTaken: about<RoutesTakenState>(
    ({ cluster, taken }) =>
      `configuration of cluster ${cluster} left ${plural(taken.at(-1)?.addresses ?? 0, "address", "addresses")} without a route`
  )
}

/** Why nothing is awaited of nodes any more. The SQL function `audit.reason_words` says the same. */
const liftedBecause: Readonly<Record<string, string>> = {
  "node-retired": "which a person retired",
  "withdrawal-confirmed": "which confirmed its withdrawal"
}

const versionName = (version: KeptState["version"]): string =>
  version._tag === "Manifest" ? manifestName(version) : `AddressPool ${version.pool.name}`

const reservedFor = ({
  cluster,
  namespace,
  service
}: Pick<ReservationState, "cluster" | "namespace" | "service">): string => `${cluster} ${namespace}/${service}`

const quotaScope = ({ cluster, namespace }: QuotaState["quota"]): string =>
  `to ${namespace === null ? "" : `namespace ${namespace} of `}${cluster === null ? "each cluster" : `cluster ${cluster}`}`

const manifestName = ({ manifest }: ManifestState): string =>
  `${manifest.kind} ${manifest.namespace === "" ? "" : `${manifest.namespace}/`}${manifest.name}`

const findingsName = ({ object }: FindingsState): string =>
  `${object.kind} ${object.namespace === undefined ? "" : `${object.namespace}/`}${object.name}`

const serviceName = ({ namespace, name }: { readonly namespace: string; readonly name: string }): string =>
  `${namespace}/${name}`

const holdersOf = ({ cluster, holders }: VipState): string =>
  holders.map(({ namespace, name }) => `${cluster} ${namespace}/${name}`).join(", ")

/** Says which fields of an observed object are not what they were. */
const seenOrChanged = (before: object | undefined, after: object, isBack: boolean): string => {
  if (before === undefined) return "was seen"
  const earlier = before as Readonly<Record<string, unknown>>
  const fields = Object.entries(after).flatMap(([field, value]) =>
    JSON.stringify(earlier[field]) === JSON.stringify(value) ? [] : field
  )
  const gone = Object.keys(before).filter((field) => !Object.hasOwn(after, field))
  const changed = [...fields, ...gone]
  return `${isBack ? "is back" : "changed"}${changed.length === 0 ? "" : `: ${changed.join(", ")}`}`
}
