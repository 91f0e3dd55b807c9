import { assert, it } from "@effect/vitest"
import { u16 as twoOctets } from "@lowtide/bgp/wire/bytes"
import type { IpAddress } from "@lowtide/net"
import { Result, Schema } from "effect"
import * as Arbitrary from "effect/Arbitrary"
import { takeBmpFrame } from "../src/wire/frame.ts"
import { decodeBmp, encodeBmp, type KnownBmpMessage } from "../src/wire/message.ts"
import { type PeerHeader, peerTypes } from "../src/wire/peer-header.ts"

const between = (minimum: number, maximum: number) =>
  Arbitrary.schema(Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum, maximum }))))
const u8 = between(0, 0xff)
const u16 = between(0, 0xffff)
const u32 = between(0, 0xffff_ffff)
const octets = Arbitrary.map(Arbitrary.array(u8, { maxLength: 40 }), (values) => Uint8Array.from(values))
const big = Arbitrary.map(Arbitrary.all([u32, u32]), ([high, low]) => (BigInt(high) << 32n) | BigInt(low))
const ipv4 = Arbitrary.map(u32, (value): IpAddress => ({ family: 4, value: BigInt(value) }))
const ipv6 = Arbitrary.map(
  Arbitrary.all([big, big]),
  ([high, low]): IpAddress => ({ family: 6, value: (high << 64n) | low })
)
const tlvs = Arbitrary.array(
  Arbitrary.map(Arbitrary.all([u16, octets]), ([type, value]) => ({ type, value })),
  { maxLength: 4 }
)
const views = ["adj-rib-in-pre", "adj-rib-in-post", "adj-rib-out-pre", "adj-rib-out-post", "loc-rib"] as const

/** A header as a router can send it: the Loc-RIB has no address and no A flag, other views have no F flag. */
const headers = Arbitrary.map(
  Arbitrary.all([between(0, 4), between(0, 3), ipv4, ipv6, big, u32, u32]),
  ([view, bits, four, six, distinguisher, asn, routerId]): PeerHeader => {
    const isLocRib = views[view] === "loc-rib"
    return {
      peerType: isLocRib ? peerTypes.locRib : bits % 3,
      view: views[view]!,
      legacyAsPath: !isLocRib && (bits & 1) !== 0,
      isFiltered: isLocRib && (bits & 1) !== 0,
      distinguisher,
      address: isLocRib ? { family: 4, value: 0n } : (bits & 2) !== 0 ? six : four,
      asn,
      routerId,
      seconds: asn,
      microseconds: routerId
    }
  }
)

/** A BGP message of the type, header included; its body is no matter here. */
const pdu = (type: number, fill: Uint8Array, bytesMin: number): Uint8Array => {
  const body = new Uint8Array(Math.max(bytesMin - 19, fill.length))
  body.set(fill)
  return Uint8Array.from([...Array(16).fill(0xff), ...twoOctets(19 + body.length), type, ...body])
}

const messages = Arbitrary.map(
  Arbitrary.all([between(0, 6), headers, tlvs, octets, ipv4, ipv6, u16]),
  ([kind, peer, list, fill, four, six, port]): KnownBmpMessage => {
    switch (kind) {
      case 0:
        return { _tag: "RouteMonitoring", peer, update: pdu(2, fill, 23) }
      case 1:
        return { _tag: "StatisticsReport", peer, statistics: list }
      case 2:
        return { _tag: "PeerDown", peer, reason: port & 0xff, data: fill }
      case 3: {
        const ends = { localAddress: peer.address.family === 6 ? six : four, localPort: port, remotePort: 179 }
        const opens = { sentOpen: pdu(1, fill, 29), receivedOpen: pdu(1, new Uint8Array(0), 29) }
        return { _tag: "PeerUp", peer, ...ends, ...opens, information: list }
      }
      case 4:
        return { _tag: "Initiation", information: list }
      case 5:
        return { _tag: "Termination", information: list }
      default:
        return { _tag: "RouteMirroring", peer, mirrored: list }
    }
  }
)

it.prop("a message comes back as it was written", [messages], ([message]) => {
  const bytes = encodeBmp(message)
  const frame = takeBmpFrame(bytes, 0)
  assert.strictEqual(frame._tag, "Frame")
  if (frame._tag !== "Frame") return
  assert.strictEqual(frame.end, bytes.length)
  assert.deepStrictEqual(decodeBmp(frame), Result.succeed(message))
})
