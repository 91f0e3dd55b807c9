import { type Family, formatIpAddress, type IpAddress, rangeContains } from "@lowtide/net"
import { Result } from "effect"
import { familyOf, toAddress } from "../config/canonical.ts"
import { type AddressPool, type Finding, listText, type ServiceObject } from "../config/index.ts"
import type { ReasonCode } from "../fleet/event.ts"
import type { ClusterMemory, Fleet, NetworkMemory } from "../fleet/fleet.ts"
import type { Holder, ReservationState, SharedAddressState, VipState } from "../fleet/stream.ts"
import { poolAdmits, poolRanges, poolRangesOf, poolsInOrder } from "./pool-choice.ts"
import { refusal } from "./refusal.ts"
import { mayShare } from "./sharing.ts"
import { type AddressWish, requestField } from "./wish.ts"

/** An address for a Service, where it comes from and why it is this one. */
export interface AddressPick {
  readonly address: string
  readonly pool: string
  readonly reason: ReasonCode
}

/** What a Service is to have. A refusal beside picks says that it keeps what it has and does not get what it asks for. */
export interface Choice {
  readonly picks: ReadonlyArray<AddressPick>
  readonly refusal: Finding | null
}

/** Everything that the choice is made from. */
export interface Chooser {
  readonly fleet: Fleet
  readonly cluster: ClusterMemory
  readonly service: ServiceObject
  readonly wish: AddressWish
  /** What its status says that it has, from before Lowtide knew of it. */
  readonly statusAddresses?: ReadonlyArray<string>
}

/**
 * The addresses of one Service, in the stated order: the ones asked for by name; the ones it has; the ones reserved for
 * it; the ones it had last;
 * then, pool by pool, one that its sharing key already has, the lowest that nobody remembers, the lowest that is free.
 * An address that it has is never given up before the new one is certain.
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

const poolsOf = ({ fleet, cluster }: Chooser): ReadonlyArray<AddressPool> => fleet.config(cluster).pools

/** Those of them that give out addresses: a retired one keeps what is held of it and no more. */
const openPoolsOf = (chooser: Chooser): ReadonlyArray<AddressPool> =>
  poolsOf(chooser).filter(({ retired }) => retired !== true)

/** What it holds, but for shared addresses of which it is no member any more. */
const heldBy = (chooser: Chooser): ReadonlyArray<string> => {
  const { cluster, wish } = chooser
  const held = cluster.addressesOf.get(`${wish.holder.namespace}/${wish.holder.name}`) ?? []
  return held.filter((address) => othersShare(chooser, address) === undefined)
}

/** The shared address that this is and of which the Service is no member. */
const othersShare = (
  { fleet, cluster, wish: { holder } }: Chooser,
  address: string
): SharedAddressState | undefined => {
  const state = fleet.network(cluster.network).shared.get(address)
  const isMember = state?.shared.members.some((member) => member.cluster === cluster.name && isNamed(member, holder))
  return isMember === true ? undefined : state
}

const isNamed = (left: Pick<Holder, "namespace" | "name">, right: Pick<Holder, "namespace" | "name">): boolean =>
  left.namespace === right.namespace && left.name === right.name

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
    const pool = poolHolding(openPoolsOf(chooser), toAddress(address))
    const can = available(chooser, address)
    const held = heldBy(chooser).includes(address)
      ? keepAll(chooser).find((pick) => pick.address === address)
      : undefined
    if (Result.isFailure(can)) return { picks: keepAll(chooser), refusal: can.failure }
    if (held !== undefined) picks.push(held)
    else if (pool !== undefined) picks.push({ address, pool: pool.name, reason: "shared-address" })
    else {
      const expected = `an address of one of the pools [${names(openPoolsOf(chooser))}]`
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

/** What it may go on having: what it holds, or for one that holds nothing, what its status says that it has. */
const present = (chooser: Chooser): ReadonlyArray<AddressPick> =>
  heldBy(chooser).length > 0 ? keepable(chooser) : statusPicks(chooser)

/**
 * Of what the status lists, what this Service may have: one address of each wanted family that can be had, of a pool that
 * admits the Service, whether that gives out addresses by itself or avoids this one.
 */
const statusPicks = (chooser: Chooser): ReadonlyArray<AddressPick> => {
  const { cluster, service, wish, statusAddresses = [] } = chooser
  const pools = openPoolsOf(chooser).filter((pool) => poolAdmits(pool, cluster, service))
  return wish.families.flatMap((family) => {
    for (const text of statusAddresses) {
      const address = toAddress(text)
      const pool = address.family === family ? poolHolding(pools, address) : undefined
      if (pool !== undefined && Result.isSuccess(available(chooser, text))) {
        return [{ address: text, pool: pool.name, reason: "status-says" as const }]
      }
    }
    return []
  })
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
 * The pool that an address in use belongs to: the recorded one while that has it, else whichever does, else still that one.
 * A retired pool has it only for want of another.
 */
const poolNow = (chooser: Chooser, vip: VipState): string => {
  const holding = poolsHolding(openPoolsOf(chooser), vip.address)
  return holding.some((pool) => pool.name === vip.pool) ? vip.pool : (holding[0]?.name ?? vip.pool)
}

/** When a wish fails, the Service keeps all that it has, and the refusal says what it did not get. */
const orKeep = (chooser: Chooser, choice: Choice): Choice => {
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

const chooseRequested = (chooser: Chooser): Choice => {
  const picks: Array<AddressPick> = []
  for (const address of chooser.wish.requested) {
    const pick = takeRequested(chooser, address)
    if (Result.isFailure(pick)) return { picks: [], refusal: pick.failure }
    picks.push(pick.success)
  }
  const [first, second] = picks
  const isHeld = picks.every(({ address }) => heldBy(chooser).includes(address))
  if (first !== undefined && second !== undefined && first.pool !== second.pool && !isHeld) {
    return {
      picks: [],
      refusal: refusal(chooser.service, "LT0207", {
        field: requestField(chooser.service),
        expected: "addresses of one pool",
        found: `${first.address} of pool ${first.pool} and ${second.address} of pool ${second.pool}`
      })
    }
  }
  return { picks, refusal: null }
}

const takeRequested = (chooser: Chooser, text: string): Result.Result<AddressPick, Finding> => {
  const isHeld = heldBy(chooser).includes(text)
  return (isHeld ? poolOfHeld(chooser, text) : poolToAsk(chooser, text)).pipe(
    Result.flatMap((pool) => Result.map(available(chooser, text), () => pool)),
    Result.map((pool) => ({ address: text, pool, reason: "requested-address" as const }))
  )
}

/** What the Service has it goes on having, whatever its pool says by now, unless it names another pool. */
const poolOfHeld = (chooser: Chooser, text: string): Result.Result<string, Finding> => {
  const { fleet, cluster, wish } = chooser
  const named = poolsHolding(openPoolsOf(chooser), text).find(({ name }) => name === wish.pool)
  const vip = fleet.vip(cluster.network, text, cluster.name)
  const pool = named?.name ?? (vip === undefined ? "" : poolNow(chooser, vip))
  return wish.pool === undefined || wish.pool === pool ? Result.succeed(pool) : ofAnotherPool(chooser, text, pool)
}

/**
 * The pool that is asked for an address that the Service does not have. Of several, where the fleet's overlap with the
 * cluster's own, the one that the Service names, else the first that admits it, else the first.
 */
const poolToAsk = (chooser: Chooser, text: string): Result.Result<string, Finding> => {
  const { service, cluster, wish } = chooser
  const open = poolsHolding(openPoolsOf(chooser), text)
  const named = open.find(({ name }) => name === wish.pool)
  const pool = named ?? open.find((pool) => poolAdmits(pool, cluster, service)) ?? open[0]
  if (pool === undefined) {
    const [retired] = poolsHolding(poolsOf(chooser), text)
    const found = retired === undefined ? text : `${text} of pool ${retired.name}, which is deleted`
    return refuseRequest(service, "LT0202", `an address of one of the pools [${names(openPoolsOf(chooser))}]`, found)
  }
  if (wish.pool !== undefined && named === undefined) return ofAnotherPool(chooser, text, pool.name)
  if (!poolAdmits(pool, cluster, service)) {
    const expected = `a pool that serves namespace ${service.namespace} and these labels`
    return refuseRequest(service, "LT0205", expected, `${text} of pool ${pool.name}`)
  }
  return pool.avoidBuggyIPs && isBuggy(toAddress(text))
    ? refuseRequest(service, "LT0210", `an address that pool ${pool.name} does not avoid`, text)
    : Result.succeed(pool.name)
}

const ofAnotherPool = ({ service, wish }: Chooser, text: string, pool: string): Result.Result<never, Finding> =>
  refuseRequest(
    service,
    "LT0202",
    `an address of pool ${wish.pool}, which the Service names`,
    `${text} of pool ${pool}`
  )

const refuseRequest = (
  service: ServiceObject,
  code: "LT0202" | "LT0205" | "LT0210",
  expected: string,
  found: string
): Result.Result<never, Finding> =>
  Result.fail(refusal(service, code, { field: requestField(service), expected, found }))

/** The pools that have an address. */
const poolsHolding = (pools: ReadonlyArray<AddressPool>, text: string): ReadonlyArray<AddressPool> => {
  const address = toAddress(text)
  return pools.filter((pool) => poolRanges(pool).some((range) => rangeContains(range, address)))
}

/** Whether this very address can be had: free, its own, its own from before, or shared. */
const available = (chooser: Chooser, address: string): Result.Result<void, Finding> => {
  const { fleet, cluster, service } = chooser
  const field = requestField(service)
  const kept = reservedForOther(chooser, address)
  if (kept !== undefined) {
    const expected = "an address that is not reserved for another"
    return Result.fail(refusal(service, "LT0203", { field, expected, found: `${address}, ${reservedText(kept)}` }))
  }
  const foreign = othersShare(chooser, address)
  if (foreign !== undefined) {
    const found = `${address}, the shared address ${foreign.shared.name} of others`
    return Result.fail(
      refusal(service, "LT0203", { field, expected: "an address that is free, or shared with it", found })
    )
  }
  // Of a shared address its own part counts; of any other everything that is known of it.
  const isMember = fleet.memberOf(cluster.network, address, cluster.name) !== undefined
  const vips = isMember ? [fleet.vip(cluster.network, address, cluster.name)] : fleet.vipsAt(cluster.network, address)
  for (const vip of vips) {
    const had = availableAfter(chooser, address, vip)
    if (Result.isFailure(had)) return had
  }
  return Result.succeed(undefined)
}

const availableAfter = (chooser: Chooser, address: string, vip: VipState | undefined): Result.Result<void, Finding> => {
  const { cluster, service, wish } = chooser
  const field = requestField(service)
  if (vip === undefined || vip.phase === "free") return Result.succeed(undefined)
  if (vip.phase !== "assigned") {
    if (wasHeldBy(vip, chooser)) return Result.succeed(undefined)
    const found = `${address}, which is ${vip.phase} after ${vip.cluster}/${vip.lastHolders.join(", ")}`
    return Result.fail(refusal(service, "LT0209", { field, expected: "an address that is free", found }))
  }
  if (vip.cluster !== cluster.name) {
    const found = `${address}, held by ${vip.holders.map((holder) => `${vip.cluster}/${holder.namespace}/${holder.name}`).join(", ")}`
    return Result.fail(refusal(service, "LT0203", { field, expected: "an address that no other cluster holds", found }))
  }
  return Result.mapError(mayShare(vip, wish.holder), (clash) =>
    refusal(service, clash.code, { field, expected: clash.expected, found: `${address}, ${clash.found}` })
  )
}

/** The reservation that keeps the address for somebody else. */
const reservedForOther = (
  { fleet, cluster, wish: { holder } }: Chooser,
  address: string
): ReservationState | undefined => {
  const reservation = fleet.network(cluster.network).reserved.get(address)
  return reservation === undefined || isFor(reservation, cluster, holder) ? undefined : reservation
}

const isFor = (reservation: ReservationState, cluster: ClusterMemory, holder: Holder): boolean =>
  reservation.cluster === cluster.name &&
  reservation.namespace === holder.namespace &&
  reservation.service === holder.name

/** `reserved for east/shop/web by reservation web`. */
export const reservedText = ({ cluster, namespace, service, name }: ReservationState): string =>
  `reserved for ${cluster}/${namespace}/${service} by reservation ${name}`

/** The addresses that are kept for the Service, as far as these pools have them and they can be had: the lowest of a family. */
const reservedPicks = (chooser: Chooser, pools: ReadonlyArray<AddressPool>): ReadonlyArray<AddressPick> => {
  const { cluster, wish } = chooser
  const kept = [...cluster.reservations.values()]
    .filter((reservation) => isFor(reservation, cluster, wish.holder))
    .map(({ address }) => ({ text: address, address: toAddress(address) }))
    .sort((left, right) => (left.address.value < right.address.value ? -1 : 1))
  return wish.families.flatMap((family) => {
    for (const { text, address } of kept) {
      const pool = address.family === family ? poolHolding(pools, address) : undefined
      if (pool !== undefined && Result.isSuccess(available(chooser, text))) {
        return [{ address: text, pool: pool.name, reason: "reserved" as const }]
      }
    }
    return []
  })
}

const wasHeldBy = (vip: VipState, { cluster, wish }: Chooser): boolean =>
  vip.cluster === cluster.name && vip.lastHolders.includes(`${wish.holder.namespace}/${wish.holder.name}`)

const poolField = "metadata.annotations[metallb.io/address-pool]"

const unknownPool = (chooser: Chooser, found: string): Finding => {
  const expected = `one of the pools [${names(openPoolsOf(chooser))}]`
  return refusal(chooser.service, "LT0206", { field: poolField, expected, found })
}

const chooseFromNamedPool = (chooser: Chooser, name: string): Choice => {
  const pool = poolsOf(chooser).find((pool) => pool.name === name)
  if (pool === undefined) {
    return { picks: [], refusal: unknownPool(chooser, name) }
  }
  if (!poolAdmits(pool, chooser.cluster, chooser.service)) {
    const expected = `a pool that serves namespace ${chooser.service.namespace} and these labels`
    return { picks: [], refusal: refusal(chooser.service, "LT0205", { field: poolField, expected, found: name }) }
  }
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

/** The addresses that the Service held last, as far as these pools still have them and nobody else took them. */
const sticky = (chooser: Chooser, pools: ReadonlyArray<AddressPool>): ReadonlyArray<AddressPick> => {
  const { fleet, cluster, wish } = chooser
  const key = `${cluster.name}/${wish.holder.namespace}/${wish.holder.name}`
  const last = [...(fleet.network(cluster.network).lastHeld.get(key) ?? [])].sort()
  const picks: Array<AddressPick> = []
  for (const family of wish.families) {
    const address = last.find(
      (address) =>
        familyOf(address) === family &&
        fleet.vip(cluster.network, address, cluster.name)?.phase !== "assigned" &&
        Result.isSuccess(available(chooser, address))
    )
    const pool = address === undefined ? undefined : poolHolding(pools, toAddress(address))
    if (address === undefined || pool === undefined) continue
    if (pool.avoidBuggyIPs && isBuggy(toAddress(address))) continue
    picks.push({ address, pool: pool.name, reason: "sticky" })
  }
  return picks
}

const poolHolding = (pools: ReadonlyArray<AddressPool>, address: IpAddress): AddressPool | undefined =>
  pools.find((pool) => poolRanges(pool).some((range) => rangeContains(range, address)))

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
      let found = occupied.lowestMissing(range)
      while (found !== undefined && pool.avoidBuggyIPs && isBuggy(found)) {
        found = occupied.lowestMissing(range, found.value + 1n)
      }
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
const isBuggy = ({ family, value }: IpAddress): boolean =>
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

const names = (pools: ReadonlyArray<AddressPool>): string => listText(pools.map((pool) => pool.name))

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
        expected: `a free ${families} address in ${pools.length === 1 ? "pool" : "one of the pools"} ${names(pools)}`,
        found: "none"
      })
}
