import { Result } from "effect"
import {
  type AttributeCodec,
  type AttributeContext,
  attributeFlags,
  categoryFlags,
  type FaultAction
} from "./attribute-codec.ts"
import { concatBytes, readU16, u16 } from "./bytes.ts"
import { type BgpNotification, notification, type WireFault, wireFault } from "./notification.ts"
import { attributeCodecs, type KnownAttribute, type PathAttribute } from "./path-attributes.ts"

/** Something malformed that does not end the session: what it was, and what RFC 7606 asks for. */
export interface AttributeFault {
  readonly attribute: string
  readonly reason: string
  readonly section: string
  readonly action: Exclude<FaultAction, "session-reset">
  /** What RFC 4271 §6.3 answers it with, for where nothing milder can be done. */
  readonly notification: BgpNotification
}

/** The attributes that could be read, and what was wrong with the others. */
export interface AttributeList {
  readonly attributes: ReadonlyArray<PathAttribute>
  readonly faults: ReadonlyArray<AttributeFault>
}

const codecByCode = new Map<number, AttributeCodec<KnownAttribute>>(
  Object.values(attributeCodecs).map((codec) => [codec.code, codec as AttributeCodec<KnownAttribute>])
)

/** The name of an attribute type code, `type 99` where it has no definition. */
export const attributeName = (code: number): string => codecByCode.get(code)?.name ?? `type ${code}`

/** The type code of an attribute. */
export const attributeCode = (attribute: PathAttribute): number =>
  attribute._tag === "UnknownAttribute" ? attribute.code : attributeCodecs[attribute._tag].code

/** One attribute on the wire: flags, type, a length of one or two octets, value (RFC 4271 §4.3). */
export const encodeAttribute = (attribute: PathAttribute, context: AttributeContext): Uint8Array => {
  if (attribute._tag === "UnknownAttribute") return framed(attribute.flags, attribute.code, attribute.value)
  // The table's row for a tag takes that tag's variant, which the compiler cannot follow through the lookup.
  const codec = attributeCodecs[attribute._tag] as AttributeCodec<KnownAttribute>
  return framed(categoryFlags(codec.category), codec.code, codec.encode(attribute, context))
}

const framed = (flags: number, code: number, value: Uint8Array): Uint8Array =>
  value.length > 255
    ? concatBytes([Uint8Array.of(flags | attributeFlags.extendedLength, code), u16(value.length), value])
    : concatBytes([Uint8Array.of(flags, code, value.length), value])

/**
 * Attributes in the order a sender owes: reachability first (RFC 7606 §5.1), then by type code (RFC 4271 §5).
 */
export const encodeAttributes = (attributes: ReadonlyArray<PathAttribute>, context: AttributeContext): Uint8Array => {
  const rank = (attribute: PathAttribute): number =>
    attribute._tag === "MpReachNlri" || attribute._tag === "MpUnreachNlri" ? 0 : attributeCode(attribute)
  const ordered = attributes.toSorted((left, right) => rank(left) - rank(right))
  return concatBytes(ordered.map((attribute) => encodeAttribute(attribute, context)))
}

/**
 * Reads an UPDATE's path attributes. Fails only where RFC 7606 leaves nothing but a session reset; milder faults come
 * back beside the attributes that could be read.
 */
export const decodeAttributes = (
  bytes: Uint8Array,
  context: AttributeContext
): Result.Result<AttributeList, WireFault> => {
  const attributes: Array<PathAttribute> = []
  const faults: Array<AttributeFault> = []
  const seen = new Set<number>()
  for (let offset = 0; offset < bytes.length; ) {
    const frame = frameAt(bytes, offset)
    if (frame === undefined) {
      const reason = `an attribute at octet ${offset} runs past the end of the list of ${bytes.length} octets`
      const answer = notification(3, 1)
      const code = bytes[offset + 1]
      if (code !== undefined && isReachability(code)) {
        return Result.fail(wireFault(`${attributeName(code)}: ${reason}`, "RFC 7606 §3 (j)", answer))
      }
      const section = "RFC 7606 §4"
      faults.push({ attribute: "path attributes", reason, section, action: "treat-as-withdraw", notification: answer })
      break
    }
    offset = frame.end
    const isRepeated = seen.has(frame.code)
    seen.add(frame.code)
    if (isRepeated) {
      const repeated = repeatedAttribute(frame)
      if (repeated._tag === "WireFault") return Result.fail(repeated)
      faults.push(repeated.fault)
      continue
    }
    const outcome = decodeFrame(frame, context)
    if (outcome._tag === "WireFault") return Result.fail(outcome)
    if (outcome._tag === "Fault") faults.push(outcome.fault)
    else attributes.push(outcome.attribute)
  }
  return Result.succeed({ attributes, faults })
}

/** MP_REACH_NLRI and MP_UNREACH_NLRI: without them it is not known which routes an UPDATE is about. */
const isReachability = (code: number): boolean =>
  code === attributeCodecs.MpReachNlri.code || code === attributeCodecs.MpUnreachNlri.code

interface Frame {
  readonly flags: number
  readonly code: number
  readonly value: Uint8Array
  /** The whole attribute, as a NOTIFICATION's data wants it (RFC 4271 §6.3). */
  readonly whole: Uint8Array
  readonly end: number
}

const frameAt = (bytes: Uint8Array, offset: number): Frame | undefined => {
  const flags = bytes[offset]!
  const isLong = (flags & attributeFlags.extendedLength) !== 0
  const valueAt = offset + (isLong ? 4 : 3)
  if (valueAt > bytes.length) return undefined
  const end = valueAt + (isLong ? readU16(bytes, offset + 2) : bytes[offset + 2]!)
  if (end > bytes.length) return undefined
  return { flags, code: bytes[offset + 1]!, value: bytes.slice(valueAt, end), whole: bytes.slice(offset, end), end }
}

type Outcome =
  | { readonly _tag: "Attribute"; readonly attribute: PathAttribute }
  | { readonly _tag: "Fault"; readonly fault: AttributeFault }

/** RFC 7606 §3 (g): a second MP attribute resets the session, any other repetition is dropped. */
const repeatedAttribute = ({ code }: Frame): Extract<Outcome, { readonly _tag: "Fault" }> | WireFault => {
  const attribute = attributeName(code)
  if (isReachability(code)) {
    return wireFault(`${attribute} is there twice`, "RFC 7606 §3 (g)", notification(3, 1))
  }
  const fault = {
    attribute,
    reason: "is there twice",
    section: "RFC 7606 §3 (g)",
    action: "attribute-discard",
    notification: notification(3, 1)
  } as const
  return { _tag: "Fault", fault }
}

const decodeFrame = (frame: Frame, context: AttributeContext): Outcome | WireFault => {
  const codec = codecByCode.get(frame.code)
  if (codec === undefined) return unknown(frame)
  const expectedFlags = categoryFlags(codec.category)
  const mask = attributeFlags.optional | attributeFlags.transitive
  const fault = (reason: string, action: FaultAction, section: string, subcode: number): Outcome | WireFault => {
    const answer = notification(3, subcode, frame.whole)
    return action === "session-reset"
      ? wireFault(`${codec.name}: ${reason}`, section, answer)
      : { _tag: "Fault", fault: { attribute: codec.name, reason, section, action, notification: answer } }
  }
  if ((frame.flags & mask) !== expectedFlags) {
    const reason = `expected ${codec.category} flags, found 0x${frame.flags.toString(16)}`
    // A discard would hide an attribute that may matter, so §3 (c) withdraws unless the attribute itself says reset.
    const action = codec.onMalformed === "session-reset" ? "session-reset" : "treat-as-withdraw"
    return fault(reason, action, "RFC 7606 §3 (c)", 4)
  }
  if (codec.internalOnly && !context.isInternal) {
    return fault("came from an external peer", "attribute-discard", codec.section, 9)
  }
  if (codec.twoOctetPeersOnly && context.fourOctetAs) {
    return fault("came from a peer with four-octet AS numbers", "attribute-discard", codec.section, 9)
  }
  const decoded = codec.decode(frame.value, context)
  return Result.isFailure(decoded)
    ? fault(decoded.failure.reason, codec.onMalformed, codec.section, decoded.failure.subcode)
    : { _tag: "Attribute", attribute: decoded.success }
}

/** An attribute without a definition: kept when optional, a session reset when it claims to be well-known. */
const unknown = ({ flags, code, value, whole }: Frame): Outcome | WireFault =>
  (flags & attributeFlags.optional) === 0
    ? wireFault(`well-known attribute type ${code} is not known here`, "RFC 4271 §6.3", notification(3, 2, whole))
    : {
        _tag: "Attribute",
        attribute: { _tag: "UnknownAttribute", code, flags: flags & ~attributeFlags.extendedLength, value }
      }
