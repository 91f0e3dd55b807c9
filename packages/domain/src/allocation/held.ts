import { Result } from "effect"
import { familyOf } from "../config/canonical.ts"
import type { VipState } from "../fleet/stream.ts"
import { available, othersShare } from "./available.ts"
import { type AddressPick, type Choice, type Chooser, openPoolsOf } from "./chooser.ts"
import { poolAdmits, poolsHolding } from "./pool-choice.ts"
import { mayShare } from "./sharing.ts"

/** What it may go on having: what it holds, or for one that holds nothing, what its status says that it has. */
export const present = (chooser: Chooser): ReadonlyArray<AddressPick> =>
  heldBy(chooser).length > 0 ? keepable(chooser) : statusPicks(chooser)

/** When a wish fails, the Service keeps all that it has, and the refusal says what it did not get. */
export const orKeep = (chooser: Chooser, choice: Choice): Choice => {
  if (choice.refusal === null) return choice
  return { picks: heldBy(chooser).length > 0 ? keepAll(chooser) : statusPicks(chooser), refusal: choice.refusal }
}

/** What a Service that is being deleted is to have until it is gone: what it has. */
export const keepOnly = (chooser: Chooser): Choice => ({
  picks: heldBy(chooser).length > 0 ? keepAll(chooser) : statusPicks(chooser),
  refusal: null
})

/** All that the Service has, as it has it. */
export const keepAll = (chooser: Chooser): ReadonlyArray<AddressPick> =>
  heldBy(chooser).flatMap((address) => {
    const vip = chooser.fleet.vip(chooser.cluster.network, address, chooser.cluster.name)
    return vip === undefined ? [] : [{ address, pool: poolNow(chooser, vip), reason: "observed" as const }]
  })

/** What it holds, but for shared addresses of which it is no member any more. */
export const heldBy = (chooser: Chooser): ReadonlyArray<string> => {
  const { cluster, wish } = chooser
  const held = cluster.addressesOf.get(`${wish.holder.namespace}/${wish.holder.name}`) ?? []
  return held.filter((address) => othersShare(chooser, address) === undefined)
}

/** What it has and may go on having: of a wanted family, and still shareable with whom it shares. */
const keepable = (chooser: Chooser): ReadonlyArray<AddressPick> =>
  heldBy(chooser).flatMap((address) => {
    const vip = chooser.fleet.vip(chooser.cluster.network, address, chooser.cluster.name)
    if (vip === undefined || !chooser.wish.families.includes(familyOf(address))) return []
    return Result.isSuccess(mayShare(vip, chooser.wish.holder))
      ? [{ address, pool: poolNow(chooser, vip), reason: "observed" as const }]
      : []
  })

/**
 * Of what the status lists, what this Service may have: one address of each wanted family that can be had, of a pool that
 * admits the Service, whether that gives out addresses by itself or avoids this one.
 */
const statusPicks = (chooser: Chooser): ReadonlyArray<AddressPick> => {
  const { cluster, service, wish, statusAddresses = [] } = chooser
  const pools = openPoolsOf(chooser).filter((pool) => poolAdmits(pool, cluster, service))
  return wish.families.flatMap((family) => {
    for (const text of statusAddresses) {
      const pool = familyOf(text) === family ? poolsHolding(pools, text)[0] : undefined
      if (pool !== undefined && Result.isSuccess(available(chooser, text))) {
        return [{ address: text, pool: pool.name, reason: "status-says" as const }]
      }
    }
    return []
  })
}

/**
 * The pool that an address in use belongs to: the recorded one while that has it, else whichever does, else still that one.
 * A retired pool has it only for want of another.
 */
export const poolNow = (chooser: Chooser, vip: VipState): string => {
  const holding = poolsHolding(openPoolsOf(chooser), vip.address)
  return holding.some((pool) => pool.name === vip.pool) ? vip.pool : (holding[0]?.name ?? vip.pool)
}
