import { type Finding, finding, type ObjectRef } from "../config/index.ts"
import type { ClusterMemory, Fleet } from "./fleet.ts"
import type { VipState } from "./stream.ts"

/** Holders of a retired pool that its finding names; the rest are counted. */
export const holdersNamedMax = 10

/** Whether a Service holds an address that is recorded as this pool's. */
export const isPoolInUse = (fleet: Fleet, cluster: ClusterMemory, ref: ObjectRef): boolean =>
  ref.kind === "IPAddressPool" && assignedOf(fleet, cluster, ref.name).length > 0

/** What stands on a retired pool: who holds its addresses still. */
export const retiredFinding = (fleet: Fleet, cluster: ClusterMemory, object: ObjectRef): Finding => {
  const holders = assignedOf(fleet, cluster, object.name)
    .flatMap(({ address, holders }) => holders.map(({ namespace, name }) => `${namespace}/${name} (${address})`))
    .sort()
  const more = holders.length - holdersNamedMax
  return finding("LT0211", {
    object,
    expected: "no Service with an address of a pool that is deleted",
    found: `${holders.slice(0, holdersNamedMax).join(", ")}${more > 0 ? ` and ${more} more` : ""}`
  })
}

const assignedOf = (fleet: Fleet, cluster: ClusterMemory, pool: string): ReadonlyArray<VipState> =>
  [...cluster.vips].flatMap((stream) => {
    const vip = fleet.vips.get(stream)
    return vip?.phase === "assigned" && vip.pool === pool ? [vip] : []
  })
