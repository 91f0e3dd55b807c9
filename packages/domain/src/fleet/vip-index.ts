import type { Fleet } from "./fleet.ts"
import type { ClusterMemory } from "./memory.ts"
import type { Holder } from "./stream.ts"
import type { IndexedVip } from "./waiting-states.ts"

/** Takes a VIP out of what is looked up by cluster, holder, phase and order. */
export const unindexVip = (fleet: Fleet, stream: string, vip: IndexedVip): void => {
  const cluster = fleet.cluster(vip.cluster)
  const network = fleet.network(vip.network)
  cluster.vips.delete(stream)
  if (vip.phase === "assigned") cluster.assignedCount--
  if (vip.heldRelease !== undefined) dropFrom(fleet.heldBy, vip.heldRelease.order, stream)
  fleet.quarantined.delete(stream)
  fleet.withdrawing.delete(stream)
  for (const holder of vip.holders) {
    for (const [scope, counts] of cluster.heldIn) if (isIn(scope, holder)) count(counts, vip.address, -1)
    remove(addressesFor(cluster, holder), `${holder.namespace}/${holder.name}`, vip.address)
    dropFrom(cluster.sharing, holder.sharingKey, stream)
  }
  for (const holder of vip.lastHolders) dropFrom(network.lastHeld, `${vip.cluster}/${holder}`, vip.address)
}

/** Makes a VIP known to what is looked up by cluster, holder, phase and order. */
export const indexVip = (fleet: Fleet, stream: string, vip: IndexedVip): void => {
  indexHolders(fleet.cluster(vip.cluster), stream, vip)
  indexRest(fleet, stream, vip)
}

/** To what is looked up by cluster and holder. */
export const indexHolders = (
  cluster: Pick<ClusterMemory, "vips" | "addressesOf" | "movingOf">,
  stream: string,
  vip: IndexedVip
): void => {
  if (vip.phase !== "free") cluster.vips.add(stream)
  for (const holder of vip.holders) {
    const addresses = addressesFor(cluster, holder)
    const key = `${holder.namespace}/${holder.name}`
    const known = addresses.get(key)
    if (known === undefined) addresses.set(key, [vip.address])
    else known.push(vip.address)
  }
}

/** To all else. */
export const indexRest = (fleet: Fleet, stream: string, vip: IndexedVip): void => {
  const cluster = fleet.cluster(vip.cluster)
  const network = fleet.network(vip.network)
  if (vip.phase === "assigned") cluster.assignedCount++
  if (vip.releasedAtMs !== undefined) cluster.releases.add(stream, vip.releasedAtMs)
  if (vip.heldRelease !== undefined) addTo(fleet.heldBy, vip.heldRelease.order, stream)
  if (vip.phase === "withdrawing") fleet.withdrawing.add(stream)
  if (vip.phase === "quarantined") fleet.quarantined.add(stream)
  for (const holder of vip.holders) {
    for (const [scope, counts] of cluster.heldIn) if (isIn(scope, holder)) count(counts, vip.address, 1)
    if (holder.sharingKey !== "") addTo(cluster.sharing, holder.sharingKey, stream)
  }
  for (const holder of vip.lastHolders) addTo(network.lastHeld, `${vip.cluster}/${holder}`, vip.address)
}

const addTo = (sets: Map<string, Set<string>>, key: string, value: string): void => {
  const set = sets.get(key)
  if (set === undefined) sets.set(key, new Set([value]))
  else set.add(value)
}

/** A set without members is dropped: keys are as many as there ever were names. */
const dropFrom = (sets: Map<string, Set<string>>, key: string, value: string): void => {
  const set = sets.get(key)
  if (set?.delete(value) === true && set.size === 0) sets.delete(key)
}

/** Counts the addresses that a cluster holds, or one namespace of it, from all its VIPs; they are counted on from then. */
export const countHeldIn = (fleet: Fleet, cluster: ClusterMemory, scope: string): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const stream of cluster.vips) {
    const vip = fleet.vips.get(stream)
    for (const holder of vip?.holders ?? []) if (isIn(scope, holder)) count(counts, vip?.address ?? "", 1)
  }
  cluster.heldIn.set(scope, counts)
  return counts
}

const isIn = (scope: string, { namespace, leaving }: Pick<Holder, "namespace" | "leaving">): boolean =>
  leaving !== true && (scope === "" || scope === namespace)

const count = (counts: Map<string, number>, address: string, change: 1 | -1): void => {
  const after = (counts.get(address) ?? 0) + change
  if (after === 0) counts.delete(address)
  else counts.set(address, after)
}

const addressesFor = (
  cluster: Pick<ClusterMemory, "addressesOf" | "movingOf">,
  { leaving }: Pick<Holder, "leaving">
): Map<string, Array<string>> => (leaving === true ? cluster.movingOf : cluster.addressesOf)

const remove = (map: Map<string, Array<string>>, key: string, value: string): void => {
  const rest = (map.get(key) ?? []).filter((item) => item !== value)
  if (rest.length === 0) map.delete(key)
  else map.set(key, rest)
}
