import { type AddressRange, type Family, parseAddressRange, rangeContains } from "@lowtide/net"
import { Result } from "effect"
import { toAddress } from "../config/canonical.ts"
import { type AddressPool, anySelectorMatches, type ServiceObject, selects } from "../config/index.ts"
import type { ClusterMemory } from "../fleet/fleet.ts"

/** The order in which a Service without a wish of its own tries pools; see docs/reference/allocation.md. */
export const poolsInOrder = (
  pools: ReadonlyArray<AddressPool>,
  cluster: ClusterMemory,
  service: ServiceObject
): ReadonlyArray<AddressPool> => {
  const automatic = pools.filter((pool) => pool.autoAssign)
  const pinned = automatic.filter((pool) => pool.pinned === true && poolAdmits(pool, cluster, service))
  const open = automatic.filter((pool) => pool.pinned !== true)
  return [...pinned.sort(byPriority), ...open.sort(byName)]
}

/** Lower numbers first; none, or 0, last; equals by name. */
const byPriority = (left: AddressPool, right: AddressPool): number => rank(left) - rank(right) || byName(left, right)

const rank = (pool: AddressPool): number => pool.priority || Number.POSITIVE_INFINITY

const byName = (left: AddressPool, right: AddressPool): number =>
  left.name < right.name ? -1 : left.name > right.name ? 1 : 0

/** Whether the pool may serve the Service: its namespace and any one Service selector, each only where the pool names some. */
export const poolAdmits = (pool: AddressPool, cluster: ClusterMemory, service: ServiceObject): boolean =>
  servesNamespace(pool, cluster, service.namespace) && selects(pool.serviceSelectors, service.labels)

/** Whether the pool serves Services of the namespace: every one, unless it names some. */
export const servesNamespace = (pool: AddressPool, cluster: ClusterMemory, namespace: string): boolean => {
  if (pool.namespaces.length === 0 && pool.namespaceSelectors.length === 0) return true
  // Every namespace has this label, also one that nobody has described.
  const labels = cluster.namespaces.get(namespace)?.namespace.labels ?? { "kubernetes.io/metadata.name": namespace }
  return pool.namespaces.includes(namespace) || anySelectorMatches(pool.namespaceSelectors, labels)
}

const rangesByPool = new WeakMap<AddressPool, ReadonlyArray<AddressRange>>()

/** The pool's ranges as numbers, in the order in which the pool lists them. */
export const poolRanges = (pool: AddressPool): ReadonlyArray<AddressRange> => {
  let ranges = rangesByPool.get(pool)
  if (ranges === undefined) {
    ranges = pool.ranges.map((text) => Result.getOrThrow(parseAddressRange(text)))
    rangesByPool.set(pool, ranges)
  }
  return ranges
}

/** The pool's ranges of one family. */
export const poolRangesOf = (pool: AddressPool, family: Family): ReadonlyArray<AddressRange> =>
  poolRanges(pool).filter((range) => range.family === family)

/** Whether the address, a canonical text, is one of the pool's. */
export const poolHas = (pool: AddressPool, address: string): boolean => poolsHolding([pool], address).length > 0

/** Those of the pools that have the address: several where the fleet's overlap with the cluster's own. */
export const poolsHolding = (pools: ReadonlyArray<AddressPool>, address: string): ReadonlyArray<AddressPool> => {
  const parsed = toAddress(address)
  return pools.filter((pool) => poolRanges(pool).some((range) => rangeContains(range, parsed)))
}
