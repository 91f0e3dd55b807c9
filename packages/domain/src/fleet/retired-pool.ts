import { type Finding, finding, listText, type ObjectRef } from "../config/index.ts"
import type { ClusterMemory, Fleet } from "./fleet.ts"
import type { VipState } from "./stream.ts"

/** Whether a Service holds an address that is recorded as this pool's. */
export const isPoolInUse = (cluster: ClusterMemory, ref: ObjectRef): boolean =>
  ref.kind === "IPAddressPool" && cluster.heldOf.has(ref.name)

/** What stands on a retired pool: who holds its addresses still. */
export const retiredFinding = (fleet: Fleet, cluster: ClusterMemory, object: ObjectRef): Finding =>
  finding("LT0211", {
    object,
    expected: "no Service with an address of a pool that is deleted",
    found: listText(poolHolders(fleet, cluster, object.name))
  })

/** `shop/web (192.0.2.0)`: who in the cluster holds addresses that are recorded as this pool's. */
export const poolHolders = (fleet: Fleet, cluster: ClusterMemory, pool: string): ReadonlyArray<string> => {
  if (!cluster.heldOf.has(pool)) return []
  return [...cluster.vips]
    .flatMap((stream) => {
      const vip = fleet.vips.get(stream)
      if (vip?.phase !== "assigned" || vip.pool !== pool) return []
      return vipHolders(vip)
    })
    .sort()
}

/** `shop/web (192.0.2.0)`: who holds an address. */
export const vipHolders = ({ holders, address }: VipState): ReadonlyArray<string> =>
  holders.map(({ namespace, name }) => `${namespace}/${name} (${address})`)
