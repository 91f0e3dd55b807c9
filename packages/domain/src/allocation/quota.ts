import type { Finding, ServiceObject } from "../config/index.ts"
import type { ClusterMemory, Fleet } from "../fleet/fleet.ts"
import type { QuotaState } from "../fleet/stream.ts"
import type { Choice } from "./choose.ts"
import { refusal } from "./refusal.ts"

/**
 * The choice, or, where it would take a quota beyond its limit, what the Service has already, with the refusal. Who has
 * more than a quota allows by now loses nothing.
 */
export const withinQuota = (
  fleet: Fleet,
  cluster: ClusterMemory,
  service: ServiceObject,
  choice: Choice,
  kept: () => Choice["picks"]
): Choice => {
  const held = cluster.addressesOf.get(`${service.namespace}/${service.name}`) ?? []
  if (choice.picks.every(({ address }) => held.includes(address))) return choice
  for (const quota of fleet.quotas.values()) {
    if (!appliesTo(quota, cluster, service)) continue
    const exceeded = exceeds(quota, cluster, service, choice, held)
    if (exceeded !== undefined) return { picks: kept(), refusal: exceeded }
  }
  return choice
}

const appliesTo = ({ quota }: QuotaState, { name }: ClusterMemory, { namespace }: ServiceObject): boolean =>
  (quota.cluster === null || quota.cluster === name) && (quota.namespace === null || quota.namespace === namespace)

/** A shared address counts once. What the Service gives up by the same choice does not count. */
const exceeds = (
  { quota }: QuotaState,
  cluster: ClusterMemory,
  service: ServiceObject,
  { picks }: Choice,
  held: ReadonlyArray<string>
): Finding | undefined => {
  const counted = countedIn(cluster, quota.namespace)
  const present = counted?.size ?? 0
  const added = picks.filter(({ address }) => counted?.has(address) !== true).length
  const left = held.filter(
    (address) => counted?.get(address) === 1 && !picks.some((pick) => pick.address === address)
  ).length
  const after = present + added - left
  if (after <= quota.addresses || after <= present) return undefined
  const of = quota.namespace === null ? "" : `, namespace ${quota.namespace}`
  return refusal(service, "LT0213", {
    field: "spec.type",
    expected: `at most ${quota.addresses} addresses of cluster ${cluster.name}${of}, by quota ${quota.name}`,
    found: `${present} used, and ${after - present} more asked for`
  })
}

/** Addresses that Services of the cluster, or of one namespace of it, hold, with how many of them hold each. */
export const countedIn = (cluster: ClusterMemory, namespace: string | null): ReadonlyMap<string, number> | undefined =>
  cluster.heldIn.get(namespace ?? "")
