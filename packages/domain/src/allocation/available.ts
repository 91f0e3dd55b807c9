import { Result } from "effect"
import type { Finding } from "../config/index.ts"
import type { ClusterMemory } from "../fleet/fleet.ts"
import type { Holder, ReservationState, SharedAddressState, VipState } from "../fleet/stream.ts"
import type { Chooser } from "./chooser.ts"
import { refusal } from "./refusal.ts"
import { isSameHolder, mayShare } from "./sharing.ts"
import { requestField } from "./wish.ts"

/** Whether this very address can be had: free, its own, its own from before, or shared. */
export const available = (chooser: Chooser, address: string): Result.Result<void, Finding> => {
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

const wasHeldBy = (vip: VipState, { cluster, wish }: Chooser): boolean =>
  vip.cluster === cluster.name && vip.lastHolders.includes(`${wish.holder.namespace}/${wish.holder.name}`)

/** The shared address that this is and of which the Service is no member. */
export const othersShare = (
  { fleet, cluster, wish: { holder } }: Chooser,
  address: string
): SharedAddressState | undefined => {
  const state = fleet.network(cluster.network).shared.get(address)
  const isMember = state?.shared.members.some(
    (member) => member.cluster === cluster.name && isSameHolder(member, holder)
  )
  return isMember === true ? undefined : state
}

/** The reservation that keeps the address for somebody else. */
export const reservedForOther = (
  { fleet, cluster, wish: { holder } }: Chooser,
  address: string
): ReservationState | undefined => {
  const reservation = fleet.network(cluster.network).reserved.get(address)
  return reservation === undefined || isReservedFor(reservation, cluster, holder) ? undefined : reservation
}

/** Whether the reservation keeps its address for this Service. */
export const isReservedFor = (reservation: ReservationState, cluster: ClusterMemory, holder: Holder): boolean =>
  reservation.cluster === cluster.name &&
  reservation.namespace === holder.namespace &&
  reservation.service === holder.name

/** `reserved for east/shop/web by reservation web`. */
export const reservedText = ({ cluster, namespace, service, name }: ReservationState): string =>
  `reserved for ${cluster}/${namespace}/${service} by reservation ${name}`
