import { type FaultyObject, type Finding, type FindingCode, isInDoubtOf } from "../config/index.ts"
import type { ClusterMemory, Fleet } from "../fleet/fleet.ts"
import { askedPoolFindings } from "./asked-pools.ts"
import { wantsAddress } from "./wish.ts"

/**
 * What a Service with errors asks of the pools and will not get, beside its errors, so that one look tells all. It is given
 * nothing, and stops no other. What rests on a field that could not be read is left unsaid, since it may be false; so is
 * who else has an address, which depends on when the errors are mended.
 */
export const faultyServiceFindings = (
  fleet: Fleet,
  cluster: ClusterMemory,
  faulty: FaultyObject
): ReadonlyArray<Finding> => {
  const { object } = faulty
  if (object._tag !== "Service" || object.value.deleting === true || !wantsAddress(object.value, cluster)) return []
  return askedPoolFindings(fleet, cluster, object.value).filter(
    ({ code }) => !isInDoubtOf(faulty, ["spec.loadBalancerClass", ...(restsOn[code] ?? [])])
  )
}

const poolNaming = ["metallb.io/", "metallb.universe.tf/"].map(
  (prefix) => `metadata.annotations[${prefix}address-pool]`
)

const restsOn: Partial<Readonly<Record<FindingCode, ReadonlyArray<string>>>> = {
  LT0202: poolNaming,
  LT0205: ["metadata.labels", ...poolNaming],
  LT0208: ["metadata.labels", "metadata.annotations", "spec.loadBalancerIP"],
  LT0210: poolNaming
}
