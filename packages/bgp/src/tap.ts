import type { EndCause } from "./fsm/machine.ts"
import type { BgpNotification } from "./wire/notification.ts"

/** A session that is up, for those who report it elsewhere. */
export interface TappedSession {
  /** Both without a zone. */
  readonly localAddress: string
  readonly remoteAddress: string
  readonly localPort: number
  readonly remotePort: number
  readonly peerAsn: number
  /** The peer's BGP Identifier as an unsigned 32-bit number. */
  readonly peerRouterId: number
  /** AS_PATH has two octets an AS. */
  readonly legacyAsPath: boolean
  /** Whole messages. */
  readonly sentOpen: Uint8Array
  readonly receivedOpen: Uint8Array
  /** The prefixes that the peer was sent and not told to drop. */
  readonly prefixesSent: () => number
  /** UPDATEs that say all that the peer was sent and still has, and End-of-RIB of each family; whole messages one after the other. */
  readonly table: () => Iterable<Uint8Array>
}

/** Why a session ended: by whom, and with which NOTIFICATION. */
export interface TappedEnd {
  readonly by: "us" | "peer"
  readonly notification: BgpNotification | undefined
}

/** Sees what a session says to its peer. It runs inside the session's turn: it must be short and must not throw. */
export interface SessionTap {
  readonly onUp: (session: TappedSession) => void
  /** UPDATEs that are handed to the kernel; whole messages one after the other, valid until the call returns. */
  readonly onUpdates: (bytes: Uint8Array) => void
  readonly onDown: (end: TappedEnd) => void
}

/** The end of a session as a tap is told of it. */
export const tappedEnd = (cause: EndCause): TappedEnd => {
  switch (cause._tag) {
    case "NotificationSent":
    case "PathFailed":
    case "Stopped":
      return { by: "us", notification: cause.notification }
    case "NotificationReceived":
      return { by: "peer", notification: cause.notification }
    case "ConnectionClosed":
    case "ConnectFailed":
      return { by: "peer", notification: undefined }
  }
}
