import type { ListFilter } from "@lowtide/api/parameters"
import type { PoolCounts, PoolList, PoolView } from "@lowtide/api/pools"
import {
  type AddressPool,
  type ClusterMemory,
  decodeObject,
  fleetPoolFindings,
  quarantineMsUnset,
  unselectedFinding,
  type VipState
} from "@lowtide/domain"
import {
  type AddressRange,
  type Family,
  type IpAddress,
  parseAddressRange,
  parseIpAddress,
  rangeContains,
  rangeSize
} from "@lowtide/net"
import { Result } from "effect"
import type { CommittedView } from "../../centre.ts"
import { clustersOf } from "./clusters.ts"
import { findingsOn } from "./findings.ts"
import { byText, readingOf } from "./reading.ts"

/** Pools in effect with their use, and pools that are not in effect with what is wrong with them. */
export const poolList = (view: CommittedView, filter: ListFilter): PoolList => ({
  ...readingOf(view),
  items: [
    ...clustersOf(view, filter).flatMap((cluster) => poolsOf(view, cluster, filter.namespace)),
    ...(filter.cluster === undefined && filter.namespace === undefined ? unusedPools(view) : [])
  ].sort(byText(({ cluster, name }) => `${cluster}\u0000${name}`))
})

const poolsOf = (
  view: CommittedView,
  cluster: ClusterMemory,
  namespace: string | undefined
): ReadonlyArray<PoolView> => {
  const isWanted = (pool: { readonly namespace: string }) => namespace === undefined || pool.namespace === namespace
  const accepted = view.fleet.config(cluster).pools
  const taken = [...view.fleet.vips.values()]
    .filter(({ network, phase }) => network === cluster.network && phase !== "free")
    // Of a shared address the cluster's own part, else one of the others.
    .filter((vip, _, all) => vip.member !== true || countsFor(cluster, vip, all))
    .map((vip) => ({ vip, address: Result.getOrThrow(parseIpAddress(vip.address)) }))
  const names = new Set(accepted.map(({ name }) => name))
  const { reserved, shared } = view.fleet.network(cluster.network)
  const kept = [...reserved.keys(), ...shared.keys()]
    .filter((text) => view.fleet.vipsAt(cluster.network, text).every(({ phase }) => phase === "free"))
    .map((text) => Result.getOrThrow(parseIpAddress(text)))
  return [
    ...accepted.filter(isWanted).map((pool) => acceptedPool(view, cluster, pool, taken, kept)),
    ...refusedPools(cluster, names)
      .filter(isWanted)
      .map((pool) => refusedPool(view, cluster, pool))
  ]
}

interface Taken {
  readonly vip: VipState
  readonly address: IpAddress
}

/** Pools of the fleet that no cluster has. */
const unusedPools = (view: CommittedView): ReadonlyArray<PoolView> =>
  [...view.fleet.addressPools.values()].flatMap((state) => {
    const { pool, network, name } = state.pool
    const hasIt = [...view.fleet.clusters.values()].some((cluster) =>
      view.fleet.config(cluster).pools.some((other) => other.ofFleet === true && other.name === name)
    )
    if (hasIt) return []
    const ranges = pool.ranges.map((text) => Result.getOrThrow(parseAddressRange(text)))
    const facts = { ...describedIn({ name: "", network }, pool), findings: unselectedFinding(view.fleet, state) }
    return [{ ...facts, state: "Accepted", ...countsOf({ name: "" }, pool, { ranges, inside: [], kept: [] }) }]
  })

/** One address is counted once: by the cluster's own part in it where it has one, else by the first. */
const countsFor = (cluster: ClusterMemory, vip: VipState, all: ReadonlyArray<VipState>): boolean => {
  const parts = all.filter(({ address }) => address === vip.address)
  return vip === (parts.find((part) => part.cluster === cluster.name) ?? parts[0])
}

const acceptedPool = (
  view: CommittedView,
  cluster: ClusterMemory,
  pool: AddressPool,
  taken: ReadonlyArray<Taken>,
  kept: ReadonlyArray<IpAddress>
): PoolView => {
  const ranges = pool.ranges.map((text) => Result.getOrThrow(parseAddressRange(text)))
  const inside = taken.filter(({ address }) => ranges.some((range) => rangeContains(range, address)))
  const counts = countsOf(cluster, pool, { ranges, inside, kept })
  return { ...described(view, cluster, pool), state: "Accepted", ...counts }
}

interface PoolUse {
  readonly ranges: ReadonlyArray<AddressRange>
  readonly inside: ReadonlyArray<Taken>
  /** Free addresses of the network that are kept for somebody. */
  readonly kept: ReadonlyArray<IpAddress>
}

/** The counts of the whole pool and of each IP version; a pool that is retired, or not in effect, has nothing to give. */
const countsOf = (
  cluster: Pick<ClusterMemory, "name">,
  pool: Pick<AddressPool, "name" | "retired"> & Partial<Pick<AddressPool, "avoidBuggyIPs">>,
  { ranges, inside, kept }: PoolUse,
  isInEffect = true
) => {
  const countsWhere = (isCounted: (family: Family) => boolean): PoolCounts => {
    const counted = ranges.filter(({ family }) => isCounted(family))
    const all = inside.filter(({ address }) => isCounted(address.family))
    const reserved = kept.filter((address) => counted.some((range) => rangeContains(range, address)))
    const used = [...all.map(({ address }) => address), ...reserved]
    const own = all.filter(({ vip }) => vip.cluster === cluster.name && vip.pool === pool.name)
    const count = (phase: VipState["phase"]) => own.filter(({ vip }) => vip.phase === phase).length
    const total = sum(counted.map(rangeSize))
    const avoided =
      pool.avoidBuggyIPs === true ? sum(counted.map(countBuggy)) - BigInt(used.filter(isBuggy).length) : 0n
    const gives = isInEffect && pool.retired !== true
    return {
      total: total.toString(),
      assigned: count("assigned"),
      withdrawing: count("withdrawing"),
      quarantined: count("quarantined"),
      reserved: reserved.length,
      elsewhere: all.length - own.length,
      available: (gives ? total - BigInt(used.length) - avoided : 0n).toString()
    }
  }
  const ofFamily = (family: Family): PoolCounts | null =>
    ranges.some((range) => range.family === family) ? countsWhere((counted) => counted === family) : null
  return { ...countsWhere(() => true), ipv4: ofFamily(4), ipv6: ofFamily(6) }
}

type PoolFacts = Pick<
  AddressPool,
  "namespace" | "name" | "ranges" | "autoAssign" | "priority" | "quarantineMs" | "ofFleet"
>

const described = (view: CommittedView, cluster: ClusterMemory, pool: PoolFacts) => {
  const state = pool.ofFleet === true ? view.fleet.addressPools.get(pool.name) : undefined
  const findings =
    state === undefined
      ? findingsOn(cluster, { kind: "IPAddressPool", namespace: pool.namespace, name: pool.name })
      : fleetPoolFindings(view.fleet, cluster, state)
  return { ...describedIn(cluster, pool), findings }
}

const describedIn = (cluster: Pick<ClusterMemory, "name" | "network">, pool: PoolFacts) => ({
  cluster: cluster.name,
  network: cluster.network,
  name: pool.name,
  scope: pool.ofFleet === true ? ("fleet" as const) : ("cluster" as const),
  ranges: pool.ranges,
  autoAssign: pool.autoAssign,
  priority: pool.priority ?? null,
  quarantineSeconds: (pool.quarantineMs ?? quarantineMsUnset) / 1000
})

/** A pool that is not in effect gives out nothing. */
const refusedPool = (view: CommittedView, cluster: ClusterMemory, pool: PoolFacts): PoolView => {
  const ranges = pool.ranges.map((text) => Result.getOrThrow(parseAddressRange(text)))
  return {
    ...described(view, cluster, pool),
    state: "Refused",
    ...countsOf(cluster, pool, { ranges, inside: [], kept: [] }, false)
  }
}

const refusedPools = (cluster: ClusterMemory, accepted: ReadonlySet<string>): ReadonlyArray<PoolFacts> => {
  const written = [...cluster.manifests.values()].flatMap(({ manifest }): ReadonlyArray<PoolFacts> => {
    const { object } = decodeObject(manifest)
    return object?._tag === "IPAddressPool" ? [object.value] : []
  })
  const unread = [...cluster.findings.values()].flatMap(({ object }): ReadonlyArray<PoolFacts> => {
    if (object.kind !== "IPAddressPool") return []
    return [{ namespace: object.namespace ?? "default", name: object.name, ranges: [], autoAssign: false }]
  })
  const pools = new Map<string, PoolFacts>()
  for (const pool of [...unread, ...written]) if (!accepted.has(pool.name)) pools.set(pool.name, pool)
  return [...pools.values()]
}

const sum = (counts: ReadonlyArray<bigint>): bigint => counts.reduce((total, count) => total + count, 0n)

/** What avoidBuggyIPs leaves out: IPv4 addresses that end in .0 or .255. */
const isBuggy = ({ family, value }: IpAddress): boolean =>
  family === 4 && ((value & 255n) === 0n || (value & 255n) === 255n)

const countBuggy = ({ family, first, last }: AddressRange): bigint => {
  if (family === 6) return 0n
  const zerosBelow = (end: bigint) => (end + 255n) / 256n
  const lastsBelow = (end: bigint) => end / 256n
  return zerosBelow(last + 1n) - zerosBelow(first) + lastsBelow(last + 1n) - lastsBelow(first)
}
