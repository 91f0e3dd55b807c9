import type { Family } from "@lowtide/net"
import { Result } from "effect"
import { familyOf, toAddress } from "../config/canonical.ts"
import type { AddressPool, Finding } from "../config/index.ts"
import type { ReasonCode } from "../fleet/event.ts"
import { available, isReservedFor } from "./available.ts"
import { type AddressPick, type Choice, type Chooser, openPoolsOf, poolNames, poolsOf } from "./chooser.ts"
import { heldBy, keepAll, orKeep, present } from "./held.ts"
import { namedPool, unknownPool } from "./named-pool.ts"
import { isBuggy, pickFrom } from "./pick.ts"
import { poolsHolding, poolsInOrder } from "./pool-choice.ts"
import { refusal } from "./refusal.ts"
import { chooseRequested } from "./requested.ts"

/**
 * The addresses of one Service, in the stated order: the ones asked for by name; the ones it has; the ones reserved for it;
 * the ones it had last; then, pool by pool, one that its sharing key already has, the lowest that nobody remembers, the
 * lowest that is free. An address that it has is never given up before the new one is certain.
 */
export const choose = (chooser: Chooser): Choice => {
  const { wish } = chooser
  const shared = wish.requested.length > 0 ? [] : sharedAddressesOf(chooser)
  if (shared.length > 0) return withShared(chooser, shared)
  const kept = present(chooser)
  if (wish.requested.length > 0) return orKeep(chooser, chooseRequested(chooser))
  if (wish.pool !== undefined) return orKeep(chooser, chooseFromNamedPool(chooser, wish.pool))
  const missing = wish.families.filter((family) => !kept.some((pick) => familyOf(pick.address) === family))
  if (missing.length === 0) return { picks: kept, refusal: null }
  if (kept.length > 0) return withBeside(chooser, kept, missing)
  return orKeep(chooser, chooseFromPools(chooser, poolsInOrder(poolsOf(chooser), chooser.cluster, chooser.service)))
}

/** Shared addresses of which the Service is a member, of the families that it wants. */
const sharedAddressesOf = ({ fleet, cluster, wish }: Chooser): ReadonlyArray<string> =>
  [...(fleet.sharedOf.get(`${cluster.name}/${wish.holder.namespace}/${wish.holder.name}`) ?? [])].flatMap(
    ({ shared }) =>
      shared.network === cluster.network
        ? shared.addresses.filter((address) => wish.families.includes(familyOf(address)))
        : []
  )

/** The shared addresses, whatever else it had; a family that they do not have as without them. */
const withShared = (chooser: Chooser, shared: ReadonlyArray<string>): Choice => {
  const { service, wish } = chooser
  const picks: Array<AddressPick> = []
  for (const address of shared) {
    const pool = poolsHolding(openPoolsOf(chooser), address)[0]
    const can = available(chooser, address)
    const held = heldBy(chooser).includes(address)
      ? keepAll(chooser).find((pick) => pick.address === address)
      : undefined
    if (Result.isFailure(can)) return { picks: keepAll(chooser), refusal: can.failure }
    if (held !== undefined) picks.push(held)
    else if (pool !== undefined) picks.push({ address, pool: pool.name, reason: "shared-address" })
    else {
      const expected = `an address of one of the pools [${poolNames(openPoolsOf(chooser))}]`
      return {
        picks: keepAll(chooser),
        refusal: refusal(service, "LT0202", { field: "spec.type", expected, found: address })
      }
    }
  }
  const rest = wish.families.filter((family) => !shared.some((address) => familyOf(address) === family))
  if (rest.length === 0) return { picks, refusal: null }
  const beside = choose({ ...chooser, wish: { ...wish, families: rest } })
  return { picks: [...picks, ...beside.picks], refusal: wish.needsAll ? beside.refusal : null }
}

/** The addresses that are kept for the Service, as far as these pools have them and they can be had: the lowest of a family. */
const reservedPicks = (chooser: Chooser, pools: ReadonlyArray<AddressPool>): ReadonlyArray<AddressPick> => {
  const { cluster, wish } = chooser
  const kept = [...cluster.reservations.values()]
    .filter((reservation) => isReservedFor(reservation, cluster, wish.holder))
    .map(({ address }) => ({ text: address, address: toAddress(address) }))
    .sort((left, right) => (left.address.value < right.address.value ? -1 : 1))
  return wish.families.flatMap((family) => {
    for (const { text, address } of kept) {
      const pool = address.family === family ? poolsHolding(pools, text)[0] : undefined
      if (pool !== undefined && Result.isSuccess(available(chooser, text))) {
        return [{ address: text, pool: pool.name, reason: "reserved" as const }]
      }
    }
    return []
  })
}

const chooseFromNamedPool = (chooser: Chooser, name: string): Choice => {
  const named = namedPool(chooser, name)
  if (Result.isFailure(named)) return { picks: [], refusal: named.failure }
  const pool = named.success
  const kept = present(chooser).filter((pick) => pick.pool === name)
  const missing = chooser.wish.families.filter((family) => !kept.some((pick) => familyOf(pick.address) === family))
  if (missing.length === 0) return { picks: kept, refusal: null }
  const choice =
    pool.retired === true
      ? { picks: [], refusal: unknownPool(chooser, `${name}, which is deleted`) }
      : chooseFromPools({ ...chooser, wish: { ...chooser.wish, families: missing } }, [pool], "requested-pool")
  return choice.refusal === null || kept.length === 0 || chooser.wish.needsAll
    ? { picks: [...kept, ...choice.picks], refusal: choice.refusal }
    : { picks: kept, refusal: null }
}

/**
 * A family that the Service newly wants, beside the address that it has: reserved, or its own from before, or another of the
 * same pool, or a refusal if it must be.
 */
const withBeside = (chooser: Chooser, kept: ReadonlyArray<AddressPick>, missing: ReadonlyArray<Family>): Choice => {
  const pools = openPoolsOf(chooser).filter((pool) => kept.some((pick) => pick.pool === pool.name))
  const lacking = { ...chooser, wish: { ...chooser.wish, families: missing } }
  const own = [...reservedPicks(lacking, openPoolsOf(chooser)), ...sticky(lacking, pools)]
  const added = missing.flatMap(
    (family) =>
      own.find(({ address }) => familyOf(address) === family) ??
      pools.flatMap((pool) => pickFrom(chooser, pool, family, "pool-selected") ?? []).slice(0, 1)
  )
  const lacks = added.length < missing.length && chooser.wish.needsAll
  return { picks: [...kept, ...added], refusal: lacks ? noneBeside(lacking, kept) : null }
}

/** It keeps what it has, and with it the pool, unless it names another. */
const noneBeside = ({ service, wish }: Chooser, kept: ReadonlyArray<AddressPick>): Finding => {
  const [family] = wish.families
  const pools = [...new Set(kept.map(({ pool }) => pool))].join(", ")
  return refusal(service, "LT0201", {
    field: "spec.ipFamilyPolicy",
    expected: `a free IPv${family} address in pool ${pools}, of which it has ${kept.map(({ address }) => address).join(", ")}`,
    found: "none",
    fix: `Add IPv${family} addresses to pool ${pools}, or name a pool that has both by the annotation metallb.io/address-pool: the Service moves there`
  })
}

/** All families from one pool where one has them; else, if the Service allows it, the first family that any pool has. */
const chooseFromPools = (
  chooser: Chooser,
  pools: ReadonlyArray<AddressPool>,
  reason: ReasonCode = "pool-selected"
): Choice => {
  const { families, needsAll } = chooser.wish
  const reserved = reservedPicks(chooser, chooser.wish.pool === undefined ? openPoolsOf(chooser) : pools)
  if (reserved.length > 0) {
    const rest = families.filter((family) => !reserved.some(({ address }) => familyOf(address) === family))
    if (rest.length === 0) return { picks: reserved, refusal: null }
    const beside = chooseFromPools({ ...chooser, wish: { ...chooser.wish, families: rest } }, pools, reason)
    if (beside.refusal !== null && needsAll) return beside
    return { picks: [...reserved, ...beside.picks], refusal: null }
  }
  const before = sticky(chooser, pools)
  if (before.length === families.length) return { picks: before, refusal: null }
  for (const pool of pools) {
    const picks = families.flatMap((family) => pickFrom(chooser, pool, family, reason) ?? [])
    if (picks.length === families.length) return { picks, refusal: null }
  }
  if (!needsAll) {
    for (const family of families) {
      const own = before.find(({ address }) => familyOf(address) === family)
      if (own !== undefined) return { picks: [own], refusal: null }
      for (const pool of pools) {
        const pick = pickFrom(chooser, pool, family, reason)
        if (pick !== undefined) return { picks: [pick], refusal: null }
      }
    }
  }
  return { picks: [], refusal: exhausted(chooser, pools) }
}

/** The addresses that the Service held last, as far as these pools still have them and nobody else took them: the lowest. */
const sticky = (chooser: Chooser, pools: ReadonlyArray<AddressPool>): ReadonlyArray<AddressPick> => {
  const { fleet, cluster, wish } = chooser
  const key = `${cluster.name}/${wish.holder.namespace}/${wish.holder.name}`
  const last = [...(fleet.network(cluster.network).lastHeld.get(key) ?? [])].sort()
  return wish.families.flatMap((family) => {
    for (const address of last) {
      const [pool] = familyOf(address) === family ? poolsHolding(pools, address) : []
      if (pool === undefined || (pool.avoidBuggyIPs && isBuggy(toAddress(address)))) continue
      if (fleet.vip(cluster.network, address, cluster.name)?.phase === "assigned") continue
      if (Result.isSuccess(available(chooser, address)))
        return [{ address, pool: pool.name, reason: "sticky" as const }]
    }
    return []
  })
}

const exhausted = ({ service, wish }: Chooser, pools: ReadonlyArray<AddressPool>): Finding => {
  const families = wish.families.map((family) => `IPv${family}`).join(wish.needsAll ? " and " : " or ")
  return pools.length === 0
    ? refusal(service, "LT0208", {
        field: "spec.type",
        expected: `a pool that gives addresses by itself to namespace ${service.namespace} and these labels`,
        found: "none"
      })
    : refusal(service, "LT0201", {
        field: "spec.type",
        expected: `a free ${families} address in ${pools.length === 1 ? "pool" : "one of the pools"} ${poolNames(pools)}`,
        found: "none"
      })
}
