import { Result } from "effect"
import { toHex } from "./bytes.ts"

/** NOTIFICATION, RFC 4271 §4.5: the last message on a session; its sender closes the connection after it. */
export interface BgpNotification {
  readonly _tag: "Notification"
  readonly code: number
  readonly subcode: number
  readonly data: Uint8Array
}

/** What a receiver found wrong, and the NOTIFICATION it owes for it. */
export interface WireFault {
  readonly _tag: "WireFault"
  readonly reason: string
  /** Where the rule stands, such as `RFC 4271 §6.1`. */
  readonly section: string
  readonly notification: BgpNotification
}

/** A NOTIFICATION with the given data, none unless said. */
export const notification = (code: number, subcode: number, data: Uint8Array = new Uint8Array(0)): BgpNotification => ({
  _tag: "Notification",
  code,
  subcode,
  data
})

/** A fault that earns the NOTIFICATION `code`/`subcode`. */
export const wireFault = (reason: string, section: string, answer: BgpNotification): WireFault => ({
  _tag: "WireFault",
  reason,
  section,
  notification: answer
})

/** Error codes by their IANA number; `subcodes[0]` is the name for "unspecific". */
export const notificationCodes: Readonly<
  Record<number, { readonly name: string; readonly subcodes: Readonly<Record<number, string>> }>
> = {
  1: {
    name: "Message Header Error", // RFC 4271 §6.1
    subcodes: { 1: "Connection Not Synchronized", 2: "Bad Message Length", 3: "Bad Message Type" }
  },
  2: {
    name: "OPEN Message Error", // RFC 4271 §6.2
    subcodes: {
      1: "Unsupported Version Number",
      2: "Bad Peer AS",
      3: "Bad BGP Identifier",
      4: "Unsupported Optional Parameter",
      5: "Authentication Failure (deprecated)",
      6: "Unacceptable Hold Time",
      7: "Unsupported Capability", // RFC 5492 §5
      11: "Role Mismatch" // RFC 9234 §4.2
    }
  },
  3: {
    name: "UPDATE Message Error", // RFC 4271 §6.3
    subcodes: {
      1: "Malformed Attribute List",
      2: "Unrecognized Well-known Attribute",
      3: "Missing Well-known Attribute",
      4: "Attribute Flags Error",
      5: "Attribute Length Error",
      6: "Invalid ORIGIN Attribute",
      7: "AS Routing Loop (deprecated)",
      8: "Invalid NEXT_HOP Attribute",
      9: "Optional Attribute Error",
      10: "Invalid Network Field",
      11: "Malformed AS_PATH"
    }
  },
  4: { name: "Hold Timer Expired", subcodes: {} }, // RFC 4271 §6.5
  5: {
    name: "Finite State Machine Error", // RFC 6608 §4
    subcodes: {
      1: "Unexpected Message in OpenSent",
      2: "Unexpected Message in OpenConfirm",
      3: "Unexpected Message in Established"
    }
  },
  6: {
    name: "Cease", // RFC 4486 §3
    subcodes: {
      1: "Maximum Number of Prefixes Reached",
      2: "Administrative Shutdown",
      3: "Peer De-configured",
      4: "Administrative Reset",
      5: "Connection Rejected",
      6: "Other Configuration Change",
      7: "Connection Collision Resolution",
      8: "Out of Resources",
      9: "Hard Reset", // RFC 8538 §3
      10: "BFD Down" // RFC 9384 §3
    }
  },
  7: { name: "ROUTE-REFRESH Message Error", subcodes: { 1: "Invalid Message Length" } }, // RFC 7313 §5
  8: { name: "Send Hold Timer Expired", subcodes: {} } // RFC 9687 §5
}

/** `2/2 Bad Peer AS`, `4/0 Hold Timer Expired`; numbers alone where IANA's table, as known here, has no name. */
export const notificationName = ({ code, subcode }: { readonly code: number; readonly subcode: number }): string => {
  const known = notificationCodes[code]
  const name =
    known === undefined
      ? undefined
      : (known.subcodes[subcode] ?? (subcode === 0 ? known.name : `${known.name}, subcode ${subcode}`))
  return name === undefined ? `${code}/${subcode}` : `${code}/${subcode} ${name}`
}

/** Cease subcodes that may carry a text: RFC 9003 §2. */
const carriesText = (code: number, subcode: number): boolean => code === 6 && (subcode === 2 || subcode === 4)

/** How long a shutdown text may be, in UTF-8 octets: RFC 9003 §2. */
export const shutdownTextBytesMax = 255

/** Cease 6/`subcode` with an RFC 9003 text; what is beyond 255 octets is cut between two characters. */
export const ceaseWithText = (subcode: 2 | 4, text = ""): BgpNotification => {
  const encoder = new TextEncoder()
  const buffer = new Uint8Array(shutdownTextBytesMax)
  const { written } = encoder.encodeInto(text, buffer) // never writes half a character
  const data = new Uint8Array(1 + written)
  data[0] = written
  data.set(buffer.subarray(0, written), 1)
  return notification(6, subcode, written === 0 ? new Uint8Array(0) : data)
}

/** Whether routes are dropped at once whatever was agreed of graceful restart: RFC 8538 §3.1. */
export const isHardReset = ({ code, subcode }: Pick<BgpNotification, "code" | "subcode">): boolean =>
  code === 6 && subcode === 9

/** Hard Reset, RFC 8538 §3.1: Cease 6/9 that carries the true reason, so that routes are dropped at once. */
export const hardReset = (reason: BgpNotification): BgpNotification => {
  const data = new Uint8Array(2 + reason.data.length)
  data.set([reason.code, reason.subcode])
  data.set(reason.data, 2)
  return notification(6, 9, data)
}

/** What a Hard Reset stands for; `undefined` when its data has no code and subcode. One within it stands for nothing further. */
export const hardResetReason = ({ data }: BgpNotification): BgpNotification | undefined =>
  data.length < 2 ? undefined : notification(data[0]!, data[1]!, data.subarray(2))

/** What a NOTIFICATION says in the end: of a Hard Reset its reason, if it has one. */
export const innermost = (found: BgpNotification): BgpNotification =>
  isHardReset(found) ? (hardResetReason(found) ?? found) : found

/** What is wrong with the text of a Cease (RFC 9003 §2), if it may have one; no data at all is no text. */
export const textFault = ({ code, subcode, data }: BgpNotification): string | undefined => {
  if (!carriesText(code, subcode) || data.length === 0) return undefined
  const [said, found] = [data[0]!, data.length - 1]
  if (said !== found) return `the shutdown text says ${said} octets, ${found} follow`
  const isText = Result.isSuccess(Result.try(() => new TextDecoder("utf-8", { fatal: true }).decode(data.subarray(1))))
  return isText ? undefined : "the shutdown text is not UTF-8"
}

/**
 * The text that an operator wrote into a Cease, if there is one and it is valid UTF-8 (RFC 9003 §3), also inside a
 * Hard Reset. Control characters are shown as `\u0007`, since the text goes to logs and terminals.
 */
export const notificationText = (found: BgpNotification): string | undefined => {
  const { code, subcode, data } = innermost(found)
  if (!carriesText(code, subcode) || data.length < 2 || data[0]! > data.length - 1) return undefined
  const decoded = Result.try(() => new TextDecoder("utf-8", { fatal: true }).decode(data.subarray(1, 1 + data[0]!)))
  if (Result.isFailure(decoded)) return `(not UTF-8) ${toHex(data.subarray(1))}`
  return decoded.success.replace(
    /[\u0000-\u001f\u007f-\u009f]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`
  )
}

/** The body of a NOTIFICATION, after the header. */
export const encodeNotification = ({ code, subcode, data }: BgpNotification): Uint8Array => {
  const body = new Uint8Array(2 + data.length)
  body.set([code, subcode])
  body.set(data, 2)
  return body
}

/** Reads a body of two octets or more (the header check made sure of that); any code is taken as it is. */
export const decodeNotification = (body: Uint8Array): BgpNotification =>
  notification(body[0] ?? 0, body[1] ?? 0, body.slice(2))
