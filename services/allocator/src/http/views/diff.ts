import type { DiffItem, DiffKind } from "@lowtide/api/diff"
import { addressFilter } from "@lowtide/api/parameters"
import {
  type ApprovalState,
  readState,
  type ServiceState,
  type StreamState,
  type Unreadable,
  type VipState
} from "@lowtide/domain"
import { plural } from "@lowtide/domain/words"
import type { StoredCurrent } from "@lowtide/ledger"
import { parseIpAddress, parsePrefix, prefixContains } from "@lowtide/net"
import { Result } from "effect"
import { byText } from "./reading.ts"
import { poolText } from "./reasons.ts"

/** What is compared of a fleet; with none of them all of it. */
export interface DiffFilter {
  readonly cluster?: string
  readonly namespace?: string
  readonly pool?: string
  /** An address or a prefix, as `AddressesText` takes it. */
  readonly address?: string
  readonly kind?: DiffKind
}

/** One stream whose state differs, with the event that led to the later one. */
interface Difference {
  readonly stream: string
  readonly before: StreamState | null
  readonly after: StreamState | null
  readonly seq: number
  readonly time: string
}

/**
 * What differs between the states of all streams at two places of the log: addresses first, then Services, nodes and
 * configuration and approvals, each kind by name. What changed in between and is as it was is no difference.
 */
export const diffItems = (
  before: ReadonlyArray<StoredCurrent>,
  after: ReadonlyArray<StoredCurrent>
): Result.Result<ReadonlyArray<DiffItem>, Unreadable> =>
  Result.map(differing(before, after), (differences) =>
    [...differences.flatMap(itemOf), ...servicesMoved(differences)].sort(
      byText((item) => `${kinds.indexOf(item.kind)} ${item.cluster} ${item.name}`)
    )
  )

const kinds: ReadonlyArray<DiffKind> = [
  "address",
  "service",
  "node",
  "configuration",
  "approval",
  "namespace",
  "cluster",
  "finding"
]

/** A stream never leaves the log, so what was there before is in `after` too. */
const differing = (
  before: ReadonlyArray<StoredCurrent>,
  after: ReadonlyArray<StoredCurrent>
): Result.Result<ReadonlyArray<Difference>, Unreadable> => {
  const earlier = new Map(before.map((row) => [row.stream, row]))
  const differences: Array<Difference> = []
  for (const row of after) {
    const old = earlier.get(row.stream)
    if (old?.seq === row.seq || (old?.state ?? null) === row.state) continue
    const was = old === undefined ? noState : readState(old)
    const is = readState(row)
    if (Result.isFailure(was)) return Result.fail(was.failure)
    if (Result.isFailure(is)) return Result.fail(is.failure)
    const { stream, seq, recordedAt: time } = row
    differences.push({ stream, before: was.success, after: is.success, seq, time })
  }
  return Result.succeed(differences)
}

const noState = Result.succeed(null)

/** Whether a difference is one that is asked for. */
export const isWanted =
  ({ cluster, namespace, pool, address, kind }: DiffFilter) =>
  (item: DiffItem): boolean => {
    const states = [item.before, item.after].flatMap((state) => (isState(state) ? [state] : []))
    const vips = states.filter((state) => state._tag === "Vip")
    const isOfAddress = (text: string) => {
      const wanted = addressFilter(text)
      return vips.some(({ address }) =>
        "address" in wanted ? address === wanted.address : isAddressIn(wanted.prefix, address)
      )
    }
    return (
      (cluster === undefined || item.cluster === cluster || states.some((state) => state.cluster === cluster)) &&
      (namespace === undefined || namespacesOf(item, vips).has(namespace)) &&
      (pool === undefined || vips.some((vip) => vip.pool === pool)) &&
      (address === undefined || isOfAddress(address)) &&
      (kind === undefined || item.kind === kind)
    )
  }

const isAddressIn = (prefix: string, address: string): boolean =>
  prefixContains(Result.getOrThrow(parsePrefix(prefix)), Result.getOrThrow(parseIpAddress(address)))

/** Of a cluster's stream: every state but those of the log itself. */
type ClusterState = Extract<StreamState, { readonly cluster: string }>

const isState = (state: unknown): state is ClusterState =>
  typeof state === "object" && state !== null && "_tag" in state && "cluster" in state

/** Namespaces of Services: of the Service itself, or of those that held the address. */
const namespacesOf = ({ kind, name }: DiffItem, vips: ReadonlyArray<VipState>): ReadonlySet<string> =>
  kind === "service"
    ? new Set([name.slice(0, name.indexOf("/"))])
    : new Set(
        vips.flatMap(({ holders, lastHolders }) => [
          ...holders.map(({ namespace }) => namespace),
          ...lastHolders.map((holder) => holder.slice(0, holder.indexOf("/")))
        ])
      )

const itemOf = (difference: Difference): ReadonlyArray<DiffItem> => {
  const state = difference.after ?? difference.before
  const said = state === null ? undefined : say(difference, state)
  if (state === null || said === undefined) return []
  const { before, after, seq, time } = difference
  const { kind, change, name } = said
  const cluster = "cluster" in state ? state.cluster : ""
  const sentence = `${said.sentence} (event ${seq} at ${time}).`
  return [{ kind, change, cluster, name, before, after, seq, time, sentence }]
}

interface Said {
  readonly kind: DiffKind
  readonly change: DiffItem["change"]
  readonly name: string
  readonly sentence: string
}

/** Undefined for what is of the log itself: the history tells it. */
const say = (difference: Difference, state: StreamState): Said | undefined => {
  switch (state._tag) {
    case "Vip":
      return sayVip(difference.before as VipState | null, state)
    case "Service":
      return sayService(difference, state)
    case "Node":
      return sayPresence(difference, {
        kind: "node",
        name: state.node.name,
        subject: `Node ${state.cluster} ${state.node.name}`
      })
    case "Manifest": {
      const { kind, namespace, name } = state.manifest
      const subject = `${kind} ${state.cluster} ${namespace === "" ? "" : `${namespace}/`}${name}`
      return sayPresence(difference, { kind: "configuration", name: `${kind}/${namespace}/${name}`, subject })
    }
    case "Reservation": {
      const { name } = state
      return sayPresence(difference, {
        kind: "configuration",
        name: `Reservation//${name}`,
        subject: `Reservation ${name}`
      })
    }
    case "Quota": {
      const { name } = state.quota
      return sayPresence(difference, { kind: "configuration", name: `Quota//${name}`, subject: `Quota ${name}` })
    }
    case "SharedAddress": {
      const { name } = state.shared
      const subject = `SharedAddress ${name}`
      return sayPresence(difference, { kind: "configuration", name: `SharedAddress//${name}`, subject })
    }
    case "AddressPool": {
      const { name } = state.pool
      const subject = `AddressPool ${name}`
      return sayPresence(difference, { kind: "configuration", name: `AddressPool//${name}`, subject })
    }
    case "FleetSettings":
      return sayPresence(difference, {
        kind: "configuration",
        name: `Fleet//${state.name}`,
        subject: `Fleet ${state.name}`
      })
    case "Approval":
      return sayApproval(difference, state)
    case "Namespace":
      return sayPresence(difference, {
        kind: "namespace",
        name: state.namespace.name,
        subject: `Namespace ${state.cluster} ${state.namespace.name}`
      })
    case "Cluster":
      return sayPresence(difference, { kind: "cluster", name: state.cluster, subject: `Cluster ${state.cluster}` })
    case "Findings": {
      const { kind, namespace = "", name } = state.object
      const said = sayPresence(difference, {
        kind: "finding",
        name: `${kind}/${namespace}/${name}`,
        subject: `${kind} ${state.cluster} ${namespace === "" ? "" : `${namespace}/`}${name}`
      })
      if (said.change === "removed") return { ...said, sentence: `${said.subject} has no findings any more` }
      const codes = [...new Set(state.findings.map(({ code }) => code))].join(", ")
      return { ...said, sentence: `${said.subject} has findings: ${codes}` }
    }
    case "Brake":
    case "Export":
    case "FleetVersion":
    case "Recovery":
    case "Segment":
    case "WireDrop":
    case "WireSeal":
      return undefined
  }
}

const holdersOf = ({ cluster, holders }: VipState): string =>
  holders.map(({ namespace, name }) => `${cluster} ${namespace}/${name}`).join(" and ")

/** An address comes and goes with its holders; what a released one goes through afterwards is a change. */
const sayVip = (before: VipState | null, after: VipState): Said => {
  const name = `${after.network}/${after.address}`
  const subject = `${after.address} (network ${after.network})`
  const held = before === null ? "" : holdersOf(before)
  const holds = holdersOf(after)
  const of = { kind: "address", name } as const
  if (held === "" && holds !== "") {
    return { ...of, change: "added", sentence: `${subject} was given to ${holds}, from ${poolText(after.pool)}` }
  }
  if (held !== "" && holds === "") {
    return { ...of, change: "removed", sentence: `${subject} was released by ${held} and is ${after.phase}` }
  }
  if (held !== holds) {
    const hasStayed = before?.holders.some(({ namespace, name }) => isHeldBy(after, before.cluster, namespace, name))
    return hasStayed === true
      ? { ...of, change: "changed", sentence: `${subject} is held by ${holds}, and was held by ${held}` }
      : { ...of, change: "moved", sentence: `${subject} moved from ${held} to ${holds}` }
  }
  if (before !== null && before.pool !== after.pool) {
    const by = holds === "" ? "" : ` of ${holds}`
    return { ...of, change: "changed", sentence: `${subject}${by} is of pool ${after.pool}, and was of ${before.pool}` }
  }
  const order = after.heldRelease?.order
  if (order !== undefined && order !== before?.heldRelease?.order) {
    const sentence = `${subject} stays announced for ${holds}: its withdrawal waits for approval of ${order}`
    return { ...of, change: "changed", sentence }
  }
  const isNew = before === null || before.phase === "free"
  if (holds === "" && isNew && after.phase !== "free") {
    const by = after.lastHolders.map((name) => `${after.cluster} ${name}`).join(" and ")
    return { ...of, change: "changed", sentence: `${subject} was held by ${by} meanwhile, and is ${after.phase}` }
  }
  const was = before === null ? "" : `, and was ${before.phase}`
  return holds === ""
    ? { ...of, change: "changed", sentence: `${subject} is ${after.phase}${was}` }
    : { ...of, change: "changed", sentence: `${subject} changed for ${holds}: ${changedFields(before, after)}` }
}

/** Whether it is refused what it asks for is said beside what changed of it. */
const sayService = (difference: Difference, { cluster, service, refusal }: ServiceState): Said => {
  const { namespace, name } = service
  const subject = `Service ${cluster} ${namespace}/${name}`
  const said = sayPresence(difference, { kind: "service", name: `${namespace}/${name}`, subject })
  const before = difference.before?._tag === "Service" ? difference.before.refusal : null
  if (said.change === "removed" || before?.message === refusal?.message) return said
  return {
    ...said,
    sentence: `${said.sentence}; ${refusal === null ? "it is refused nothing any more" : `it is refused ${refusal.code}: ${refusal.message}`}`
  }
}

/** An order to withdraw more than the budget allows, which a second person decides on. */
const sayApproval = ({ before }: Difference, { id, cluster, author, phase, count }: ApprovalState): Said => {
  const addresses = `${plural(count, "address", "addresses")} of cluster ${cluster}, released by ${author}`
  const standing = phase === "pending" ? "waits for a second person" : `was ${phase}`
  return {
    kind: "approval",
    name: id,
    change: before === null ? "added" : "changed",
    sentence: `Order ${id} ${standing}: ${addresses}`
  }
}

interface Presence {
  readonly kind: DiffKind
  readonly name: string
  readonly subject: string
}

const sayPresence = ({ before, after }: Difference, named: Presence): Said & Presence => {
  const isThere = (state: StreamState | null) => state !== null && !(state._tag === "Node" && !state.present)
  if (!isThere(before)) return { ...named, change: "added", sentence: `${named.subject} was added` }
  if (!isThere(after)) return { ...named, change: "removed", sentence: `${named.subject} was removed` }
  return { ...named, change: "changed", sentence: `${named.subject} changed: ${changedFields(before, after)}` }
}

/**
 * `service.externalTrafficPolicy is Local, and was Cluster`, `servingNodes is [a, b], and was []`: fields that differ, one
 * level into what was observed; of a long one the name alone.
 */
const changedFields = (before: StreamState | null, after: StreamState | null): string => {
  const [old, young] = [flat(before), flat(after)]
  return [...new Set([...old.keys(), ...young.keys()])]
    .filter((field) => old.get(field) !== young.get(field))
    .sort()
    .map((field) => {
      const [is, was] = [plainText(young.get(field)), plainText(old.get(field))]
      return is === undefined || was === undefined ? field : `${field} is ${is}, and was ${was}`
    })
    .join("; ")
}

/** A value that a sentence has room for: a text, a number, or a list of them. */
const plainText = (json: string | undefined): string | undefined => {
  if (json === undefined) return "unset"
  const value: unknown = JSON.parse(json)
  if (value === null) return "none"
  const parts: ReadonlyArray<unknown> = Array.isArray(value) ? value : [value]
  if (parts.some((part) => typeof part === "object")) return undefined
  const text = parts.map(String).join(", ")
  if (text.length > plainLengthMax) return undefined
  return Array.isArray(value) ? `[${text}]` : text
}

const plainLengthMax = 80

const flat = (state: object | null): ReadonlyMap<string, string> =>
  new Map(
    Object.entries(state ?? {}).flatMap(([field, value]: [string, unknown]) =>
      typeof value === "object" && value !== null && !Array.isArray(value) && field !== "refusal"
        ? Object.entries(value).map(([inner, part]) => [`${field}.${inner}`, JSON.stringify(part)] as const)
        : [[field, JSON.stringify(value)] as const]
    )
  )

/** Services that have another address in the place of one that they had. */
const servicesMoved = (differences: ReadonlyArray<Difference>): ReadonlyArray<DiffItem> => {
  const moves = new Map<string, Move>()
  for (const { before, after, seq, time } of differences) {
    for (const [state, other, list] of [
      [before, after, "lost"],
      [after, before, "gained"]
    ] as const) {
      if (state?._tag !== "Vip") continue
      for (const { namespace, name } of state.holders) {
        if (isHeldBy(other, state.cluster, namespace, name)) continue
        const key = `${state.cluster}/${namespace}/${name}`
        const found = moves.get(key) ?? {
          cluster: state.cluster,
          name: `${namespace}/${name}`,
          lost: [],
          gained: [],
          seq: 0,
          time
        }
        found[list].push(state.address)
        // The event of the move is the one that gave it the new address: the old one may be resting by now.
        moves.set(key, list === "gained" && seq > found.seq ? { ...found, seq, time } : found)
      }
    }
  }
  return [...moves.values()]
    .filter(({ lost, gained }) => lost.length > 0 && gained.length > 0)
    .map(({ cluster, name, lost, gained, seq, time }) => ({
      kind: "service",
      change: "moved",
      cluster,
      name,
      before: lost.sort(),
      after: gained.sort(),
      seq,
      time,
      sentence: `Service ${cluster} ${name} moved from ${lost.join(" and ")} to ${gained.join(" and ")} (event ${seq} at ${time}).`
    }))
}

interface Move {
  readonly cluster: string
  readonly name: string
  readonly lost: Array<string>
  readonly gained: Array<string>
  readonly seq: number
  readonly time: string
}

const isHeldBy = (state: StreamState | null, cluster: string, namespace: string, name: string): boolean =>
  state?._tag === "Vip" &&
  state.cluster === cluster &&
  state.holders.some((holder) => holder.namespace === namespace && holder.name === name)
