import { concatBytes, readU16, u16 } from "./bytes.ts"

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

/** Reads a body of four octets (the header check made sure of that). */
export const decodeRouteRefresh = (body: Uint8Array): BgpRouteRefresh => ({
  _tag: "RouteRefresh",
  afi: readU16(body, 0),
  subtype: body[2]!,
  safi: body[3]!
})
