import { poolHas } from "../allocation/pool-choice.ts"
import { settleAll } from "../allocation/settle.ts"
import { type Finding, type FleetPool, finding, listText, textsOverlap } from "../config/index.ts"
import { brokenByPools } from "./broken-by.ts"
import { reportJudgement } from "./configure.ts"
import type { Draft } from "./draft.ts"
import type { ClusterMemory, Fleet } from "./fleet.ts"
import { drawsFrom, fleetPoolRef, ownPoolNamed, poolsOfFleet } from "./fleet-pools.ts"
import { type AddressPoolState, streamOf } from "./stream.ts"

/** Takes a pool of the fleet, or says no to it: it would contradict another, or take addresses from who has them. */
export const applyAddressPool = (draft: Draft, pool: FleetPool): void => {
  const { fleet } = draft
  const before = fleet.addressPools.get(pool.name)
  const after: AddressPoolState = { _tag: "AddressPool", cluster: "", pool }
  if (JSON.stringify(before) === JSON.stringify(after)) return
  const fault =
    overlapFault(fleet, pool) ??
    nameFault(fleet, before, after) ??
    leavingFault(fleet, before, after) ??
    breakingFault(fleet, after)
  if (fault !== undefined) return draft.refuse(fault)
  change(draft, "AddressPoolApplied", before, after)
}

/** Drops a pool of the fleet. One that is held of goes when it no longer is, if its policy lets it go at all. */
export const deleteAddressPool = (draft: Draft, name: string): void => {
  const before = draft.fleet.addressPools.get(name)
  if (before === undefined || before.retired === true) return
  const fault = leavingFault(draft.fleet, before, undefined)
  if (fault !== undefined) return draft.refuse(fault)
  if (isHeld(draft.fleet, before)) change(draft, "AddressPoolRetired", before, { ...before, retired: true })
  else change(draft, "AddressPoolDeleted", before, undefined)
}

/** Lets retired pools of the fleet go of which nobody holds addresses since. Answers whether any went. */
export const reviewAddressPools = (draft: Draft): boolean => {
  const unneeded = [...draft.fleet.addressPools.values()].filter(
    (state) => state.retired === true && !isHeld(draft.fleet, state)
  )
  for (const state of unneeded) change(draft, "AddressPoolDeleted", state, undefined, "no-longer-needed")
  return unneeded.length > 0
}

/** What the fleet's pools are to each cluster before and after, and who is settled by the difference. */
const change = (
  draft: Draft,
  type: "AddressPoolApplied" | "AddressPoolRetired" | "AddressPoolDeleted",
  before: AddressPoolState | undefined,
  after: AddressPoolState | undefined,
  reason?: "no-longer-needed"
): void => {
  const subject = after ?? before
  if (subject === undefined) return
  const { name, network } = subject.pool
  const reasons = { AddressPoolApplied: "applied", AddressPoolRetired: "still-needed", AddressPoolDeleted: "deleted" }
  settlingPools(draft, draft.fleet.clustersByName, () =>
    draft.emit({
      stream: streamOf.addressPool(name),
      type,
      reason: reason ?? (reasons[type] as "applied" | "still-needed" | "deleted"),
      before: before ?? null,
      after: after ?? null,
      about: { network, pool: name }
    })
  )
}

/** Makes a change, and settles those of the clusters to which the fleet's pools are something else by it. */
export const settlingPools = (draft: Draft, clusters: ReadonlyArray<ClusterMemory>, make: () => void): void => {
  const viewOf = (cluster: ClusterMemory): string =>
    JSON.stringify(poolsOfFleet(draft.fleet.addressPools.values(), cluster))
  const before = clusters.map(viewOf)
  make()
  const changed = clusters.filter((cluster, index) => viewOf(cluster) !== before[index])
  for (const cluster of changed) {
    reportJudgement(draft, cluster)
    settleAll(draft, cluster)
  }
}

/** One address is of one pool: among the fleet's own, in a network, there is no doubt which. */
const overlapFault = (fleet: Fleet, { name, network, pool }: FleetPool): Finding | undefined => {
  const others = [...fleet.addressPools.values()].filter(
    (state) => state.pool.name !== name && state.pool.network === network && state.retired !== true
  )
  for (const [index, range] of pool.ranges.entries()) {
    for (const { pool: other } of others) {
      const met = other.pool.ranges.find((candidate) => textsOverlap(candidate, range))
      if (met === undefined) continue
      return finding("LT0121", {
        object: fleetPoolRef(name),
        field: `spec.addresses[${index}]`,
        expected: `no addresses of AddressPool ${other.name}, which is of network ${network} as well`,
        found: `${range}, which overlaps its ${met}`,
        fix: `Take ${range} out of one of the two`
      })
    }
  }
  return undefined
}

/** A cluster's own pool of the name was there first, where the change is what makes the fleet's one of the cluster's. */
const nameFault = (
  fleet: Fleet,
  before: AddressPoolState | undefined,
  after: AddressPoolState
): Finding | undefined => {
  const { name } = after.pool
  const hiding = [...fleet.clusters.values()].filter(
    (cluster) =>
      drawsFrom(after, cluster) &&
      !(before !== undefined && drawsFrom(before, cluster)) &&
      ownPoolNamed(cluster, name) !== undefined
  )
  if (hiding.length === 0) return undefined
  return finding("LT0160", {
    object: fleetPoolRef(name),
    field: "metadata.name",
    expected: "a name that no pool has of the clusters that it selects",
    found: `a pool of that name in ${hiding
      .map((cluster) => cluster.name)
      .sort()
      .join(", ")}`
  })
}

/** Who would be left with addresses that the pool no longer gives to their cluster, unless it is told to let them go. */
const leavingFault = (
  fleet: Fleet,
  before: AddressPoolState | undefined,
  after: AddressPoolState | undefined
): Finding | undefined => {
  if (before === undefined) return undefined
  const { name, network } = before.pool
  const leaving = [...users(fleet, before)].filter(
    (user) => gives(before, user) && (after === undefined || !gives(after, user))
  )
  const moves = after !== undefined && after.pool.network !== network
  const held = moves && (isHeld(fleet, before) || leaving.length > 0)
  const policy = (after ?? before).pool.deletionPolicy
  if (!held && (leaving.length === 0 || policy === "Retire")) return undefined
  return finding("LT0220", {
    object: fleetPoolRef(name),
    field: held ? "spec.network" : after === undefined ? "" : "spec",
    expected: held
      ? `network ${network} while addresses of the pool are held or reserved`
      : "nobody with an address that the pool would no longer have for them, as deletionPolicy Retain says",
    found: listText(
      [...users(fleet, before)]
        .filter((user) => held || leaving.some(({ text }) => text === user.text))
        .map(({ text }) => text)
        .sort()
    ),
    ...(held ? { fix: "Apply a pool of another name in the new network, and let this one go" } : {})
  })
}

interface User {
  readonly cluster: ClusterMemory
  readonly address: string
  readonly text: string
}

/** Services that hold addresses of the pool, and reservations of some. */
function* users(fleet: Fleet, { pool: { name, network } }: AddressPoolState): Iterable<User> {
  for (const cluster of clustersWith(fleet, { name, network })) {
    for (const stream of cluster.heldOf.has(name) ? cluster.vips : []) {
      const vip = fleet.vips.get(stream)
      if (vip?.phase !== "assigned" || vip.pool !== name) continue
      const holders = vip.holders.map((holder) => `${cluster.name}/${holder.namespace}/${holder.name}`).join(", ")
      yield { cluster, address: vip.address, text: `${holders} (${vip.address})` }
    }
    for (const { pool, address, namespace, service, name: reservation } of cluster.reservations.values()) {
      if (pool !== name || fleet.vipsAt(network, address).some(({ phase }) => phase === "assigned")) continue
      const text = `reservation ${reservation} for ${cluster.name}/${namespace}/${service} (${address})`
      yield { cluster, address, text }
    }
  }
}

/** The clusters of the network to which the name is the fleet's pool. */
const clustersWith = (fleet: Fleet, { name, network }: Pick<FleetPool, "name" | "network">) =>
  [...fleet.clusters.values()].filter(
    (cluster) => cluster.network === network && ownPoolNamed(cluster, name) === undefined
  )

const isHeld = (fleet: Fleet, { pool }: AddressPoolState): boolean =>
  clustersWith(fleet, pool).some(({ heldOf }) => heldOf.has(pool.name))

/** Whether the pool has this address for the user's cluster. */
const gives = (state: AddressPoolState, { cluster, address }: User): boolean => {
  return drawsFrom(state, cluster) && poolHas(state.pool.pool, address)
}

/** What the pool would make invalid of what is in effect in some cluster, such as an aggregate wider than it. */
const breakingFault = (fleet: Fleet, after: AddressPoolState): Finding | undefined => {
  const pools = new Map(fleet.addressPools).set(after.pool.name, after).values()
  const all = [...pools]
  const broken = [...fleet.clusters.values()].flatMap((cluster) =>
    brokenByPools(fleet, cluster, { pools: all, subject: cluster }).map(
      ({ code, message }) => `in cluster ${cluster.name}: ${code} ${message}`
    )
  )
  if (broken.length === 0) return undefined
  return finding("LT0142", {
    object: fleetPoolRef(after.pool.name),
    expected: "a pool beside which every object in effect stays valid",
    found: broken.join("; ")
  })
}
