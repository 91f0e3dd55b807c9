import type { Finding, ServiceObject } from "../config/index.ts"
import type { ClusterMemory } from "../fleet/fleet.ts"
import type { QuotaState } from "../fleet/stream.ts"
import { plural } from "../words.ts"
import type { Choice, Chooser } from "./chooser.ts"
import { keepAll } from "./held.ts"
import { refusal } from "./refusal.ts"

/**
 * The choice, or, where it would take a quota beyond its limit, what the Service has already, with the refusal. One that
 * prefers two addresses, and asks for neither by name, goes on with one where there is room for that. Who has more than a
 * quota allows by now loses nothing.
 */
export const withinQuota = (chooser: Chooser, choice: Choice): Choice => {
  const exceeded = exceededBy(chooser, choice.picks)
  if (exceeded === undefined) return choice
  const kept = keepAll(chooser)
  const isContentWithOne = !chooser.wish.needsAll && chooser.wish.requested.length === 0
  const one = kept.length === 0 ? choice.picks.slice(0, 1) : kept
  const isPartOfIt = one.every((pick) => choice.picks.some(({ address }) => address === pick.address))
  return isContentWithOne && isPartOfIt && exceededBy(chooser, one) === undefined
    ? { picks: one, refusal: choice.refusal }
    : { picks: kept, refusal: exceeded }
}

/** Why the Service may not have these addresses; undefined when it may, or has them. */
const exceededBy = ({ fleet, cluster, service }: Chooser, picks: Choice["picks"]): Finding | undefined => {
  const held = cluster.addressesOf.get(`${service.namespace}/${service.name}`) ?? []
  if (picks.every(({ address }) => held.includes(address))) return undefined
  for (const quota of fleet.quotas.values()) {
    if (!appliesTo(quota, cluster, service)) continue
    const exceeded = exceeds(quota, cluster, service, picks, held, fleet.heldIn(cluster, quota.quota.namespace))
    if (exceeded !== undefined) return exceeded
  }
  return undefined
}

const appliesTo = ({ quota }: QuotaState, { name }: ClusterMemory, { namespace }: ServiceObject): boolean =>
  (quota.cluster === null || quota.cluster === name) && (quota.namespace === null || quota.namespace === namespace)

/** A shared address counts once. What the Service gives up by the same choice does not count. */
const exceeds = (
  { quota }: QuotaState,
  cluster: ClusterMemory,
  service: ServiceObject,
  picks: Choice["picks"],
  held: ReadonlyArray<string>,
  counted: ReadonlyMap<string, number>
): Finding | undefined => {
  const present = counted.size
  const added = picks.filter(({ address }) => !counted.has(address)).length
  const left = held.filter(
    (address) => counted.get(address) === 1 && !picks.some((pick) => pick.address === address)
  ).length
  const after = present + added - left
  if (after <= quota.addresses || after <= present) return undefined
  const of = quota.namespace === null ? "" : `, namespace ${quota.namespace}`
  return refusal(service, "LT0213", {
    field: "spec.type",
    expected: `at most ${plural(quota.addresses, "address", "addresses")} of cluster ${cluster.name}${of}, by quota ${quota.name}`,
    found: `${present} used, and ${after - present} more asked for`
  })
}
