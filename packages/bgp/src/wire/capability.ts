import type { Family } from "@lowtide/net"
import { Result } from "effect"
import { concatBytes, eachOf, readU16, readU32, u16, u32 } from "./bytes.ts"
import { afiOf, familyOf, safiUnicast } from "./family.ts"

/** A capability of an OPEN (RFC 5492). What is not known here is kept as it came. */
export type Capability =
  | { readonly _tag: "MultiProtocol"; readonly afi: number; readonly safi: number }
  | { readonly _tag: "RouteRefresh" }
  | {
      readonly _tag: "GracefulRestart"
      readonly flags: number
      readonly restartTimeSeconds: number
      readonly families: ReadonlyArray<{ readonly afi: number; readonly safi: number; readonly flags: number }>
    }
  | { readonly _tag: "FourOctetAs"; readonly asn: number }
  | { readonly _tag: "UnknownCapability"; readonly code: number; readonly value: Uint8Array }

type KnownCapability = Exclude<Capability, { readonly _tag: "UnknownCapability" }>

interface CapabilityCodec<C> {
  readonly code: number
  readonly name: string
  /** Fails with what was expected. */
  readonly decode: (value: Uint8Array) => Result.Result<C, string>
  readonly encode: (capability: C) => Uint8Array
}

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
  RouteRefresh: {
    code: 2,
    name: "route refresh",
    decode: (value) => (value.length === 0 ? Result.succeed({ _tag: "RouteRefresh" }) : Result.fail("no value")),
    encode: () => new Uint8Array(0)
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
  }
}

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
