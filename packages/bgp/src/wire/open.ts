import { asTrans } from "@lowtide/net"
import { Result } from "effect"
import { concatBytes, readU16, readU32, u16, u32 } from "./bytes.ts"
import { type Capability, decodeCapabilities, encodeCapability } from "./capability.ts"
import { notification, type WireFault, wireFault } from "./notification.ts"

/** OPEN, RFC 4271 §4.2. `asn` is the true one: the four-octet capability's where it is there (RFC 6793 §4.1). */
export interface BgpOpen {
  readonly _tag: "Open"
  readonly version: number
  readonly asn: number
  readonly holdTimeSeconds: number
  /** The BGP Identifier as an unsigned 32-bit number (RFC 6286). */
  readonly routerId: number
  readonly capabilities: ReadonlyArray<Capability>
}

/** The version spoken here. */
export const bgpVersion = 4

const parameterCapabilities = 2 // RFC 5492 §4
const extendedLength = 255 // RFC 9072 §2: both the length octet and, which decides, the type of the first parameter

/**
 * The body of an OPEN. An AS number beyond two octets stands in `capabilities` (RFC 6793); AS_TRANS then fills the
 * fixed field. All capabilities go into one parameter, in the extended form of RFC 9072 when they need more than 253 octets.
 */
export const encodeOpen = (open: BgpOpen): Uint8Array => {
  const capabilities = concatBytes(open.capabilities.map(encodeCapability))
  const fixed = concatBytes([
    Uint8Array.of(open.version),
    u16(open.asn > 0xffff ? asTrans : open.asn),
    u16(open.holdTimeSeconds),
    u32(open.routerId)
  ])
  if (capabilities.length === 0) return concatBytes([fixed, Uint8Array.of(0)])
  if (capabilities.length <= 253) {
    const head = Uint8Array.of(capabilities.length + 2, parameterCapabilities, capabilities.length)
    return concatBytes([fixed, head, capabilities])
  }
  const head = concatBytes([
    Uint8Array.of(extendedLength, extendedLength),
    u16(capabilities.length + 3),
    Uint8Array.of(parameterCapabilities),
    u16(capabilities.length)
  ])
  return concatBytes([fixed, head, capabilities])
}

/** Reads a body of ten octets or more (the header check made sure of that). */
export const decodeOpen = (body: Uint8Array): Result.Result<BgpOpen, WireFault> => {
  const version = body[0]!
  if (version !== bgpVersion) {
    // The data is the largest version supported that is below the peer's: there is only one.
    return Result.fail(
      wireFault(`expected BGP version 4, found ${version}`, "RFC 4271 §6.2", notification(2, 1, u16(bgpVersion)))
    )
  }
  const parameters = optionalParameters(body)
  if (Result.isFailure(parameters)) return Result.fail(parameters.failure)
  const capabilities: Array<Capability> = []
  for (const { type, value } of parameters.success) {
    if (type !== parameterCapabilities) {
      const reason = `expected optional parameter 2 (capabilities), found ${type}`
      return Result.fail(wireFault(reason, "RFC 4271 §6.2", notification(2, 4)))
    }
    const decoded = decodeCapabilities(value)
    if (Result.isFailure(decoded)) return Result.fail(malformed(decoded.failure))
    capabilities.push(...decoded.success)
  }
  const fourOctet = capabilities.findLast((capability) => capability._tag === "FourOctetAs")
  const ownField = readU16(body, 1)
  const asn = fourOctet?.asn ?? ownField
  const routerId = readU32(body, 5)
  if (asn === 0 || ownField === 0)
    return Result.fail(wireFault("the peer's AS number is 0", "RFC 7607 §2", notification(2, 2)))
  if (routerId === 0) {
    return Result.fail(wireFault("the peer's BGP Identifier is 0.0.0.0", "RFC 6286 §2.1", notification(2, 3)))
  }
  const holdTimeSeconds = readU16(body, 3)
  if (holdTimeSeconds === 1 || holdTimeSeconds === 2) {
    const reason = `expected a hold time of 0 or at least 3 s, found ${holdTimeSeconds} s`
    return Result.fail(wireFault(reason, "RFC 4271 §6.2", notification(2, 6)))
  }
  return Result.succeed({ _tag: "Open", version, asn, holdTimeSeconds, routerId, capabilities })
}

/** The numbers of the roles that the peer says it has; one, if it keeps to RFC 9234 §4.1. */
export const rolesTold = ({ capabilities }: BgpOpen): ReadonlyArray<number> =>
  capabilities.flatMap((capability) => (capability._tag === "Role" ? capability.code : []))

/** RFC 4271 §6.2: a malformed optional parameter is subcode 0, unspecific. */
const malformed = (reason: string): WireFault => wireFault(reason, "RFC 4271 §6.2", notification(2, 0))

interface OptionalParameter {
  readonly type: number
  readonly value: Uint8Array
}

/**
 * The parameters in either form: one octet of length (RFC 4271) or two (RFC 9072 §2). The type alone tells which; the first
 * length only has to be there.
 */
const optionalParameters = (body: Uint8Array): Result.Result<ReadonlyArray<OptionalParameter>, WireFault> => {
  const isExtended = body[9] !== 0 && body[10] === extendedLength
  if (isExtended && body.length < 13) return Result.fail(malformed("the length of long optional parameters is cut off"))
  const start = isExtended ? 13 : 10
  const expected = isExtended ? readU16(body, 11) : body[9]!
  if (body.length - start !== expected) {
    return Result.fail(malformed(`expected ${expected} octets of optional parameters, found ${body.length - start}`))
  }
  const lengthBytes = isExtended ? 2 : 1
  const parameters: Array<OptionalParameter> = []
  for (let offset = start; offset < body.length; ) {
    const valueAt = offset + 1 + lengthBytes
    if (valueAt > body.length) return Result.fail(malformed("an optional parameter has no length"))
    const length = isExtended ? readU16(body, offset + 1) : body[offset + 1]!
    if (valueAt + length > body.length) {
      return Result.fail(malformed(`optional parameter ${body[offset]} runs past the end of the message`))
    }
    parameters.push({ type: body[offset]!, value: body.subarray(valueAt, valueAt + length) })
    offset = valueAt + length
  }
  return Result.succeed(parameters)
}
