import { formatIpAddress, type IpAddress } from "@lowtide/net"
import { Result } from "effect"
import type { AttributeContext, FaultAction } from "./attribute-codec.ts"
import { familyOf } from "./family.ts"
import { type BgpMessage, decodeBody, type MessageKind, messageBytesMax, takeFrame } from "./message.ts"
import { type MessageFields, messageFields } from "./message-fields.ts"
import { notification, type WireFault, wireFault } from "./notification.ts"
import type { BgpOpen } from "./open.ts"
import { type BgpRole, counterpart, roleOf } from "./role.ts"
import { type BgpRouteRefresh, refreshSubtypes } from "./route-refresh.ts"
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

const typeNames = {
  Open: "OPEN",
  Update: "UPDATE",
  Notification: "NOTIFICATION",
  Keepalive: "KEEPALIVE",
  RouteRefresh: "ROUTE-REFRESH"
} as const satisfies { readonly [Kind in MessageKind]: string }

/** A message as a receiver takes it. */
export interface Inspection {
  /** The kind of message, as RFC 4271 and RFC 2918 write it; `null` where the header does not say. */
  readonly type: (typeof typeNames)[MessageKind] | null
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
  if (frame._tag === "WireFault") return refused(null, null, frame)
  if (frame._tag === "Incomplete") {
    const reason =
      bytes.length < 19
        ? `expected a header of 19 octets, found ${bytes.length}`
        : `the header says ${(bytes[16]! << 8) | bytes[17]!} octets, found ${bytes.length}`
    return { type: null, fields: null, error: { action: "incomplete", notification: null, reason } }
  }
  const { kind } = frame
  const type = typeNames[kind]
  if (frame.end < bytes.length) {
    const reason = `${bytes.length - frame.end} octets follow the message, which has ${frame.end}`
    return { type, fields: null, error: { action: "incomplete", notification: null, reason } }
  }
  const untimely = judgeState(kind, context.state)
  const decoded = decodeBody(frame, context)
  if (untimely !== undefined && untimely._tag === "WireFault") {
    return refused(type, Result.isSuccess(decoded) ? messageFields(decoded.success) : null, untimely)
  }
  if (Result.isFailure(decoded)) return refused(type, null, decoded.failure)
  const fields = messageFields(decoded.success)
  const judged = untimely === undefined ? judge(decoded.success, context) : Result.succeed([untimely])
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

/** RFC 4271 §8.2.2, RFC 6608 §3: what the state makes of a kind of message, whatever it says. */
const judgeState = (kind: MessageKind, state: InspectContext["state"]): WireFault | Fault | undefined => {
  const unexpected = (subcode: 1 | 2 | 3) =>
    wireFault(`${typeNames[kind]} came in ${state}`, "RFC 6608 §3", notification(5, subcode))
  switch (state) {
    case undefined:
      return undefined
    case "Idle":
    case "Connect":
    case "Active":
      return fault(
        "ignore",
        `${typeNames[kind]} came in ${state}, where there is no connection to come on`,
        "RFC 4271 §8.2.2"
      )
    case "OpenSent":
      return kind === "Open" || kind === "Notification" ? undefined : unexpected(1)
    case "OpenConfirm":
      return kind === "Keepalive" || kind === "Notification" ? undefined : unexpected(2)
    case "Established":
      return kind === "Open" ? unexpected(3) : undefined
  }
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
    case "Keepalive":
    case "Notification":
      return Result.succeed([])
  }
}

const judgeRefresh = ({ afi, safi, subtype }: BgpRouteRefresh): ReadonlyArray<Fault> => {
  if (familyOf(afi, safi) === undefined) {
    return [fault("ignore", `AFI ${afi} SAFI ${safi} is not spoken here`, "RFC 2918 §4")]
  }
  const isKnown = Object.values<number>(refreshSubtypes).includes(subtype)
  return isKnown ? [] : [fault("ignore", `subtype ${subtype} is not known`, "RFC 7313 §5")]
}

const judgeOpen = (open: BgpOpen, { peerAsn, localRole, localAsn }: InspectContext): Judgement => {
  if (peerAsn !== undefined && open.asn !== peerAsn) {
    const reason = `its AS is ${open.asn}, ${peerAsn} is expected`
    return Result.fail(wireFault(reason, "RFC 4271 §6.2", notification(2, 2)))
  }
  if (localRole === undefined || open.asn === localAsn) return Result.succeed([])
  const told = open.capabilities.flatMap((capability) => (capability._tag === "Role" ? capability.code : []))
  const misfit = told.find((code) => roleOf(code) !== counterpart[localRole])
  if (misfit === undefined) return Result.succeed([])
  const reason = `its role is ${roleOf(misfit) ?? `number ${misfit}`}, ${counterpart[localRole]} is expected`
  return Result.fail(wireFault(reason, "RFC 9234 §4.2", notification(2, 11)))
}

/** What is wrong with the meaning of an UPDATE whose octets are right. */
const judgeUpdate = (update: BgpUpdate, context: InspectContext): ReadonlyArray<Fault> => {
  const announces = update.nlri.length > 0 || update.attributes.some(({ _tag }) => _tag === "MpReachNlri")
  return announces
    ? [...judgePath(update, context), ...judgeNextHops(update), ...judgeOnlyToCustomer(update, context)]
    : []
}

const judgePath = (
  { attributes }: BgpUpdate,
  { isInternal, localAsn, peerAsn }: InspectContext
): ReadonlyArray<Fault> => {
  const segments = truePath(attributes)
  const asns = segments.flatMap((segment) => segment.asns)
  const faults: Array<Fault> = []
  if (asns.includes(0)) faults.push(fault("treat-as-withdraw", "AS_PATH has AS 0", "RFC 7607 §2"))
  for (const name of ["Aggregator", "As4Aggregator"] as const) {
    if (findAttribute(attributes, name)?.asn === 0) {
      faults.push(fault("attribute-discard", "AGGREGATOR has AS 0", "RFC 7607 §2"))
    }
  }
  if (!isInternal) {
    const [first] = segments
    if (segments.some(({ kind }) => kind === "confed-sequence" || kind === "confed-set")) {
      const reason = "AS_PATH of an external peer has confederation segments"
      faults.push(fault("treat-as-withdraw", reason, "RFC 5065 §5"))
    } else if (first === undefined) {
      faults.push(fault("treat-as-withdraw", "AS_PATH of an external peer is empty", "RFC 4271 §5.1.2"))
    } else if (peerAsn !== undefined && (first.kind !== "sequence" || first.asns[0] !== peerAsn)) {
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

/** Not unspecified, not multicast, and in IPv4 not reserved (RFC 1122 §3.2.1.3, RFC 4291 §2.5). */
const isHost = ({ family, value }: IpAddress): boolean =>
  family === 4 ? value >> 24n !== 0n && value >> 24n < 224n : value !== 0n && value >> 120n !== 0xffn

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
    case "peer":
      return peerAsn === undefined || marked === peerAsn
        ? []
        : leak(`ONLY_TO_CUSTOMER ${marked} came from the peer in AS ${peerAsn}`)
    case "provider":
    case "rs":
      return []
  }
}
