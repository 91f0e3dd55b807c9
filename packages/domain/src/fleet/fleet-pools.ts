import {
  type AddressPool,
  type Finding,
  finding,
  formatObjectRef,
  listText,
  type ObjectRef,
  rangesWithin,
  selectsCluster
} from "../config/index.ts"
import type { ClusterMemory, Fleet } from "./fleet.ts"
import { poolHolders } from "./retired-pool.ts"
import { strayFindings } from "./stray-addresses.ts"
import type { AddressPoolState } from "./stream.ts"

/** What of a cluster decides which of the fleet's pools it has. */
export type PoolSubject = Pick<
  ClusterMemory,
  "name" | "network" | "labels" | "allowedPrefixes" | "heldOf" | "manifests"
>

/**
 * The fleet's pools as a cluster has them among its own: those of its network that select it, as far as it may announce
 * their addresses; and, giving out nothing more, those that it holds addresses of and that do not select it any more. A
 * pool of the cluster's own hides one of the same name.
 */
export const poolsOfFleet = (states: Iterable<AddressPoolState>, cluster: PoolSubject): ReadonlyArray<AddressPool> =>
  [...states].flatMap((state): ReadonlyArray<AddressPool> => {
    const { pool, network, name } = state.pool
    if (network !== cluster.network || ownPoolNamed(cluster, name) !== undefined) return []
    const ranges = drawsFrom(state, cluster) ? rangesWithin(pool.ranges, cluster.allowedPrefixes) : []
    if (ranges.length > 0) return [{ ...pool, ranges }]
    return cluster.heldOf.has(name) ? [{ ...pool, autoAssign: false, retired: true }] : []
  })

/** Whether the cluster may be given addresses of the pool, as far as network and selector say. */
export const drawsFrom = (
  { pool, retired }: AddressPoolState,
  cluster: Pick<PoolSubject, "name" | "network" | "labels">
): boolean => retired !== true && pool.network === cluster.network && selectsCluster(pool, cluster)

/** The cluster's own pool of this name, in effect or retired. */
export const ownPoolNamed = ({ manifests }: Pick<PoolSubject, "manifests">, name: string): ObjectRef | undefined => {
  for (const { manifest } of manifests.values()) {
    if (manifest.kind === "IPAddressPool" && manifest.name === name) {
      return { kind: manifest.kind, namespace: manifest.namespace || "default", name }
    }
  }
  return undefined
}

/** How findings name a pool of the fleet. */
export const fleetPoolRef = (name: string): ObjectRef => ({ kind: "AddressPool", name })

/**
 * What is to be known of a pool of the fleet in one cluster: that it is hidden, that the cluster may not announce all of
 * it, or that addresses are held which it does not give out there any more.
 */
export const fleetPoolFindings = (
  fleet: Fleet,
  cluster: ClusterMemory,
  state: AddressPoolState
): ReadonlyArray<Finding> => {
  const { name, network, pool } = state.pool
  if (network !== cluster.network) return []
  const object = fleetPoolRef(name)
  const own = ownPoolNamed(cluster, name)
  if (own !== undefined) {
    if (!drawsFrom(state, cluster)) return []
    const expected = `no pool of this name of cluster ${cluster.name}'s own, which hides it there`
    return [finding("LT0160", { object, field: "metadata.name", expected, found: formatObjectRef(own) })]
  }
  const isDrawnFrom = drawsFrom(state, cluster)
  const outside = isDrawnFrom
    ? pool.ranges.filter((range) => rangesWithin([range], cluster.allowedPrefixes).join() !== range)
    : []
  const held = isDrawnFrom ? [] : poolHolders(fleet, cluster, name)
  return [
    ...(outside.length === 0
      ? []
      : [
          finding("LT0161", {
            object,
            field: "spec.addresses",
            expected: `addresses that cluster ${cluster.name} may announce, of ${cluster.allowedPrefixes.join(", ")}`,
            found: outside.join(", ")
          })
        ]),
    ...(held.length === 0
      ? []
      : [
          finding("LT0211", {
            object,
            expected: `no Service of cluster ${cluster.name} with an address of a pool that is deleted, or does not select the cluster`,
            found: listText(held)
          })
        ]),
    ...strayFindings(fleet, cluster).filter(
      ({ object: { kind, name } }) => kind === object.kind && name === object.name
    )
  ]
}

/** What is to be known of it in no cluster: that nobody draws from it. */
export const unselectedFinding = (fleet: Fleet, state: AddressPoolState): ReadonlyArray<Finding> => {
  if (state.retired === true || [...fleet.clusters.values()].some((cluster) => drawsFrom(state, cluster))) return []
  const known = [...fleet.clusters.values()].filter(({ network }) => network === state.pool.network)
  return [
    finding("LT0162", {
      object: fleetPoolRef(state.pool.name),
      field: "spec.clusterSelector",
      expected: `a selector of some of the clusters [${known
        .map(({ name }) => name)
        .sort()
        .join(", ")}] of network ${state.pool.network}`,
      found: "one that selects none"
    })
  ]
}
