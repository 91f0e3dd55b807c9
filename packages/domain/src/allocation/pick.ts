import { type Family, formatIpAddress, type IpAddress, rangeContains } from "@lowtide/net"
import { Result } from "effect"
import { toAddress } from "../config/canonical.ts"
import type { AddressPool } from "../config/index.ts"
import type { ReasonCode } from "../fleet/event.ts"
import type { NetworkMemory } from "../fleet/fleet.ts"
import { reservedForOther } from "./available.ts"
import type { AddressPick, Chooser } from "./chooser.ts"
import { poolRanges, poolRangesOf } from "./pool-choice.ts"
import { mayShare } from "./sharing.ts"

/**
 * An address of one pool and family: the lowest that nobody remembers, else the lowest that is free. One that its sharing
 * key already has is as good as free: it is taken where it comes first. Sharing is a permission, not a wish.
 */
export const pickFrom = (
  chooser: Chooser,
  pool: AddressPool,
  family: Family,
  reason: ReasonCode
): AddressPick | undefined => {
  const free = lowestFree(chooser.fleet.network(chooser.cluster.network), pool, family)
  const shared = sharedIn(chooser, pool, family)
  const found = shared === undefined || (free !== undefined && comesBefore(pool, free, shared)) ? free : shared
  return found === undefined
    ? undefined
    : { address: formatIpAddress(found), pool: pool.name, reason: found === shared ? "shared" : reason }
}

/** The lowest address of the pool that nobody remembers, else the lowest that is free. */
export const lowestFree = (
  { taken, remembered }: NetworkMemory,
  pool: AddressPool,
  family: Family
): IpAddress | undefined => {
  for (const occupied of [remembered, taken]) {
    for (const range of poolRangesOf(pool, family)) {
      const found = occupied.lowestMissing(range, { passBuggy: pool.avoidBuggyIPs })
      if (found !== undefined) return found
    }
  }
  return undefined
}

/** By the order in which the pool lists its ranges, then by number. */
const comesBefore = (pool: AddressPool, left: IpAddress, right: IpAddress): boolean => {
  const rangeOf = (address: IpAddress) => poolRanges(pool).findIndex((range) => rangeContains(range, address))
  const [leftRange, rightRange] = [rangeOf(left), rangeOf(right)]
  return leftRange === rightRange ? left.value < right.value : leftRange < rightRange
}

/** IPv4 addresses ending in .0 or .255, which some old equipment drops. */
export const isBuggy = ({ family, value }: IpAddress): boolean =>
  family === 4 && ((value & 0xffn) === 0n || (value & 0xffn) === 0xffn)

/** The first address of the pool that the Service's sharing key has and that it may share. */
const sharedIn = (chooser: Chooser, pool: AddressPool, family: Family): IpAddress | undefined => {
  const { fleet, cluster, wish } = chooser
  if (wish.holder.sharingKey === "") return undefined
  const ranges = poolRangesOf(pool, family)
  let first: IpAddress | undefined
  for (const vip of fleet.sharedVips(cluster, wish.holder.sharingKey)) {
    const address = toAddress(vip.address)
    const isOwn = vip.holders.some(
      (holder) => holder.namespace === wish.holder.namespace && holder.name === wish.holder.name
    )
    if (
      isOwn ||
      fleet.network(cluster.network).shared.has(vip.address) ||
      !ranges.some((range) => rangeContains(range, address))
    )
      continue
    if (reservedForOther(chooser, vip.address) !== undefined) continue
    if (Result.isFailure(mayShare(vip, wish.holder))) continue
    if (first === undefined || comesBefore(pool, address, first)) first = address
  }
  return first
}
