import { assert, describe, it } from "@effect/vitest"
import { type IpAddress, prefixOf } from "@lowtide/net"
import { Result, Schema } from "effect"
import * as Arbitrary from "effect/Arbitrary"
import type { Capability } from "../src/wire/capability.ts"
import { type BgpMessage, decodeBody, encodeMessage, messageBytesMax, takeFrame } from "../src/wire/message.ts"
import { attributeCodecs, type KnownAttribute } from "../src/wire/path-attributes.ts"

const between = (minimum: number, maximum: number) =>
  Arbitrary.schema(Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum, maximum }))))
const u8 = between(0, 0xff)
const u16 = between(0, 0xffff)
const u32 = between(0, 0xffff_ffff)
const some = <A>(item: Arbitrary.Arbitrary<A>, minLength = 0, maxLength = 12) =>
  Arbitrary.array(item, { minLength, maxLength })
const bytes = Arbitrary.map(some(u8), (values) => Uint8Array.from(values))
const big = Arbitrary.map(Arbitrary.all([u32, u32]), ([high, low]) => (BigInt(high) << 32n) | BigInt(low))
const ipv4 = Arbitrary.map(u32, (value): IpAddress => ({ family: 4, value: BigInt(value) }))
const ipv6 = Arbitrary.map(
  Arbitrary.all([big, big]),
  ([high, low]): IpAddress => ({ family: 6, value: (high << 64n) | low })
)
const prefix4 = Arbitrary.map(Arbitrary.all([ipv4, between(0, 32)]), ([address, length]) => prefixOf(address, length))
const prefix6 = Arbitrary.map(Arbitrary.all([ipv6, between(0, 128)]), ([address, length]) => prefixOf(address, length))
const kinds = ["set", "sequence", "confed-sequence", "confed-set"] as const
const asn = between(1, 0xffff_ffff)
const segment = Arbitrary.map(Arbitrary.all([between(0, 3), some(asn, 1, 20)]), ([kind, asns]) => ({
  kind: kinds[kind]!,
  asns
}))
const origins = ["igp", "egp", "incomplete"] as const

/** One arbitrary for each row of the table, so that a new attribute without one fails to compile. */
const attributes: {
  readonly [Tag in KnownAttribute["_tag"]]: Arbitrary.Arbitrary<Extract<KnownAttribute, { readonly _tag: Tag }>>
} = {
  Origin: Arbitrary.map(between(0, 2), (value) => ({ _tag: "Origin", value: origins[value]! })),
  AsPath: Arbitrary.map(some(segment), (segments) => ({ _tag: "AsPath", segments })),
  NextHop: Arbitrary.map(ipv4, (address) => ({ _tag: "NextHop", address })),
  MultiExitDisc: Arbitrary.map(u32, (value) => ({ _tag: "MultiExitDisc", value })),
  LocalPref: Arbitrary.map(u32, (value) => ({ _tag: "LocalPref", value })),
  AtomicAggregate: Arbitrary.Constant({ _tag: "AtomicAggregate" }),
  Aggregator: Arbitrary.map(Arbitrary.all([asn, ipv4]), ([asn, address]) => ({ _tag: "Aggregator", asn, address })),
  Communities: Arbitrary.map(some(u32, 1), (values) => ({ _tag: "Communities", values })),
  OriginatorId: Arbitrary.map(u32, (routerId) => ({ _tag: "OriginatorId", routerId })),
  ClusterList: Arbitrary.map(some(u32, 1), (ids) => ({ _tag: "ClusterList", ids })),
  MpReachNlri: Arbitrary.map(
    Arbitrary.all([ipv6, ipv6, some(prefix6, 1), u8]),
    ([nextHop, linkLocalNextHop, nlri, kind]) =>
      kind < 80
        ? { _tag: "MpReachNlri", family: 6, nextHop, nlri }
        : kind < 160
          ? { _tag: "MpReachNlri", family: 6, nextHop, linkLocalNextHop, nlri }
          : { _tag: "MpReachNlri", family: "other", afi: 1, safi: 128, rest: Uint8Array.of(0, 0, kind) }
  ),
  MpUnreachNlri: Arbitrary.map(some(prefix6), (withdrawn) => ({ _tag: "MpUnreachNlri", family: 6, withdrawn })),
  ExtendedCommunities: Arbitrary.map(some(big, 1), (values) => ({ _tag: "ExtendedCommunities", values })),
  Ipv6ExtendedCommunities: Arbitrary.map(some(some(u8, 20, 20), 1), (values) => ({
    _tag: "Ipv6ExtendedCommunities",
    values: values.map((value) => Uint8Array.from(value))
  })),
  OnlyToCustomer: Arbitrary.map(u32, (asn) => ({ _tag: "OnlyToCustomer", asn })),
  As4Path: Arbitrary.map(some(segment, 1), (segments) => ({ _tag: "As4Path", segments })),
  As4Aggregator: Arbitrary.map(Arbitrary.all([asn, ipv4]), ([asn, address]) => ({
    _tag: "As4Aggregator",
    asn,
    address
  })),
  LargeCommunities: Arbitrary.map(
    some(Arbitrary.all({ globalAdministrator: u32, data1: u32, data2: u32 }), 1),
    (values) => ({ _tag: "LargeCommunities", values })
  )
}

const fourOctetPeer = { fourOctetAs: true, isInternal: true }

/** What only a two-octet peer may send. */
const twoOctetPeersOnly = (tag: string) => attributeCodecs[tag as KnownAttribute["_tag"]].twoOctetPeersOnly === true

const roundTrip = (message: BgpMessage, context = fourOctetPeer): BgpMessage => {
  const encoded = encodeMessage(message, context)
  const frame = takeFrame(encoded, 0)
  if (frame._tag !== "Frame") throw new Error(`not a whole message: ${JSON.stringify(frame)}`)
  assert.strictEqual(frame.end, encoded.length)
  return Result.getOrThrow(decodeBody(frame, context))
}

describe("decode(encode(x)) = x for each path attribute", () => {
  for (const [tag, arbitrary] of Object.entries(attributes)) {
    const { name } = attributeCodecs[tag as KnownAttribute["_tag"]]
    it.prop(name, [arbitrary as Arbitrary.Arbitrary<KnownAttribute>], ([attribute]) => {
      const update = { _tag: "Update", withdrawn: [], attributes: [attribute], nlri: [], faults: [] } as const
      const decoded = roundTrip(update, { fourOctetAs: !twoOctetPeersOnly(tag), isInternal: true })
      assert.deepStrictEqual(decoded._tag === "Update" && decoded.attributes, [attribute])
    })
  }
})

const capability: Arbitrary.Arbitrary<Capability> = Arbitrary.map(
  Arbitrary.all([between(0, 4), u16, between(1, 0xffff_ffff), bytes]),
  ([kind, number, asn, value]): Capability =>
    kind === 0
      ? { _tag: "MultiProtocol", afi: number, safi: number & 0xff }
      : kind === 1
        ? { _tag: "RouteRefresh" }
        : kind === 2
          ? {
              _tag: "GracefulRestart",
              flags: number & 0xf,
              restartTimeSeconds: number & 0xfff,
              families: [{ afi: number, safi: 1, flags: 128 }]
            }
          : kind === 3
            ? { _tag: "FourOctetAs", asn }
            : { _tag: "UnknownCapability", code: 128 + (number & 0x7f), value }
)

const ofFourOctetPeers = Object.entries(attributes).flatMap(([tag, arbitrary]) =>
  twoOctetPeersOnly(tag) ? [] : [arbitrary as Arbitrary.Arbitrary<KnownAttribute>]
)

describe("decode(encode(x)) = x for each message", () => {
  it.prop(
    "OPEN",
    [Arbitrary.all([between(1, 0xffff), between(3, 0xffff), between(1, 0xffff_ffff), some(capability, 0, 30)])],
    ([[asn, holdTimeSeconds, routerId, capabilities]]) => {
      const trueAsn = capabilities.findLast((each) => each._tag === "FourOctetAs")?.asn ?? asn
      const open = { _tag: "Open", version: 4, asn: trueAsn, holdTimeSeconds, routerId, capabilities } as const
      assert.deepStrictEqual(roundTrip(open), open)
    }
  )
  it.prop(
    "UPDATE",
    [Arbitrary.all([some(prefix4), some(prefix4), ...ofFourOctetPeers])],
    ([[withdrawn, nlri, ...list]]) => {
      // Sent in the order that RFC 7606 §5.1 and RFC 4271 §5 ask for, so compared in any order.
      const update = {
        _tag: "Update",
        withdrawn,
        attributes: list as ReadonlyArray<KnownAttribute>,
        nlri,
        faults: []
      } as const
      const encoded = encodeMessage(update, fourOctetPeer)
      if (encoded.length > messageBytesMax) return
      const decoded = roundTrip(update)
      assert.isTrue(decoded._tag === "Update")
      if (decoded._tag !== "Update") return
      assert.deepStrictEqual({ ...decoded, attributes: [] }, { ...update, attributes: [] })
      assert.sameDeepMembers([...decoded.attributes], [...update.attributes])
    }
  )
  it.prop("NOTIFICATION", [Arbitrary.all([u8, u8, bytes])], ([[code, subcode, data]]) => {
    const notification = { _tag: "Notification", code, subcode, data } as const
    assert.deepStrictEqual(roundTrip(notification), notification)
  })
  it.prop("ROUTE-REFRESH", [Arbitrary.all([u16, u8, u8])], ([[afi, subtype, safi]]) => {
    const refresh = { _tag: "RouteRefresh", afi, subtype, safi } as const
    assert.deepStrictEqual(roundTrip(refresh), refresh)
  })
})
