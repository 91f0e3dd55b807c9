import { asTrans, type Family, type Prefix } from "@lowtide/net"
import { Result } from "effect"
import { type AsPathSegment, mergeAs4Path } from "./as-path.ts"
import type { AttributeContext } from "./attribute-codec.ts"
import { type AttributeFault, type AttributeList, decodeAttributes, encodeAttributes } from "./attribute-list.ts"
import { concatBytes, readU16, u16 } from "./bytes.ts"
import { decodeNlri, encodeNlri, type NlriPrefix } from "./nlri.ts"
import { notification, type WireFault, wireFault } from "./notification.ts"
import { type AttributeOf, attributeCodecs, type KnownAttribute, type PathAttribute } from "./path-attributes.ts"

/** UPDATE, RFC 4271 §4.3. `withdrawn` and `nlri` are IPv4 unicast; other families are in the MP attributes. */
export interface BgpUpdate {
  readonly _tag: "Update"
  readonly withdrawn: ReadonlyArray<NlriPrefix>
  readonly attributes: ReadonlyArray<PathAttribute>
  readonly nlri: ReadonlyArray<NlriPrefix>
  /** Malformed parts that RFC 7606 lets a session survive; always empty in a message that we send. */
  readonly faults: ReadonlyArray<AttributeFault>
}

/** The body of an UPDATE. */
export const encodeUpdate = (update: BgpUpdate, context: AttributeContext): Uint8Array => {
  const withdrawn = encodeNlri(update.withdrawn)
  const attributes = encodeAttributes(update.attributes, context)
  const nlri = encodeNlri(update.nlri)
  return concatBytes([u16(withdrawn.length), withdrawn, u16(attributes.length), attributes, nlri])
}

/** Reads a body of four octets or more (the header check made sure of that). */
export const decodeUpdate = (body: Uint8Array, context: AttributeContext): Result.Result<BgpUpdate, WireFault> => {
  const withdrawnBytes = readU16(body, 0)
  if (withdrawnBytes + 4 > body.length) return listFault("withdrawn routes", withdrawnBytes)
  const attributesAt = 4 + withdrawnBytes
  const attributesBytes = readU16(body, 2 + withdrawnBytes)
  if (attributesAt + attributesBytes > body.length) return listFault("path attributes", attributesBytes)
  const withdrawn = decodeNlri(body.subarray(2, 2 + withdrawnBytes), 4, context)
  if (Result.isFailure(withdrawn)) return networkFault("withdrawn routes", withdrawn.failure)
  const nlri = decodeNlri(body.subarray(attributesAt + attributesBytes), 4, context)
  if (Result.isFailure(nlri)) return networkFault("NLRI", nlri.failure)
  const list = decodeAttributes(body.subarray(attributesAt, attributesAt + attributesBytes), context)
  if (Result.isFailure(list)) return Result.fail(list.failure)
  const { attributes } = list.success
  const faults = [...list.success.faults, ...missingAttributes(list.success, nlri.success.length > 0, context)]
  const gravest = faults.find(({ action }) => action === "treat-as-withdraw")
  if (gravest !== undefined && nlri.success.length === 0 && !reachesAnything(attributes)) {
    const reason = `${gravest.attribute} ${gravest.reason}, and there are no routes that could count as withdrawn`
    return Result.fail(wireFault(reason, `${gravest.section}, §5.2`, gravest.notification))
  }
  return Result.succeed({ _tag: "Update", withdrawn: withdrawn.success, attributes, nlri: nlri.success, faults })
}

/** Whether MP_REACH_NLRI has routes; of a family that is not read, whether it has octets behind its next hop. */
const reachesAnything = (attributes: ReadonlyArray<PathAttribute>): boolean => {
  const reach = findAttribute(attributes, "MpReachNlri")
  if (reach === undefined) return false
  return reach.family === "other" ? reach.rest.length > 2 + reach.rest[0]! : reach.nlri.length > 0
}

/** RFC 7606 §4: when a length is wrong here the prefixes cannot be found, so the session ends. */
const listFault = (what: string, length: number): Result.Result<never, WireFault> =>
  Result.fail(
    wireFault(`${what} of ${length} octets run past the end of the UPDATE`, "RFC 4271 §6.3", notification(3, 1))
  )

const networkFault = (what: string, reason: string): Result.Result<never, WireFault> =>
  Result.fail(wireFault(`${what}: ${reason}`, "RFC 7606 §3 (j)", notification(3, 10)))

/** RFC 7606 §3 (d): an announcement without a mandatory attribute is taken as a withdrawal. One that is malformed is there. */
const missingAttributes = (
  { attributes, faults }: AttributeList,
  hasNlri: boolean,
  { isInternal }: AttributeContext
): ReadonlyArray<AttributeFault> => {
  const announces = hasNlri || attributes.some(({ _tag }) => _tag === "MpReachNlri")
  const mandatory: ReadonlyArray<readonly [KnownAttribute["_tag"], string, boolean]> = [
    ["Origin", "ORIGIN", announces],
    ["AsPath", "AS_PATH", announces],
    ["NextHop", "NEXT_HOP", hasNlri],
    ["LocalPref", "LOCAL_PREF", announces && isInternal]
  ]
  return mandatory
    .filter(([tag, name, isNeeded]) => {
      const isThere = attributes.some(({ _tag }) => _tag === tag) || faults.some(({ attribute }) => attribute === name)
      return isNeeded && !isThere
    })
    .map(([tag, attribute]) => ({
      attribute,
      reason: "is missing",
      section: "RFC 7606 §3 (d)",
      action: "treat-as-withdraw" as const,
      notification: notification(3, 3, Uint8Array.of(attributeCodecs[tag].code))
    }))
}

/** The attribute with that tag, if the list has it. */
export const findAttribute = <Tag extends KnownAttribute["_tag"]>(
  attributes: ReadonlyArray<PathAttribute>,
  tag: Tag
): AttributeOf<Tag> | undefined => attributes.find((attribute): attribute is AttributeOf<Tag> => attribute._tag === tag)

/**
 * The AS path a route has, with AS4_PATH taken in (RFC 6793 §4.2.3); empty without an AS_PATH. An AGGREGATOR with a true AS number
 * beside AS4_AGGREGATOR is of a two-octet speaker that aggregated anew: then AS4_PATH is of the time before.
 */
export const truePath = (attributes: ReadonlyArray<PathAttribute>): ReadonlyArray<AsPathSegment> => {
  const asPath = findAttribute(attributes, "AsPath")?.segments ?? []
  const as4Path = findAttribute(attributes, "As4Path")?.segments
  const aggregator = findAttribute(attributes, "Aggregator")
  const isOutdated =
    findAttribute(attributes, "As4Aggregator") !== undefined && aggregator !== undefined && aggregator.asn !== asTrans
  return as4Path === undefined || isOutdated ? asPath : mergeAs4Path(asPath, as4Path)
}

/**
 * What the UPDATE does to a receiver's table once RFC 7606 was applied: with a treat-as-withdraw fault, everything
 * announced counts as withdrawn.
 */
export const effectOf = (
  update: BgpUpdate
): { readonly announced: ReadonlyArray<Prefix>; readonly withdrawn: ReadonlyArray<Prefix> } => {
  const reach = findAttribute(update.attributes, "MpReachNlri")
  const unreach = findAttribute(update.attributes, "MpUnreachNlri")
  const announced = reach === undefined || reach.family === "other" ? update.nlri : [...update.nlri, ...reach.nlri]
  const withdrawn =
    unreach === undefined || unreach.family === "other" ? update.withdrawn : [...update.withdrawn, ...unreach.withdrawn]
  return update.faults.some(({ action }) => action === "treat-as-withdraw")
    ? { announced: [], withdrawn: [...withdrawn, ...announced] }
    : { announced, withdrawn }
}

/** The End-of-RIB marker of a family: RFC 4724 §2. */
export const endOfRib = (family: Family): BgpUpdate => ({
  _tag: "Update",
  withdrawn: [],
  attributes: family === 4 ? [] : [{ _tag: "MpUnreachNlri", family, withdrawn: [] }],
  nlri: [],
  faults: []
})

/** The family whose End-of-RIB the UPDATE is, if it is one. */
export const endOfRibFamily = (update: BgpUpdate): Family | undefined => {
  if (update.withdrawn.length > 0 || update.nlri.length > 0 || update.faults.length > 0) return undefined
  const [first, second] = update.attributes
  if (first === undefined) return 4
  if (second !== undefined || first._tag !== "MpUnreachNlri" || first.family === "other") return undefined
  return first.withdrawn.length === 0 ? first.family : undefined
}
