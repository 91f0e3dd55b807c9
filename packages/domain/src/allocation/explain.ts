import type { Family } from "@lowtide/net"
import { Result } from "effect"
import { type AddressPool, type ServiceObject, selects } from "../config/index.ts"
import type { ClusterMemory, Fleet } from "../fleet/fleet.ts"
import type { Chooser } from "./chooser.ts"
import { pickFrom } from "./pick.ts"
import { poolHas, poolRangesOf, poolsInOrder, servesNamespace } from "./pool-choice.ts"
import { type AddressWish, wishOf } from "./wish.ts"

/** What a pool was to a Service. `holds`: it has an address of it. `offers`: it could give one. `passed`: why it could not. */
export interface PoolVerdict {
  readonly pool: string
  readonly verdict: "holds" | "offers" | "passed"
  /** As the end of a sentence that begins with the pool. */
  readonly why: string
}

/**
 * What each pool of the cluster is to a Service, in the order in which `choose` looks at them, the ones that it does not look at
 * last. By the same rules as `choose`, and about the state it is given: the fleet as it was explains what was decided then.
 */
export const explainPools = (
  fleet: Fleet,
  cluster: ClusterMemory,
  service: ServiceObject
): ReadonlyArray<PoolVerdict> => {
  const wish = wishOf(service)
  const pools = fleet.config(cluster).pools
  const first = poolsInOrder(pools, cluster, service)
  const rest = pools.filter((pool) => !first.includes(pool)).sort((left, right) => (left.name < right.name ? -1 : 1))
  if (Result.isFailure(wish)) {
    const why = "was not looked at: what the Service asks for contradicts itself"
    return [...first, ...rest].map(({ name }) => ({ pool: name, verdict: "passed", why }))
  }
  const chooser = { fleet, cluster, service, wish: wish.success }
  return [...first, ...rest].map((pool) => ({ pool: pool.name, ...judge(chooser, pool) }))
}

const judge = (chooser: Chooser, pool: AddressPool): Omit<PoolVerdict, "pool"> => {
  const { fleet, cluster, service, wish } = chooser
  const held = (cluster.addressesOf.get(`${service.namespace}/${service.name}`) ?? []).filter(
    (address) => fleet.vip(cluster.network, address, cluster.name)?.pool === pool.name
  )
  if (held.length > 0) return { verdict: "holds", why: `has ${held.join(" and ")}, which the Service holds` }
  const why = whyNot(chooser, pool)
  if (why !== undefined) return { verdict: "passed", why }
  const asked = wish.requested.filter((address) => poolHas(pool, address))
  if (asked.length > 0) return { verdict: "passed", why: `has ${asked.join(" and ")}, which is not to be had` }
  const offers = wish.families.flatMap((family) => pickFrom(chooser, pool, family, "pool-selected")?.address ?? [])
  const lacks = wish.families.filter((family) => pickFrom(chooser, pool, family, "pool-selected") === undefined)
  if (offers.length === 0) return { verdict: "passed", why: `has no free address: ${useOf(chooser, pool)}` }
  return lacks.length > 0 && wish.needsAll
    ? {
        verdict: "passed",
        why: `has no free ${familyNames(lacks)} address, and the Service needs one of each IP version`
      }
    : { verdict: "offers", why: `could give ${offers.join(" and ")}` }
}

/** Why the pool may not serve the Service at all; undefined when it may. */
const whyNot = ({ cluster, service, wish }: Chooser, pool: AddressPool): string | undefined => {
  if (pool.retired === true) return "is deleted and gives out nothing more"
  if (wish.pool !== undefined && wish.pool !== pool.name) return `is not pool ${wish.pool}, which the Service names`
  if (wish.requested.length > 0 && !wish.requested.some((address) => poolHas(pool, address))) {
    return `does not have ${wish.requested.join(" or ")}, which the Service asks for`
  }
  if (!servesNamespace(pool, cluster, service.namespace)) return `does not serve namespace ${service.namespace}`
  if (!selects(pool.serviceSelectors, service.labels)) return "does not select the labels of the Service"
  if (!pool.autoAssign && !isNamed(pool, wish)) return "gives no address unless it is asked for by name"
  const families = wish.families.filter((family) => poolRangesOf(pool, family).length > 0)
  return families.length === 0 ? `has no ${familyNames(wish.families)} addresses` : undefined
}

const isNamed = (pool: AddressPool, wish: AddressWish): boolean =>
  wish.pool === pool.name || wish.requested.some((address) => poolHas(pool, address))

/** `3 held, 1 resting after their release, 2 reserved`: what became of the pool's addresses in the network. */
const useOf = ({ fleet, cluster }: Chooser, pool: AddressPool): string => {
  const taken = [...fleet.vips.values()].filter(
    ({ network, phase, address }) => network === cluster.network && phase !== "free" && poolHas(pool, address)
  )
  const held = taken.filter(({ phase }) => phase === "assigned").length
  const { reserved, shared } = fleet.network(cluster.network)
  const inUse = new Set(taken.map(({ address }) => address))
  const kept = new Set([...reserved.keys(), ...shared.keys()])
  const reservedCount = [...kept].filter((address) => poolHas(pool, address) && !inUse.has(address)).length
  return `${held} held, ${taken.length - held} resting after their release, ${reservedCount} reserved`
}

const familyNames = (families: ReadonlyArray<Family>): string => families.map((family) => `IPv${family}`).join(" or ")
