import type { Family } from "@lowtide/net"
import type { BgpMessage } from "../wire/message.ts"
import type { BgpNotification, WireFault } from "../wire/notification.ts"
import type { BgpUpdate } from "../wire/update.ts"
import type { BackOff } from "./back-off.ts"
import type { Negotiated } from "./negotiate.ts"

/** The six states of RFC 4271 §8.2.2. Deadlines are on the shell's monotonic clock; `Infinity` is a timer that is off. */
export type State = Idle | Connect | Active | OpenSent | OpenConfirm | Established

/** No connection and none wanted until `startAtMs` (the IdleHoldTimer); `Infinity`: until started. */
export interface Idle {
  readonly _tag: "Idle"
  readonly backOff: BackOff
  readonly startAtMs: number
}

/** A TCP connection was asked for. */
export interface Connect {
  readonly _tag: "Connect"
  readonly backOff: BackOff
  readonly connectRetryDeadlineMs: number
}

/** Waiting: for the peer to connect, or for the time to dial again after a connection was lost before its OPEN. */
export interface Active {
  readonly _tag: "Active"
  readonly backOff: BackOff
  readonly connectRetryDeadlineMs: number
}

/** Our OPEN went out, the peer's is awaited. */
export interface OpenSent {
  readonly _tag: "OpenSent"
  readonly backOff: BackOff
  readonly holdDeadlineMs: number
}

/** Both OPENs are good, the peer's first KEEPALIVE is awaited. */
export interface OpenConfirm {
  readonly _tag: "OpenConfirm"
  readonly backOff: BackOff
  readonly negotiated: Negotiated
  readonly holdDeadlineMs: number
  readonly keepaliveDeadlineMs: number
}

/** Routes may be exchanged. */
export interface Established {
  readonly _tag: "Established"
  readonly backOff: BackOff
  readonly negotiated: Negotiated
  readonly establishedAtMs: number
  readonly holdDeadlineMs: number
  readonly keepaliveDeadlineMs: number
  /** When octets that wait for the peer have waited too long, RFC 9687's SendHoldTimer; `Infinity` while none wait. */
  readonly sendHoldDeadlineMs: number
}

/** When an input came, on the shell's monotonic clock, and a random number from 0 to below 1 for timers that want jitter. */
export interface Moment {
  readonly nowMs: number
  readonly jitter: number
}

/** Everything that can happen to a session: the events of RFC 4271 §8.1, as the shell sees them. */
export type Happening =
  /** Begins, at once unless it is to wait. */
  | { readonly _tag: "Start"; readonly delayMs?: number }
  /** An operator's stop; `notification` says why, none just closes the connection. */
  | { readonly _tag: "Stop"; readonly notification: BgpNotification | undefined }
  | { readonly _tag: "Tick" }
  | { readonly _tag: "TcpConnected" }
  /** Octets were given to the kernel, which has not taken them yet. */
  | { readonly _tag: "OctetsWait" }
  /** The kernel has taken octets that were to be sent: the peer, or its kernel, goes on reading. `isAll`: none wait. */
  | { readonly _tag: "OctetsTaken"; readonly isAll: boolean }
  | { readonly _tag: "TcpFailed"; readonly reason: string }
  | { readonly _tag: "TcpClosed"; readonly reason: string }
  | { readonly _tag: "MessageReceived"; readonly message: BgpMessage }
  | { readonly _tag: "FaultFound"; readonly fault: WireFault }
  /** Something beside the session has found that the peer can no longer be reached; `notification` tells it so, if it is to be told. */
  | { readonly _tag: "PathFailed"; readonly reason: string; readonly notification: BgpNotification | undefined }

/** What happened, and when. */
export type Input = Happening & Moment

/** Why a session, or an attempt at one, came to its end. */
export type EndCause =
  | { readonly _tag: "NotificationSent"; readonly notification: BgpNotification; readonly reason: string }
  | { readonly _tag: "NotificationReceived"; readonly notification: BgpNotification }
  | { readonly _tag: "ConnectionClosed"; readonly reason: string }
  | { readonly _tag: "ConnectFailed"; readonly reason: string }
  | { readonly _tag: "PathFailed"; readonly reason: string; readonly notification: BgpNotification | undefined }
  | { readonly _tag: "Stopped"; readonly notification: BgpNotification | undefined }

/** What the shell is to do, in this order. */
export type Action =
  | { readonly _tag: "DialTcp" }
  | { readonly _tag: "Send"; readonly message: BgpMessage }
  /** Close once what was sent before is out. */
  | { readonly _tag: "CloseTcp" }
  | { readonly _tag: "SessionUp"; readonly negotiated: Negotiated }
  | { readonly _tag: "SessionDown"; readonly from: State["_tag"]; readonly cause: EndCause; readonly retryInMs: number }
  | { readonly _tag: "TakeUpdate"; readonly update: BgpUpdate }
  /** The peer asked for all routes of the family again (RFC 2918 §4), marked where they begin and end if so agreed (RFC 7313). */
  | { readonly _tag: "SendFamilyAgain"; readonly family: Family; readonly isMarked: boolean }

/** The next state and what to do on the way. */
export interface Step {
  readonly state: State
  readonly actions: ReadonlyArray<Action>
}

/** Where every machine begins. */
export const initialState: State = {
  _tag: "Idle",
  backOff: { unreachable: 0, refused: 0 },
  startAtMs: Number.POSITIVE_INFINITY
}

/** When a `Tick` is due at the latest; `Infinity` when no timer runs. */
export const nextDeadlineMs = (state: State): number => {
  switch (state._tag) {
    case "Idle":
      return state.startAtMs
    case "Connect":
    case "Active":
      return state.connectRetryDeadlineMs
    case "OpenSent":
      return state.holdDeadlineMs
    case "OpenConfirm":
      return Math.min(state.holdDeadlineMs, state.keepaliveDeadlineMs)
    case "Established":
      return Math.min(state.holdDeadlineMs, state.keepaliveDeadlineMs, state.sendHoldDeadlineMs)
  }
}
