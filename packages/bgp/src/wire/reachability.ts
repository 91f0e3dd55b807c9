import { addressFromBytes, addressToBytes, type Family, type IpAddress } from "@lowtide/net"
import { Result } from "effect"
import type { AttributeContext, MalformedValue } from "./attribute-codec.ts"
import { concatBytes, readU16, u16 } from "./bytes.ts"
import { afiOf, familyOf, safiUnicast } from "./family.ts"
import { decodeNlri, encodeNlri, type NlriPrefix } from "./nlri.ts"

/** What an MP attribute carries: IPv4 or IPv6 unicast is read, any other (AFI, SAFI) is kept as it came. */
export type MpReachNlri =
  | {
      readonly _tag: "MpReachNlri"
      readonly family: 4 | 6
      /** The global next hop; of the other family only where RFC 8950 was agreed. */
      readonly nextHop: IpAddress
      /** A second, link-local next hop: RFC 2545 §3. */
      readonly linkLocalNextHop?: IpAddress
      readonly nlri: ReadonlyArray<NlriPrefix>
    }
  | {
      readonly _tag: "MpReachNlri"
      readonly family: "other"
      readonly afi: number
      readonly safi: number
      readonly rest: Uint8Array
    }

/** Withdrawn routes of a family; an empty list for a family is its End-of-RIB (RFC 4724 §2). */
export type MpUnreachNlri =
  | { readonly _tag: "MpUnreachNlri"; readonly family: 4 | 6; readonly withdrawn: ReadonlyArray<NlriPrefix> }
  | {
      readonly _tag: "MpUnreachNlri"
      readonly family: "other"
      readonly afi: number
      readonly safi: number
      readonly rest: Uint8Array
    }

/** Whatever is wrong with one of the two is 3/9, Optional Attribute Error: RFC 4760 §7. */
const incorrect = (reason: string): Result.Result<never, MalformedValue> => Result.fail({ reason, subcode: 9 })

/** RFC 4760 §3: AFI, SAFI, length of the next hop, next hop, a reserved octet, NLRI. */
export const decodeMpReach = (
  value: Uint8Array,
  context: AttributeContext
): Result.Result<MpReachNlri, MalformedValue> => {
  if (value.length < 5) return incorrect(`expected at least 5 octets, found ${value.length}`)
  const [afi, safi, nextHopBytes] = [readU16(value, 0), value[2]!, value[3]!]
  if (value.length < 5 + nextHopBytes) {
    return incorrect(`expected ${5 + nextHopBytes} octets for a next hop of ${nextHopBytes}, found ${value.length}`)
  }
  const family = familyOf(afi, safi)
  if (family === undefined) {
    return Result.succeed({ _tag: "MpReachNlri", family: "other", afi, safi, rest: value.slice(3) })
  }
  const lengths = nextHopLengths(family, context)
  if (!lengths.includes(nextHopBytes)) {
    return incorrect(`expected a next hop of ${lengths.join(" or ")} octets, found ${nextHopBytes}`)
  }
  const nlri = decodeNlri(value.subarray(5 + nextHopBytes), family, context)
  if (Result.isFailure(nlri)) return incorrect(nlri.failure)
  const nextHop = addressFromBytes(value.subarray(4, 4 + Math.min(nextHopBytes, 16)))
  const reach = { _tag: "MpReachNlri", family, nextHop, nlri: nlri.success } as const
  return Result.succeed(
    nextHopBytes === 32 ? { ...reach, linkLocalNextHop: addressFromBytes(value.subarray(20, 36)) } : reach
  )
}

/** RFC 4760 §3, RFC 2545 §3; an IPv4 prefix has an IPv6 next hop only where that was agreed (RFC 8950 §3). */
const nextHopLengths = (family: Family, { extendedNextHop = false }: AttributeContext): ReadonlyArray<number> =>
  family === 6 ? [16, 32] : extendedNextHop ? [4, 16, 32] : [4]

/** The part of MP_REACH_NLRI before its prefixes. */
export const mpReachHead = (
  family: 4 | 6,
  nextHop: IpAddress,
  linkLocalNextHop?: IpAddress | undefined
): Uint8Array => {
  const hops = [nextHop, ...(linkLocalNextHop === undefined ? [] : [linkLocalNextHop])].map(addressToBytes)
  const bytes = concatBytes(hops)
  return concatBytes([u16(afiOf(family)), Uint8Array.of(safiUnicast, bytes.length), bytes, Uint8Array.of(0)])
}

/** The value of MP_REACH_NLRI. */
export const encodeMpReach = (reach: MpReachNlri): Uint8Array =>
  reach.family === "other"
    ? concatBytes([u16(reach.afi), Uint8Array.of(reach.safi), reach.rest])
    : concatBytes([mpReachHead(reach.family, reach.nextHop, reach.linkLocalNextHop), encodeNlri(reach.nlri)])

/** RFC 4760 §4: AFI, SAFI, withdrawn routes. */
export const decodeMpUnreach = (
  value: Uint8Array,
  context: AttributeContext
): Result.Result<MpUnreachNlri, MalformedValue> => {
  if (value.length < 3) return incorrect(`expected at least 3 octets, found ${value.length}`)
  const [afi, safi] = [readU16(value, 0), value[2]!]
  const family = familyOf(afi, safi)
  if (family === undefined) {
    return Result.succeed({ _tag: "MpUnreachNlri", family: "other", afi, safi, rest: value.slice(3) })
  }
  const withdrawn = decodeNlri(value.subarray(3), family, context)
  return Result.isFailure(withdrawn)
    ? incorrect(withdrawn.failure)
    : Result.succeed({ _tag: "MpUnreachNlri", family, withdrawn: withdrawn.success })
}

/** The value of MP_UNREACH_NLRI. */
export const encodeMpUnreach = (unreach: MpUnreachNlri): Uint8Array =>
  unreach.family === "other"
    ? concatBytes([u16(unreach.afi), Uint8Array.of(unreach.safi), unreach.rest])
    : concatBytes([u16(afiOf(unreach.family)), Uint8Array.of(safiUnicast), encodeNlri(unreach.withdrawn)])
