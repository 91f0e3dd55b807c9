import { addressFromBytes, addressToBytes, asTrans, type IpAddress, type LargeCommunity } from "@lowtide/net"
import { Result } from "effect"
import { type AsPathSegment, decodeAsPath, encodeAsPath } from "./as-path.ts"
import { type AttributeCodec, type MalformedValue, wrongLength } from "./attribute-codec.ts"
import { concatBytes, eachOf, readU16, readU32, u16, u32 } from "./bytes.ts"
import {
  decodeMpReach,
  decodeMpUnreach,
  encodeMpReach,
  encodeMpUnreach,
  type MpReachNlri,
  type MpUnreachNlri
} from "./reachability.ts"

/** Where a route came from, as its first speaker says: RFC 4271 §5.1.1. */
export type Origin = "igp" | "egp" | "incomplete"

const origins: ReadonlyArray<Origin> = ["igp", "egp", "incomplete"]

/** A path attribute with its value. What the table below does not know is kept with its flags and octets. */
export type PathAttribute =
  | { readonly _tag: "Origin"; readonly value: Origin }
  | { readonly _tag: "AsPath"; readonly segments: ReadonlyArray<AsPathSegment> }
  | { readonly _tag: "NextHop"; readonly address: IpAddress }
  | { readonly _tag: "MultiExitDisc"; readonly value: number }
  | { readonly _tag: "LocalPref"; readonly value: number }
  | { readonly _tag: "AtomicAggregate" }
  | { readonly _tag: "Aggregator"; readonly asn: number; readonly address: IpAddress }
  | { readonly _tag: "Communities"; readonly values: ReadonlyArray<number> }
  | { readonly _tag: "OriginatorId"; readonly routerId: number }
  | { readonly _tag: "ClusterList"; readonly ids: ReadonlyArray<number> }
  | MpReachNlri
  | MpUnreachNlri
  | { readonly _tag: "ExtendedCommunities"; readonly values: ReadonlyArray<bigint> }
  | { readonly _tag: "Ipv6ExtendedCommunities"; readonly values: ReadonlyArray<Uint8Array> }
  | { readonly _tag: "As4Path"; readonly segments: ReadonlyArray<AsPathSegment> }
  | { readonly _tag: "As4Aggregator"; readonly asn: number; readonly address: IpAddress }
  | { readonly _tag: "LargeCommunities"; readonly values: ReadonlyArray<Omit<LargeCommunity, "_tag">> }
  | { readonly _tag: "OnlyToCustomer"; readonly asn: number }
  | UnknownAttribute

/** An attribute without a definition; `flags` are as received, without the extended-length bit. */
export interface UnknownAttribute {
  readonly _tag: "UnknownAttribute"
  readonly code: number
  readonly flags: number
  readonly value: Uint8Array
}

/** The attributes that have a definition. */
export type KnownAttribute = Exclude<PathAttribute, UnknownAttribute>

/** The definition's attribute. */
export type AttributeOf<Tag extends KnownAttribute["_tag"]> = Extract<KnownAttribute, { readonly _tag: Tag }>

type DecodedAttribute<Tag extends KnownAttribute["_tag"]> = Result.Result<AttributeOf<Tag>, MalformedValue>

/** Four octets, or the reason why not. */
const fourOctets = <A>(value: Uint8Array, read: (value: Uint8Array) => A): Result.Result<A, MalformedValue> =>
  value.length === 4 ? Result.succeed(read(value)) : Result.fail(wrongLength("4 octets", value))

/** Items of `size` octets each, at least one: RFC 7606 §7.8, §7.10, §7.14, §7.15, RFC 8092 §5. */
const items = <A>(
  value: Uint8Array,
  size: number,
  read: (offset: number) => A
): Result.Result<ReadonlyArray<A>, MalformedValue> =>
  value.length > 0 && value.length % size === 0
    ? Result.succeed(eachOf(value, size, read))
    : Result.fail(wrongLength(`a multiple of ${size} octets, not none`, value))

const aggregator = <Tag extends "Aggregator" | "As4Aggregator">(_tag: Tag, value: Uint8Array, asnBytes: 2 | 4) => {
  if (value.length !== asnBytes + 4) return Result.fail(wrongLength(`${asnBytes + 4} octets`, value))
  const asn = asnBytes === 2 ? readU16(value, 0) : readU32(value, 0)
  return asn === 0
    ? Result.fail({ reason: "has AS 0, which RFC 7607 §2 forbids", subcode: 9 })
    : Result.succeed({ _tag, asn, address: addressFromBytes(value.subarray(asnBytes)) })
}

/** One row for each attribute: decoding, encoding, printing and error handling all read it from here. */
export const attributeCodecs: { readonly [Tag in KnownAttribute["_tag"]]: AttributeCodec<AttributeOf<Tag>> } = {
  /** RFC 4271 §5.1.1. */
  Origin: {
    code: 1,
    name: "ORIGIN",
    category: "well-known",
    onMalformed: "treat-as-withdraw",
    section: "RFC 7606 §7.1",
    decode: (value): DecodedAttribute<"Origin"> => {
      if (value.length !== 1) return Result.fail(wrongLength("1 octet", value))
      const origin = origins[value[0]!]
      return origin === undefined
        ? Result.fail({ reason: `expected 0, 1 or 2, found ${value[0]}`, subcode: 6 })
        : Result.succeed({ _tag: "Origin", value: origin })
    },
    encode: ({ value }) => Uint8Array.of(origins.indexOf(value))
  },
  /** RFC 4271 §5.1.2; RFC 6793 §4.1 for the width of AS numbers. */
  AsPath: {
    code: 2,
    name: "AS_PATH",
    category: "well-known",
    onMalformed: "treat-as-withdraw",
    section: "RFC 7606 §7.2",
    decode: (value, { fourOctetAs }) =>
      Result.map(decodeAsPath(value, fourOctetAs ? 4 : 2), (segments) => ({ _tag: "AsPath", segments })),
    encode: ({ segments }, { fourOctetAs }) => encodeAsPath(segments, fourOctetAs ? 4 : 2)
  },
  /** RFC 4271 §5.1.3: the next hop of the prefixes in the UPDATE's own NLRI field. */
  NextHop: {
    code: 3,
    name: "NEXT_HOP",
    category: "well-known",
    onMalformed: "treat-as-withdraw",
    section: "RFC 7606 §7.3",
    decode: (value) => fourOctets(value, (octets) => ({ _tag: "NextHop", address: addressFromBytes(octets) })),
    encode: ({ address }) => addressToBytes(address)
  },
  /** RFC 4271 §5.1.4: lower is preferred among routes of one neighbouring AS. */
  MultiExitDisc: {
    code: 4,
    name: "MULTI_EXIT_DISC",
    category: "optional-non-transitive",
    onMalformed: "treat-as-withdraw",
    section: "RFC 7606 §7.4",
    decode: (value) => fourOctets(value, (octets) => ({ _tag: "MultiExitDisc", value: readU32(octets, 0) })),
    encode: ({ value }) => u32(value)
  },
  /** RFC 4271 §5.1.5: higher is preferred; sent to internal peers only. */
  LocalPref: {
    code: 5,
    name: "LOCAL_PREF",
    category: "well-known",
    onMalformed: "treat-as-withdraw",
    section: "RFC 7606 §7.5",
    internalOnly: true,
    decode: (value) => fourOctets(value, (octets) => ({ _tag: "LocalPref", value: readU32(octets, 0) })),
    encode: ({ value }) => u32(value)
  },
  /** RFC 4271 §5.1.6. */
  AtomicAggregate: {
    code: 6,
    name: "ATOMIC_AGGREGATE",
    category: "well-known",
    onMalformed: "attribute-discard",
    section: "RFC 7606 §7.6",
    decode: (value) =>
      value.length === 0 ? Result.succeed({ _tag: "AtomicAggregate" }) : Result.fail(wrongLength("0 octets", value)),
    encode: () => new Uint8Array(0)
  },
  /** RFC 4271 §5.1.7; RFC 6793 §4.1 for the width of the AS number. */
  Aggregator: {
    code: 7,
    name: "AGGREGATOR",
    category: "optional-transitive",
    onMalformed: "attribute-discard",
    section: "RFC 7606 §7.7",
    decode: (value, { fourOctetAs }) => aggregator("Aggregator", value, fourOctetAs ? 4 : 2),
    encode: ({ asn, address }, { fourOctetAs }) =>
      concatBytes([fourOctetAs ? u32(asn) : u16(asn > 0xffff ? asTrans : asn), addressToBytes(address)])
  },
  /** RFC 1997. */
  Communities: {
    code: 8,
    name: "COMMUNITIES",
    category: "optional-transitive",
    onMalformed: "treat-as-withdraw",
    section: "RFC 7606 §7.8",
    decode: (value) =>
      Result.map(
        items(value, 4, (offset) => readU32(value, offset)),
        (values) => ({ _tag: "Communities", values })
      ),
    encode: ({ values }) => concatBytes(values.map(u32))
  },
  /** RFC 4456 §8. */
  OriginatorId: {
    code: 9,
    name: "ORIGINATOR_ID",
    category: "optional-non-transitive",
    onMalformed: "treat-as-withdraw",
    section: "RFC 7606 §7.9",
    internalOnly: true,
    decode: (value) => fourOctets(value, (octets) => ({ _tag: "OriginatorId", routerId: readU32(octets, 0) })),
    encode: ({ routerId }) => u32(routerId)
  },
  /** RFC 4456 §8. */
  ClusterList: {
    code: 10,
    name: "CLUSTER_LIST",
    category: "optional-non-transitive",
    onMalformed: "treat-as-withdraw",
    section: "RFC 7606 §7.10",
    internalOnly: true,
    decode: (value) =>
      Result.map(
        items(value, 4, (offset) => readU32(value, offset)),
        (ids) => ({ _tag: "ClusterList", ids })
      ),
    encode: ({ ids }) => concatBytes(ids.map(u32))
  },
  /** RFC 4760 §3. What it announces cannot be told when it is malformed, so there is nothing milder to do. */
  MpReachNlri: {
    code: 14,
    name: "MP_REACH_NLRI",
    category: "optional-non-transitive",
    onMalformed: "session-reset",
    section: "RFC 7606 §7.11",
    decode: decodeMpReach,
    encode: encodeMpReach
  },
  /** RFC 4760 §4. */
  MpUnreachNlri: {
    code: 15,
    name: "MP_UNREACH_NLRI",
    category: "optional-non-transitive",
    onMalformed: "session-reset",
    section: "RFC 7606 §7.12",
    decode: decodeMpUnreach,
    encode: encodeMpUnreach
  },
  /** RFC 4360 §2. */
  ExtendedCommunities: {
    code: 16,
    name: "EXTENDED COMMUNITIES",
    category: "optional-transitive",
    onMalformed: "treat-as-withdraw",
    section: "RFC 7606 §7.14",
    decode: (value) =>
      Result.map(
        items(value, 8, (offset) => (BigInt(readU32(value, offset)) << 32n) | BigInt(readU32(value, offset + 4))),
        (values) => ({ _tag: "ExtendedCommunities", values })
      ),
    encode: ({ values }) =>
      concatBytes(values.flatMap((value) => [u32(Number(value >> 32n)), u32(Number(value & 0xffff_ffffn))]))
  },
  /** RFC 6793 §3: the true path, beside an AS_PATH of two octets. */
  As4Path: {
    code: 17,
    name: "AS4_PATH",
    category: "optional-transitive",
    onMalformed: "attribute-discard",
    section: "RFC 6793 §6",
    twoOctetPeersOnly: true,
    decode: (value) =>
      value.length < 6
        ? Result.fail(wrongLength("at least 6 octets", value))
        : Result.map(decodeAsPath(value, 4), (segments) => ({ _tag: "As4Path", segments })),
    encode: ({ segments }) => encodeAsPath(segments, 4)
  },
  /** RFC 6793 §3. */
  As4Aggregator: {
    code: 18,
    name: "AS4_AGGREGATOR",
    category: "optional-transitive",
    onMalformed: "attribute-discard",
    section: "RFC 6793 §6",
    twoOctetPeersOnly: true,
    decode: (value) => aggregator("As4Aggregator", value, 4),
    encode: ({ asn, address }) => concatBytes([u32(asn), addressToBytes(address)])
  },
  /** RFC 5701 §2: 20 octets each, an IPv6 address within. */
  Ipv6ExtendedCommunities: {
    code: 25,
    name: "IPv6 EXTENDED COMMUNITIES",
    category: "optional-transitive",
    onMalformed: "treat-as-withdraw",
    section: "RFC 7606 §7.15",
    decode: (value) =>
      Result.map(
        items(value, 20, (offset) => value.slice(offset, offset + 20)),
        (values) => ({ _tag: "Ipv6ExtendedCommunities", values })
      ),
    encode: ({ values }) => concatBytes(values)
  },
  /** RFC 8092. */
  LargeCommunities: {
    code: 32,
    name: "LARGE_COMMUNITY",
    category: "optional-transitive",
    onMalformed: "treat-as-withdraw",
    section: "RFC 8092 §5",
    decode: (value) =>
      Result.map(
        items(value, 12, (offset) => ({
          globalAdministrator: readU32(value, offset),
          data1: readU32(value, offset + 4),
          data2: readU32(value, offset + 8)
        })),
        (values) => ({ _tag: "LargeCommunities", values })
      ),
    encode: ({ values }) =>
      concatBytes(
        values.flatMap(({ globalAdministrator, data1, data2 }) => [u32(globalAdministrator), u32(data1), u32(data2)])
      )
  },
  /** RFC 9234 §5: the AS that first sent the route to a customer or a peer. */
  OnlyToCustomer: {
    code: 35,
    name: "ONLY_TO_CUSTOMER",
    category: "optional-transitive",
    onMalformed: "treat-as-withdraw",
    section: "RFC 9234 §5",
    decode: (value) => fourOctets(value, (octets) => ({ _tag: "OnlyToCustomer", asn: readU32(octets, 0) })),
    encode: ({ asn }) => u32(asn)
  }
}
