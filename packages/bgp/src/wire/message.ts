import { Result } from "effect"
import type { AttributeContext } from "./attribute-codec.ts"
import { readU16, u16 } from "./bytes.ts"
import {
  type BgpNotification,
  decodeNotification,
  encodeNotification,
  notification,
  type WireFault,
  wireFault
} from "./notification.ts"
import { type BgpOpen, decodeOpen, encodeOpen } from "./open.ts"
import { type BgpRouteRefresh, decodeRouteRefresh, encodeRouteRefresh } from "./route-refresh.ts"
import { type BgpUpdate, decodeUpdate, encodeUpdate } from "./update.ts"

/** KEEPALIVE, RFC 4271 §4.4: a header and nothing else. */
export interface BgpKeepalive {
  readonly _tag: "Keepalive"
}

/** Every message that can stand on a session. */
export type BgpMessage = BgpOpen | BgpUpdate | BgpNotification | BgpKeepalive | BgpRouteRefresh

/** The kinds of message, by their tag. */
export type MessageKind = BgpMessage["_tag"]

/** The one KEEPALIVE. */
export const keepalive: BgpKeepalive = { _tag: "Keepalive" }

/** Octets of the header: marker, length, type (RFC 4271 §4.1). */
export const headerBytes = 19

/** The longest message while RFC 8654 is not agreed: RFC 4271 §4.1. */
export const messageBytesMax = 4096

/** The longest message where RFC 8654 is agreed, but for OPEN and KEEPALIVE: §3 there. */
export const extendedMessageBytesMax = 65_535

/** Type code and lengths, header included, of each kind (RFC 4271 §6.1, RFC 7313 §5). */
export const messageTypes: {
  readonly [Kind in MessageKind]: { readonly code: number; readonly bytesMin: number; readonly bytesMax?: number }
} = {
  Open: { code: 1, bytesMin: 29, bytesMax: messageBytesMax },
  Update: { code: 2, bytesMin: 23 },
  Notification: { code: 3, bytesMin: 21 },
  Keepalive: { code: 4, bytesMin: 19, bytesMax: 19 },
  RouteRefresh: { code: 5, bytesMin: 22 } // what a length other than 23 comes to depends on the subtype: RFC 7313 §5
}

/** The kind as the RFCs write it. */
export const messageNames = {
  Open: "OPEN",
  Update: "UPDATE",
  Notification: "NOTIFICATION",
  Keepalive: "KEEPALIVE",
  RouteRefresh: "ROUTE-REFRESH"
} as const satisfies { readonly [Kind in MessageKind]: string }

/** What each state with a connection expects, and the subcode for anything else (RFC 6608 §4). */
const expectations = {
  OpenSent: { subcode: 1, kinds: ["Open", "Notification"] },
  OpenConfirm: { subcode: 2, kinds: ["Keepalive", "Notification"] },
  Established: { subcode: 3, kinds: ["Update", "Keepalive", "RouteRefresh", "Notification"] }
} as const satisfies {
  readonly [State: string]: { readonly subcode: number; readonly kinds: ReadonlyArray<MessageKind> }
}

/** The states of the machine that have a connection to hear messages on. */
export type ConnectedState = keyof typeof expectations

/** Whether a message of that kind may come in the state, whatever it says. */
export const isTimely = (kind: MessageKind, state: ConnectedState): boolean =>
  (expectations[state].kinds as ReadonlyArray<MessageKind>).includes(kind)

/** The fault of a message that may not; its type is the NOTIFICATION's data (RFC 6608 §4). */
export const untimely = (kind: MessageKind, state: ConnectedState): WireFault => {
  const answer = notification(5, expectations[state].subcode, Uint8Array.of(messageTypes[kind].code))
  return wireFault(`${messageNames[kind]} came in ${state}`, "RFC 6608 §4", answer)
}

const kindByCode = new Map(Object.entries(messageTypes).map(([kind, { code }]) => [code, kind as MessageKind]))

/** The kind of message that a header says, if it is whole, its marker is one, and the kind is known. */
export const kindOf = (message: Uint8Array): MessageKind | undefined =>
  message.length >= headerBytes && message.subarray(0, 16).every((octet) => octet === 0xff)
    ? kindByCode.get(message[18]!)
    : undefined

/** One message as octets, header included. */
export const encodeMessage = (message: BgpMessage, context: AttributeContext): Uint8Array => {
  const body = encodeBody(message, context)
  const bytes = new Uint8Array(headerBytes + body.length)
  writeHeader(bytes, 0, { kind: message._tag, lengthBytes: bytes.length })
  bytes.set(body, headerBytes)
  return bytes
}

const encodeBody = (message: BgpMessage, context: AttributeContext): Uint8Array => {
  switch (message._tag) {
    case "Open":
      return encodeOpen(message)
    case "Update":
      return encodeUpdate(message, context)
    case "Notification":
      return encodeNotification(message)
    case "Keepalive":
      return new Uint8Array(0)
    case "RouteRefresh":
      return encodeRouteRefresh(message)
  }
}

/** Writes the 19 octets of a header at `offset`. */
export const writeHeader = (
  out: Uint8Array,
  offset: number,
  { kind, lengthBytes }: { readonly kind: MessageKind; readonly lengthBytes: number }
): void => {
  out.fill(0xff, offset, offset + 16)
  out.set(u16(lengthBytes), offset + 16)
  out[offset + 18] = messageTypes[kind].code
}

/** One whole message cut out of the stream; `body` is a view, valid as long as the stream's buffer is. */
export interface MessageFrame {
  readonly _tag: "Frame"
  readonly kind: MessageKind
  readonly body: Uint8Array
  /** Where the next message begins. */
  readonly end: number
}

/** What stands at the front of a stream. */
export type Framing = MessageFrame | { readonly _tag: "Incomplete" } | WireFault

/**
 * Cuts the message that begins at `offset`. The header is judged as soon as it is there, so that a length that lies is
 * refused before its octets are waited for (RFC 4271 §6.1).
 */
export const takeFrame = (stream: Uint8Array, offset: number, lengthMax = messageBytesMax): Framing => {
  if (stream.length - offset < headerBytes) return { _tag: "Incomplete" }
  for (let index = offset; index < offset + 16; index++) {
    if (stream[index] !== 0xff) return wireFault("the marker is not all ones", "RFC 4271 §6.1", notification(1, 1))
  }
  const length = readU16(stream, offset + 16)
  const code = stream[offset + 18]!
  const kind = kindByCode.get(code)
  if (length < headerBytes || length > lengthMax) {
    return badLength(`expected a length of ${headerBytes}..${lengthMax}, found ${length}`, length)
  }
  if (kind === undefined) {
    return wireFault(`message type ${code} is not known`, "RFC 4271 §6.1", notification(1, 3, Uint8Array.of(code)))
  }
  const { bytesMin, bytesMax = lengthMax } = messageTypes[kind]
  if (length < bytesMin || length > bytesMax) {
    const expected = bytesMin === bytesMax ? bytesMin : `${bytesMin}..${bytesMax}`
    return badLength(`expected ${expected} octets of ${messageNames[kind]}, found ${length}`, length)
  }
  const end = offset + length
  return stream.length < end
    ? { _tag: "Incomplete" }
    : { _tag: "Frame", kind, body: stream.subarray(offset + headerBytes, end), end }
}

const badLength = (reason: string, length: number): WireFault =>
  wireFault(reason, "RFC 4271 §6.1", notification(1, 2, u16(length)))

/** Reads the body of a frame. */
export const decodeBody = (
  { kind, body }: Pick<MessageFrame, "kind" | "body">,
  context: AttributeContext
): Result.Result<BgpMessage, WireFault> => {
  switch (kind) {
    case "Open":
      return decodeOpen(body)
    case "Update":
      return decodeUpdate(body, context)
    case "Notification":
      return Result.succeed(decodeNotification(body))
    case "Keepalive":
      return Result.succeed(keepalive)
    case "RouteRefresh":
      return decodeRouteRefresh(body)
  }
}
