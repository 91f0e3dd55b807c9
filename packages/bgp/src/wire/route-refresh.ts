import type { Family } from "@lowtide/net"
import { Result } from "effect"
import { concatBytes, readU16, u16 } from "./bytes.ts"
import { afiOf, safiUnicast } from "./family.ts"
import { notification, type WireFault, wireFault } from "./notification.ts"

/** ROUTE-REFRESH, RFC 2918 §3: asks for all routes of a family again. `subtype` is 0 for that; RFC 7313 has 1 and 2. */
export interface BgpRouteRefresh {
  readonly _tag: "RouteRefresh"
  readonly afi: number
  readonly subtype: number
  readonly safi: number
}

/** The body, four octets. */
export const encodeRouteRefresh = ({ afi, subtype, safi }: BgpRouteRefresh): Uint8Array =>
  concatBytes([u16(afi), Uint8Array.of(subtype, safi)])

/** Subtypes: a request (RFC 2918), and the marks round a table that is sent again (RFC 7313 §3.2). */
export const refreshSubtypes = { request: 0, begin: 1, end: 2 } as const

/** Whether RFC 7313 §5 asks that it be passed over. */
export const isUnknownRefresh = (subtype: number): boolean => !Object.values<number>(refreshSubtypes).includes(subtype)

/**
 * Reads a body of three octets or more (the header check made sure of that). One of another length than four octets is judged by its
 * subtype; of an unknown subtype whatever it is.
 */
export const decodeRouteRefresh = (body: Uint8Array): Result.Result<BgpRouteRefresh, WireFault> => {
  const [afi, subtype, safi] = [readU16(body, 0), body[2]!, body[3] ?? 0]
  if (body.length === 4 || isUnknownRefresh(subtype)) {
    return Result.succeed({ _tag: "RouteRefresh", afi, subtype, safi })
  }
  const reason = `expected 4 octets behind the header of ROUTE-REFRESH, found ${body.length}`
  return Result.fail(
    subtype === refreshSubtypes.request
      ? wireFault(reason, "RFC 4271 §6.1", notification(1, 2, u16(19 + body.length)))
      : wireFault(reason, "RFC 7313 §5", notification(7, 1, wholeMessage(body)))
  )
}

/** The message as it came, which the NOTIFICATION carries back. */
const wholeMessage = (body: Uint8Array): Uint8Array =>
  concatBytes([new Uint8Array(16).fill(0xff), u16(19 + body.length), Uint8Array.of(5), body])

/** The mark before or after a family's routes that are sent again: BoRR and EoRR of RFC 7313 §3.2. */
export const refreshMark = (family: Family, subtype: "begin" | "end"): BgpRouteRefresh => ({
  _tag: "RouteRefresh",
  afi: afiOf(family),
  subtype: refreshSubtypes[subtype],
  safi: safiUnicast
})
