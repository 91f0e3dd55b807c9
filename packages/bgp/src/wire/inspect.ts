import { formatIpAddress, formatPrefix, type IpAddress, type Prefix } from "@lowtide/net"
import { Result } from "effect"
import { isConfederation } from "./as-path.ts"
import type { AttributeContext, FaultAction } from "./attribute-codec.ts"
import { readU16 } from "./bytes.ts"
import { familyOf } from "./family.ts"
import {
  type BgpMessage,
  decodeBody,
  headerBytes,
  isTimely,
  kindOf,
  type MessageKind,
  messageBytesMax,
  messageNames,
  takeFrame,
  untimely
} from "./message.ts"
import { type MessageFields, messageFields } from "./message-fields.ts"
import {
  type BgpNotification,
  hardResetReason,
  isHardReset,
  notification,
  notificationCodes,
  textFault,
  type WireFault,
  wireFault
} from "./notification.ts"
import { type BgpOpen, rolesTold } from "./open.ts"
import { type BgpRole, counterpart, roleMisfit } from "./role.ts"
import { type BgpRouteRefresh, isUnknownRefresh } from "./route-refresh.ts"
import { type BgpUpdate, findAttribute, truePath } from "./update.ts"

/** What is known of the session that a message came on. */
export interface InspectContext extends AttributeContext {
  readonly localAsn?: number | undefined
  readonly peerAsn?: number | undefined
  /** Our own role towards the peer (RFC 9234). */
  readonly localRole?: BgpRole | undefined
  /** The receiver's state; anything may come unless given. */
  readonly state?: "Idle" | "Connect" | "Active" | "OpenSent" | "OpenConfirm" | "Established" | undefined
}

/** What a receiver does with a message that is not as it should be. */
export type InspectAction = "notification" | "treat-as-withdraw" | "attribute-discard" | "ignore" | "incomplete"

/** A message as a receiver takes it. */
export interface Inspection {
  /** The kind of message, as RFC 4271 and RFC 2918 write it; `null` where the header does not say. */
  readonly type: (typeof messageNames)[MessageKind] | null
  /** What could be read; `null` for a message that could not. */
  readonly fields: MessageFields | null
  /** The strongest thing that is wrong, `null` when nothing is. */
  readonly error: {
    readonly action: InspectAction
    /** What goes back to the peer before the session is closed. */
    readonly notification: { readonly code: number; readonly subcode: number } | null
    /** What is wrong, all of it, with the sections that say so. */
    readonly reason: string
  } | null
}

/** Reads one message, header included, and says what is wrong with it. Total: any octets have an answer. */
export const inspectMessage = (bytes: Uint8Array, context: InspectContext): Inspection => {
  const frame = takeFrame(bytes, 0, context.messageBytesMax ?? messageBytesMax)
  const told = kindOf(bytes)
  const type = told === undefined ? null : messageNames[told]
  if (frame._tag === "Incomplete") {
    const reason =
      bytes.length < headerBytes
        ? `expected a header of ${headerBytes} octets, found ${bytes.length}`
        : `the header says ${readU16(bytes, 16)} octets, found ${bytes.length}`
    return { type, fields: null, error: { action: "incomplete", notification: null, reason } }
  }
  const { state } = context
  const isConnected = state === undefined || state === "OpenSent" || state === "OpenConfirm" || state === "Established"
  if (frame._tag === "WireFault" && isConnected) return refused(type, null, frame)
  if (frame._tag === "Frame" && frame.end < bytes.length) {
    const more = bytes.length - frame.end
    const reason = `${more === 1 ? "1 octet follows" : `${more} octets follow`} the message, which has ${frame.end}`
    return { type, fields: null, error: { action: "incomplete", notification: null, reason } }
  }
  const decoded = frame._tag === "WireFault" ? Result.fail(frame) : decodeBody(frame, context)
  const fields = Result.isSuccess(decoded) ? messageFields(decoded.success) : null
  if (!isConnected) {
    const reason = `${type ?? "a message"} came in ${state}, where there is no connection to come on`
    return { type, fields, error: strongest([fault("ignore", reason, "RFC 4271 §8.2.2")]) }
  }
  if (told !== undefined && state !== undefined && !isTimely(told, state)) {
    return refused(type, fields, untimely(told, state))
  }
  const judged = Result.flatMap(decoded, (message) => judge(message, context))
  return Result.isFailure(judged)
    ? refused(type, fields, judged.failure)
    : { type, fields, error: strongest(judged.success) }
}

const refused = (
  type: Inspection["type"],
  fields: MessageFields | null,
  { reason, section, notification: { code, subcode } }: WireFault
): Inspection => ({
  type,
  fields,
  error: { action: "notification", notification: { code, subcode }, reason: `${reason} (${section})` }
})

/** Something wrong that leaves the session up. */
interface Fault {
  readonly _tag: "Fault"
  readonly action: Exclude<InspectAction, "notification" | "incomplete">
  readonly reason: string
}

const fault = (action: Fault["action"], reason: string, section: string): Fault => ({
  _tag: "Fault",
  action,
  reason: `${reason} (${section})`
})

const severity: { readonly [Action in Fault["action"]]: number } = {
  "treat-as-withdraw": 2,
  "attribute-discard": 1,
  ignore: 0
}

/** RFC 7606 §3 (h): of several the strongest counts; the reasons of all are told. */
const strongest = (faults: ReadonlyArray<Fault>): Inspection["error"] => {
  const [first] = faults.toSorted((left, right) => severity[right.action] - severity[left.action])
  if (first === undefined) return null
  return { action: first.action, notification: null, reason: faults.map(({ reason }) => reason).join("; ") }
}

type Judgement = Result.Result<ReadonlyArray<Fault>, WireFault>

const judge = (message: BgpMessage, context: InspectContext): Judgement => {
  switch (message._tag) {
    case "Open":
      return judgeOpen(message, context)
    case "Update":
      return Result.succeed([
        ...message.faults.map(({ attribute, reason, section, action }) =>
          fault(action satisfies Exclude<FaultAction, "session-reset">, `${attribute} ${reason}`, section)
        ),
        ...judgeUpdate(message, context)
      ])
    case "RouteRefresh":
      return Result.succeed(judgeRefresh(message))
    case "Notification":
      return Result.succeed(judgeNotification(message))
    case "Keepalive":
      return Result.succeed([])
  }
}

/** What is wrong with a NOTIFICATION is not answered, but for those who run both sides to see: RFC 4271 §6.4. */
const judgeNotification = (found: BgpNotification): ReadonlyArray<Fault> => {
  if (!isHardReset(found)) return judgeReason(found)
  const within = hardResetReason(found)
  if (within === undefined) return [fault("ignore", "a Hard Reset has no reason within", "RFC 8538 §3.1")]
  // Nothing is looked for further in: there may be as many as the message is long.
  if (isHardReset(within)) return [fault("ignore", "a Hard Reset is the reason of a Hard Reset", "RFC 8538 §3.1")]
  return judgeReason(within)
}

const judgeReason = (found: BgpNotification): ReadonlyArray<Fault> => {
  const { code, subcode } = found
  const known = notificationCodes[code]
  if (known === undefined) return [fault("ignore", `error code ${code} is not known`, "RFC 4271 §6.4")]
  if (subcode !== 0 && known.subcodes[subcode] === undefined) {
    return [fault("ignore", `subcode ${subcode} of ${known.name} is not known`, "RFC 4271 §6.4")]
  }
  const reason = textFault(found)
  return reason === undefined ? [] : [fault("ignore", reason, "RFC 9003 §4")]
}

const judgeRefresh = ({ afi, safi, subtype }: BgpRouteRefresh): ReadonlyArray<Fault> => {
  if (isUnknownRefresh(subtype)) return [fault("ignore", `subtype ${subtype} is not known`, "RFC 7313 §5")]
  if (familyOf(afi, safi) === undefined) {
    return [fault("ignore", `AFI ${afi} SAFI ${safi} is not spoken here`, "RFC 2918 §4")]
  }
  return []
}

const judgeOpen = (open: BgpOpen, { peerAsn, localRole, localAsn, isInternal }: InspectContext): Judgement => {
  const expected = peerAsn ?? (isInternal ? localAsn : undefined)
  if (expected !== undefined && open.asn !== expected) {
    const reason = `its AS is ${open.asn}, ${expected} is expected`
    return Result.fail(wireFault(reason, "RFC 4271 §6.2", notification(2, 2)))
  }
  if (isInternal || open.asn === localAsn) return Result.succeed([])
  const reason = roleMisfit(rolesTold(open), localRole)
  return reason === undefined
    ? Result.succeed([])
    : Result.fail(wireFault(reason, "RFC 9234 §4.2", notification(2, 11)))
}

/** What is wrong with the meaning of an UPDATE whose octets are right. */
const judgeUpdate = (update: BgpUpdate, context: InspectContext): ReadonlyArray<Fault> => {
  const announces = update.nlri.length > 0 || update.attributes.some(({ _tag }) => _tag === "MpReachNlri")
  return announces
    ? [
        ...judgePath(update, context),
        ...judgeNextHops(update),
        ...judgePrefixes(update),
        ...judgeOnlyToCustomer(update, context)
      ]
    : []
}

const judgePath = (
  { attributes }: BgpUpdate,
  { isInternal, localAsn, localRole, peerAsn }: InspectContext
): ReadonlyArray<Fault> => {
  const segments = truePath(attributes)
  const asns = segments.flatMap((segment) => segment.asns)
  const faults: Array<Fault> = []
  if (findAttribute(attributes, "As4Path")?.segments.some(isConfederation)) {
    faults.push(fault("attribute-discard", "AS4_PATH has confederation segments, which are dropped", "RFC 6793 §6"))
  }
  if (!isInternal && findAttribute(attributes, "AsPath") !== undefined) {
    const [first] = segments
    if (segments.some(isConfederation)) {
      const reason = "AS_PATH of an external peer has confederation segments"
      faults.push(fault("treat-as-withdraw", reason, "RFC 5065 §5"))
    } else if (first === undefined) {
      faults.push(fault("treat-as-withdraw", "AS_PATH of an external peer is empty", "RFC 4271 §5.1.2"))
    } else if (
      localRole !== "rs-client" &&
      peerAsn !== undefined &&
      (first.kind !== "sequence" || first.asns[0] !== peerAsn)
    ) {
      // A route server passes routes on without its own AS in front: RFC 7947 §2.2.2.
      const reason = `AS_PATH does not begin with the peer's AS ${peerAsn}`
      faults.push(fault("treat-as-withdraw", reason, "RFC 4271 §6.3"))
    }
  }
  if (localAsn !== undefined && asns.includes(localAsn)) {
    faults.push(fault("ignore", `AS_PATH has our own AS ${localAsn}: a loop`, "RFC 4271 §9.1.2"))
  }
  return faults
}

const judgeNextHops = ({ attributes, nlri }: BgpUpdate): ReadonlyArray<Fault> => {
  const reach = findAttribute(attributes, "MpReachNlri")
  const hops: ReadonlyArray<IpAddress | undefined> = [
    nlri.length > 0 ? findAttribute(attributes, "NextHop")?.address : undefined,
    reach === undefined || reach.family === "other" ? undefined : reach.nextHop
  ]
  return hops.flatMap((hop) =>
    hop === undefined || isHost(hop)
      ? []
      : fault("treat-as-withdraw", `the next hop ${formatIpAddress(hop)} is no host's address`, "RFC 4271 §6.3")
  )
}

/** Not unspecified, loopback or multicast, and in IPv4 not reserved (RFC 1122 §3.2.1.3, RFC 4291 §2.5). */
const isHost = ({ family, value }: IpAddress): boolean => {
  if (family === 6) return value > 1n && value >> 120n !== 0xffn
  const octet = value >> 24n
  return octet !== 0n && octet !== 127n && octet < 224n
}

/** RFC 4271 §6.3: a prefix whose addresses are no hosts' is passed over. */
const judgePrefixes = ({ attributes, nlri }: BgpUpdate): ReadonlyArray<Fault> => {
  const reach = findAttribute(attributes, "MpReachNlri")
  return [...nlri, ...(reach === undefined || reach.family === "other" ? [] : reach.nlri)]
    .filter(isMulticast)
    .map((prefix) => fault("ignore", `${formatPrefix(prefix)} is of multicast addresses`, "RFC 4271 §6.3"))
}

const isMulticast = ({ address: { family, value }, lengthBits }: Prefix): boolean =>
  family === 4 ? lengthBits >= 4 && value >> 28n === 0xen : lengthBits >= 8 && value >> 120n === 0xffn

/** RFC 9234 §5: ONLY_TO_CUSTOMER from somebody who must not pass such routes on is a leak. */
const judgeOnlyToCustomer = (
  { attributes }: BgpUpdate,
  { isInternal, localRole, peerAsn }: InspectContext
): ReadonlyArray<Fault> => {
  const marked = findAttribute(attributes, "OnlyToCustomer")?.asn
  if (marked === undefined || localRole === undefined || isInternal) return []
  const leak = (reason: string) => [fault("ignore", `${reason}: a route leak`, "RFC 9234 §5")]
  switch (counterpart[localRole]) {
    case "customer":
    case "rs-client":
      return leak(`ONLY_TO_CUSTOMER ${marked} came from a ${counterpart[localRole]}`)
    case "peer": {
      const asn = peerAsn ?? truePath(attributes)[0]?.asns[0] // who sends a route puts its own AS in front
      return asn === undefined || marked === asn
        ? []
        : leak(`ONLY_TO_CUSTOMER ${marked} came from the peer in AS ${asn}`)
    }
    case "provider":
    case "rs":
      return []
  }
}
