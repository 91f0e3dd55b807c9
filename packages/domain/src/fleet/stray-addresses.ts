import { poolHas } from "../allocation/pool-choice.ts"
import {
  type AddressPool,
  type ClusterConfig,
  type Finding,
  finding,
  listText,
  type ObjectRef
} from "../config/index.ts"
import type { ClusterMemory, Fleet } from "./fleet.ts"
import { vipHolders } from "./retired-pool.ts"
import type { VipState } from "./stream.ts"

/**
 * Streams of VIPs whose pool did not have their address any more when the configuration was judged. No address is given
 * beyond its pool, so that for as long as a configuration stands they only become fewer.
 */
const strayStreams = new WeakMap<ClusterConfig, ReadonlySet<string>>()

/** Whether the VIP is held beyond what its pool has by now. */
export const isHeldBeyondPool = (fleet: Fleet, cluster: ClusterMemory, vip: VipState): boolean =>
  isStray(
    fleet.config(cluster).pools.find(({ name }) => name === vip.pool),
    vip
  )

/** What holders have of pools that do not have it any more, a finding for each pool that was made smaller. */
export const strayFindings = (fleet: Fleet, cluster: ClusterMemory): ReadonlyArray<Finding> => {
  const pools = poolsByName(fleet, cluster)
  const held = Map.groupBy(
    [...streamsOf(fleet, cluster)].flatMap((stream) => {
      const vip = fleet.vips.get(stream)
      return vip !== undefined && isStray(pools.get(vip.pool), vip) ? [vip] : []
    }),
    (vip) => vip.pool
  )
  return [...held].sort().flatMap(([name, vips]) => {
    const pool = pools.get(name)
    if (pool === undefined) return []
    const expected = "no Service with an address that the pool has no more"
    return [
      finding("LT0215", {
        object: refOf(pool),
        field: "spec.addresses",
        expected,
        found: listText(vips.flatMap(vipHolders).sort())
      })
    ]
  })
}

const refOf = ({ name, namespace, ofFleet }: AddressPool): ObjectRef =>
  ofFleet === true ? { kind: "AddressPool", name } : { kind: "IPAddressPool", namespace, name }

const streamsOf = (fleet: Fleet, cluster: ClusterMemory): ReadonlySet<string> => {
  const config = fleet.config(cluster)
  let streams = strayStreams.get(config)
  if (streams === undefined) {
    const pools = poolsByName(fleet, cluster)
    streams = new Set(
      [...cluster.vips].filter((stream) => {
        const vip = fleet.indexedVip(stream)
        return vip !== undefined && isStray(pools.get(vip.pool), vip)
      })
    )
    strayStreams.set(config, streams)
  }
  return streams
}

const poolsByName = (fleet: Fleet, cluster: ClusterMemory): ReadonlyMap<string, AddressPool> =>
  new Map(fleet.config(cluster).pools.map((pool) => [pool.name, pool]))

/** Of a pool that is deleted all that is held of it is told of in another way. */
const isStray = (pool: AddressPool | undefined, { phase, address }: Pick<VipState, "phase" | "address">): boolean =>
  phase === "assigned" && pool !== undefined && pool.retired !== true && !poolHas(pool, address)
