import { reservedText } from "../allocation/available.ts"
import { poolsHolding } from "../allocation/pool-choice.ts"
import { settleService } from "../allocation/settle.ts"
import { type Finding, finding, type SharedAddress, type SharedMember } from "../config/index.ts"
import type { Draft } from "./draft.ts"
import type { Fleet } from "./fleet.ts"
import { type SharedAddressState, streamOf } from "./stream.ts"

const refOf = (name: string) => ({ kind: "SharedAddress", name })

/**
 * Lets several clusters have one address, each by a Service that is named. A member that holds the address already keeps it; one
 * that is none any more gives it up in its cluster alone.
 */
export const applySharedAddress = (draft: Draft, shared: SharedAddress): void => {
  const { fleet } = draft
  const before = fleet.sharedAddresses.get(shared.name)
  const after: SharedAddressState = { _tag: "SharedAddress", cluster: "", shared }
  if (JSON.stringify(before) === JSON.stringify(after)) return
  const left = (before?.shared.addresses ?? []).filter(
    (address) => before?.shared.network !== shared.network || !shared.addresses.includes(address)
  )
  const fault = membersFault(fleet, shared) ?? addressFault(fleet, shared, before) ?? heldFault(fleet, before, left)
  if (fault !== undefined) return draft.refuse(fault)
  draft.emit({
    stream: streamOf.sharedAddress(shared.name),
    type: "SharedAddressApplied",
    reason: "applied",
    before: before ?? null,
    after,
    about: aboutShared(shared)
  })
  settleMembers(draft, [...(before?.shared.members ?? []), ...shared.members])
}

/** Ends the sharing. The one cluster that still holds an address keeps it as its own; while two do, it is refused. */
export const deleteSharedAddress = (draft: Draft, name: string): void => {
  const before = draft.fleet.sharedAddresses.get(name)
  if (before === undefined) return
  const fault = heldFault(draft.fleet, before, before.shared.addresses)
  if (fault !== undefined) return draft.refuse(fault)
  draft.emit({
    stream: streamOf.sharedAddress(name),
    type: "SharedAddressDeleted",
    reason: "deleted",
    before,
    after: null,
    about: aboutShared(before.shared)
  })
  settleMembers(draft, before.shared.members)
}

/** The first address stands for all: by it the event is found. */
const aboutShared = ({ network, addresses: [address = ""] }: SharedAddress) => ({ network, address })

/** Who leaves before who comes: the address may be another Service's of the same cluster now. */
const settleMembers = (draft: Draft, members: ReadonlyArray<SharedMember>): void => {
  for (const { cluster, namespace, name } of members) {
    settleService(draft, draft.cluster(cluster), `${namespace}/${name}`)
  }
}

const membersFault = (fleet: Fleet, { name, network, members, addresses }: SharedAddress): Finding | undefined => {
  for (const [index, member] of members.entries()) {
    const object = refOf(name)
    const cluster = fleet.clusters.get(member.cluster)
    const field = `spec.members[${index}].cluster`
    if (cluster === undefined || cluster.network !== network) {
      const known = [...fleet.clusters.values()].filter((each) => each.network === network).map((each) => each.name)
      const expected = `one of the clusters [${known.sort().join(", ")}] of network ${network}`
      return finding("LT0604", { object, field, expected, found: member.cluster })
    }
    const pools = fleet.config(cluster).pools.filter(({ retired }) => retired !== true)
    for (const text of addresses) {
      if (poolsHolding(pools, text).length > 0) continue
      const expected = `addresses of one of the pools [${pools.map((pool) => pool.name).join(", ")}] of cluster ${member.cluster}`
      return finding("LT0202", { object, field: "spec.addresses", expected, found: text })
    }
  }
  return undefined
}

/** Anybody else who has the address, keeps it or had it last and is not done with it. */
const addressFault = (
  fleet: Fleet,
  { name, network, addresses, members }: SharedAddress,
  before: SharedAddressState | undefined
): Finding | undefined => {
  /** Of whom the object speaks, or spoke until now: who leaves it has a part of its own that goes by itself. */
  const clusters = new Set([...members, ...(before?.shared.members ?? [])].map(({ cluster }) => cluster))
  for (const address of addresses) {
    const { reserved, shared } = fleet.network(network)
    const reservation = reserved.get(address)
    const other = shared.get(address)
    const foreign = fleet.vipsAt(network, address).find(({ phase, member, cluster, holders, lastHolders }) => {
      // What was a part of a shared address that is no more is its cluster's own.
      if (phase === "free" || (member === true && clusters.has(cluster))) return false
      const own = members.find((each) => each.cluster === cluster)
      const key = `${own?.namespace}/${own?.name}`
      const keys = phase === "assigned" ? holders.map((holder) => `${holder.namespace}/${holder.name}`) : lastHolders
      return own === undefined || keys.some((each) => each !== key)
    })
    const found =
      reservation !== undefined
        ? reservedText(reservation)
        : other !== undefined && other.shared.name !== name
          ? `shared address ${other.shared.name}`
          : foreign === undefined
            ? undefined
            : `${foreign.phase}, of ${foreign.cluster}/${(foreign.phase === "assigned" ? foreign.holders.map((holder) => `${holder.namespace}/${holder.name}`) : foreign.lastHolders).join(", ")}`
    if (found === undefined) continue
    const expected = "an address that nobody but a member has"
    return finding("LT0203", { object: refOf(name), field: "spec.addresses", expected, found: `${address}, ${found}` })
  }
  return undefined
}

/** An address that two clusters hold is not to be made one that only one may hold. */
const heldFault = (
  fleet: Fleet,
  before: SharedAddressState | undefined,
  addresses: ReadonlyArray<string>
): Finding | undefined => {
  if (before === undefined) return undefined
  for (const address of addresses) {
    const held = fleet.vipsAt(before.shared.network, address).filter(({ phase }) => phase === "assigned")
    if (held.length < 2) continue
    return finding("LT0220", {
      object: refOf(before.shared.name),
      field: "spec.addresses",
      expected: `at most one cluster that has ${address} before it is shared no more`,
      found: held
        .flatMap(({ cluster, holders }) => holders.map((holder) => `${cluster}/${holder.namespace}/${holder.name}`))
        .sort()
        .join(", "),
      fix: "Take members out of it until one is left, then delete it"
    })
  }
  return undefined
}
