import type { Family } from "@lowtide/net"
import { Result } from "effect"
import { concatBytes, eachOf, readU16, readU32, u16, u32 } from "./bytes.ts"
import { afiOf, familyOf, safiUnicast } from "./family.ts"

/** A capability of an OPEN (RFC 5492). What is not known here is kept as it came. */
export type Capability =
  | { readonly _tag: "MultiProtocol"; readonly afi: number; readonly safi: number }
  | { readonly _tag: "RouteRefresh" }
  /** Which (AFI, SAFI) may have next hops of which other AFI. */
  | {
      readonly _tag: "ExtendedNextHop"
      readonly encodings: ReadonlyArray<{ readonly afi: number; readonly safi: number; readonly nextHopAfi: number }>
    }
  | { readonly _tag: "ExtendedMessage" }
  /** `code` as IANA numbers roles: `roleOf` names it. */
  | { readonly _tag: "Role"; readonly code: number }
  | {
      readonly _tag: "GracefulRestart"
      readonly flags: number
      readonly restartTimeSeconds: number
      readonly families: ReadonlyArray<{ readonly afi: number; readonly safi: number; readonly flags: number }>
    }
  | { readonly _tag: "FourOctetAs"; readonly asn: number }
  | { readonly _tag: "EnhancedRouteRefresh" }
  | { readonly _tag: "UnknownCapability"; readonly code: number; readonly value: Uint8Array }

type KnownCapability = Exclude<Capability, { readonly _tag: "UnknownCapability" }>

interface CapabilityCodec<C> {
  readonly code: number
  readonly name: string
  /** Fails with what was expected. */
  readonly decode: (value: Uint8Array) => Result.Result<C, string>
  readonly encode: (capability: C) => Uint8Array
}

/** A capability that has no value: its presence says all. */
const bare = <Tag extends "RouteRefresh" | "ExtendedMessage" | "EnhancedRouteRefresh">(
  _tag: Tag,
  code: number,
  name: string
): CapabilityCodec<{ readonly _tag: Tag }> => ({
  code,
  name,
  decode: (value) => (value.length === 0 ? Result.succeed({ _tag }) : Result.fail("no value")),
  encode: () => new Uint8Array(0)
})

/** One definition for each capability that is understood. */
export const capabilityCodecs: {
  readonly [Tag in KnownCapability["_tag"]]: CapabilityCodec<Extract<KnownCapability, { readonly _tag: Tag }>>
} = {
  /** RFC 4760 §8: AFI, a reserved octet, SAFI. */
  MultiProtocol: {
    code: 1,
    name: "multiprotocol",
    decode: (value) =>
      value.length === 4
        ? Result.succeed({ _tag: "MultiProtocol", afi: readU16(value, 0), safi: value[3]! })
        : Result.fail("4 octets"),
    encode: ({ afi, safi }) => concatBytes([u16(afi), Uint8Array.of(0, safi)])
  },
  /** RFC 2918 §2. */
  RouteRefresh: bare("RouteRefresh", 2, "route refresh"),
  /** RFC 8950 §4: six octets for each, the SAFI in two. */
  ExtendedNextHop: {
    code: 5,
    name: "extended next hop encoding",
    decode: (value) =>
      value.length % 6 === 0
        ? Result.succeed({
            _tag: "ExtendedNextHop",
            encodings: eachOf(value, 6, (offset) => ({
              afi: readU16(value, offset),
              safi: readU16(value, offset + 2),
              nextHopAfi: readU16(value, offset + 4)
            }))
          })
        : Result.fail("6 octets for each"),
    encode: ({ encodings }) =>
      concatBytes(encodings.flatMap(({ afi, safi, nextHopAfi }) => [u16(afi), u16(safi), u16(nextHopAfi)]))
  },
  /** RFC 8654 §3. */
  ExtendedMessage: bare("ExtendedMessage", 6, "extended message"),
  /** RFC 9234 §4.1. */
  Role: {
    code: 9,
    name: "role",
    decode: (value) =>
      value.length === 1 ? Result.succeed({ _tag: "Role", code: value[0]! }) : Result.fail("1 octet"),
    encode: ({ code }) => Uint8Array.of(code)
  },
  /** RFC 4724 §3: four bits of flags, twelve of restart time, then four octets a family. */
  GracefulRestart: {
    code: 64,
    name: "graceful restart",
    decode: (value) =>
      value.length >= 2 && value.length % 4 === 2
        ? Result.succeed({
            _tag: "GracefulRestart",
            flags: value[0]! >>> 4,
            restartTimeSeconds: readU16(value, 0) & 0xfff,
            families: eachOf(value.subarray(2), 4, (offset) => ({
              afi: readU16(value, 2 + offset),
              safi: value[offset + 4]!,
              flags: value[offset + 5]!
            }))
          })
        : Result.fail("2 octets and 4 for each family"),
    encode: ({ flags, restartTimeSeconds, families }) =>
      concatBytes([
        u16((flags << 12) | restartTimeSeconds),
        ...families.map(({ afi, safi, flags }) => concatBytes([u16(afi), Uint8Array.of(safi, flags)]))
      ])
  },
  /** RFC 6793 §3. */
  FourOctetAs: {
    code: 65,
    name: "four-octet AS number",
    decode: (value) =>
      value.length === 4 ? Result.succeed({ _tag: "FourOctetAs", asn: readU32(value, 0) }) : Result.fail("4 octets"),
    encode: ({ asn }) => u32(asn)
  },
  /** RFC 7313 §3.1. */
  EnhancedRouteRefresh: bare("EnhancedRouteRefresh", 70, "enhanced route refresh")
}

/** Bits of the graceful restart capability: RFC 4724 §3, and N of RFC 8538 §2. */
export const restartFlags = { restarted: 0x8, notification: 0x4, forwardingPreserved: 0x80 } as const

/** The longest restart time that fits the capability. */
export const restartTimeSecondsMax = 4095

/** The capability that says a unicast family will be spoken. */
export const multiProtocol = (family: Family): Capability => ({
  _tag: "MultiProtocol",
  afi: afiOf(family),
  safi: safiUnicast
})

/**
 * The unicast families a peer's capabilities offer. Without any multiprotocol capability that is IPv4 alone: RFC 4271
 * knows no other.
 */
export const familiesOffered = (capabilities: ReadonlyArray<Capability>): ReadonlyArray<Family> => {
  const offers = capabilities.filter((capability) => capability._tag === "MultiProtocol")
  if (offers.length === 0) return [4]
  const families = offers.map(({ afi, safi }) => familyOf(afi, safi)).filter((family) => family !== undefined)
  return [...new Set(families)]
}

/** Code, length, value: RFC 5492 §4. */
export const encodeCapability = (capability: Capability): Uint8Array => {
  if (capability._tag === "UnknownCapability") return tlv(capability.code, capability.value)
  // The table's row for a tag takes that tag's variant, which the compiler cannot follow through the lookup.
  const codec = capabilityCodecs[capability._tag] as CapabilityCodec<KnownCapability>
  return tlv(codec.code, codec.encode(capability))
}

const tlv = (code: number, value: Uint8Array): Uint8Array => concatBytes([Uint8Array.of(code, value.length), value])

const codecByCode = new Map<number, CapabilityCodec<KnownCapability>>(
  Object.values(capabilityCodecs).map((codec) => [codec.code, codec as CapabilityCodec<KnownCapability>])
)

/** Reads the value of one Capabilities parameter: capabilities one after the other. Fails with a sentence. */
export const decodeCapabilities = (bytes: Uint8Array): Result.Result<ReadonlyArray<Capability>, string> => {
  const capabilities: Array<Capability> = []
  for (let offset = 0; offset < bytes.length; ) {
    const code = bytes[offset]!
    const length = bytes[offset + 1]
    if (length === undefined || offset + 2 + length > bytes.length) {
      return Result.fail(`capability ${code} runs past the end of its parameter`)
    }
    const value = bytes.slice(offset + 2, offset + 2 + length)
    const codec = codecByCode.get(code)
    if (codec === undefined) capabilities.push({ _tag: "UnknownCapability", code, value })
    else {
      const decoded = codec.decode(value)
      if (Result.isFailure(decoded)) {
        return Result.fail(`capability ${code} (${codec.name}): expected ${decoded.failure}, found ${length} octets`)
      }
      capabilities.push(decoded.success)
    }
    offset += 2 + length
  }
  return Result.succeed(capabilities)
}
