import { Result } from "effect"
import type { Finding, ServiceObject } from "../config/index.ts"
import type { ClusterMemory, Fleet } from "../fleet/fleet.ts"
import { type Chooser, poolsOf } from "./chooser.ts"
import { heldBy } from "./held.ts"
import { namedPool } from "./named-pool.ts"
import { poolAdmits } from "./pool-choice.ts"
import { refusal } from "./refusal.ts"
import { poolToAsk } from "./requested.ts"
import { holderOf } from "./wish.ts"

/**
 * All that is wrong with what a Service asks of the pools, each told as if it were alone, where `choose` refuses with the
 * first: the pool that it names, each address that it asks for, or that no pool would have it at all. Who else has an address
 * plays no part.
 */
export const askedPoolFindings = (
  fleet: Fleet,
  cluster: ClusterMemory,
  service: ServiceObject
): ReadonlyArray<Finding> => {
  const requested = service.requestedAddresses
  const pool = service.annotations.addressPool
  const wish = { families: [], needsAll: false, requested, pool, holder: holderOf(service) }
  const chooser: Chooser = { fleet, cluster, service, wish }
  const named = pool === undefined ? undefined : namedPool(chooser, pool)
  const fault = named !== undefined && Result.isFailure(named) ? [named.failure] : []
  if (requested.length === 0) return pool === undefined ? nowhereToGo(chooser) : fault
  // Of a pool that is not there it is said once, and not that no address is of it.
  const unknown = fault.filter(({ code }) => code === "LT0206")
  const asking = unknown.length === 0 ? chooser : { ...chooser, wish: { ...wish, pool: undefined } }
  return [
    ...unknown,
    ...requested.flatMap((address) => {
      const found = heldBy(chooser).includes(address) ? undefined : poolToAsk(asking, address)
      return found !== undefined && Result.isFailure(found) ? [found.failure] : []
    })
  ]
}

/** Where a pool would have it if it were asked by name, its status may have an address of that one, which it would keep. */
const nowhereToGo = (chooser: Chooser): ReadonlyArray<Finding> => {
  const { fleet, cluster, service, wish } = chooser
  const pools = poolsOf(chooser)
  const isMember = fleet.sharedOf.has(`${cluster.name}/${wish.holder.namespace}/${wish.holder.name}`)
  if (isMember || heldBy(chooser).length > 0 || pools.some((pool) => poolAdmits(pool, cluster, service))) return []
  const expected = `a pool that gives addresses by itself to namespace ${service.namespace} and these labels`
  return [refusal(service, "LT0208", { field: "spec.type", expected, found: "none" })]
}
