import type { ControlPacket, SessionState } from "../packet/control-packet.ts"

/** The four states of RFC 5880 §6.2. Times are on the shell's monotonic clock, in microseconds as intervals are on the wire. */
export type State = AdminDown | Down | Init | Up

/** What every state has. */
interface Common {
  /** bfd.LocalDiag: why the state last changed. */
  readonly diagnostic: number
  /** bfd.DesiredMinTxInterval and bfd.RequiredMinRxInterval, as packets say them. */
  readonly announced: Intervals
  /** The same as timers take them: a slower sending, or a faster receiving, waits for the end of a Poll Sequence. */
  readonly inEffect: Intervals
  readonly poll: Poll
  /** When the last packet went that was not an answer to a Poll alone; `-Infinity`: none did. */
  readonly sentAtUs: number
  /** When the next periodic packet is due; `Infinity`: none is to be sent. */
  readonly transmitAtUs: number
  /** The interval that `transmitAtUs` was reckoned with, before jitter. */
  readonly transmitIntervalUs: number
}

/** Taken out of use by an operator. */
export interface AdminDown extends Common {
  readonly _tag: "AdminDown"
  readonly remote: Remote | undefined
}

/** The peer is not heard, or says that it is down. */
export interface Down extends Common {
  readonly _tag: "Down"
  readonly remote: Remote | undefined
}

/** The peer is heard; whether it hears us is not known. */
export interface Init extends Common {
  readonly _tag: "Init"
  readonly remote: Remote
}

/** Both hear each other. */
export interface Up extends Common {
  readonly _tag: "Up"
  readonly remote: Remote
}

export interface Intervals {
  readonly desiredMinTxUs: number
  readonly requiredMinRxUs: number
}

/** What the peer said in its last packet, and when. It is forgotten when a detection time passes without another. */
export interface Remote {
  readonly discriminator: number
  readonly state: SessionState
  readonly diagnostic: number
  readonly demand: boolean
  readonly controlPlaneIndependent: boolean
  readonly desiredMinTxUs: number
  readonly requiredMinRxUs: number
  readonly detectMult: number
  readonly heardAtUs: number
}

/**
 * The Poll Sequence of RFC 5880 §6.5. `Settling`: the Final came, and until a packet without one has come as well the next
 * sequence waits, or its Final could be taken for this one's (§6.8.3).
 */
export type Poll = "none" | "polling" | "settling"

/** When an input came, and a random number from 0 to below 1 for the jitter. */
export interface Moment {
  readonly nowUs: number
  readonly jitter: number
}

/** Everything that can happen to a session. */
export type Happening =
  /** A packet for this session, see `demultiplex.ts`. */
  | { readonly _tag: "PacketReceived"; readonly packet: ControlPacket }
  | { readonly _tag: "Tick" }
  /** The configuration is another one from now on. */
  | { readonly _tag: "Reconfigured" }
  /** An operator takes the session out of use, RFC 5880 §6.8.16. */
  | { readonly _tag: "Disable" }
  | { readonly _tag: "Enable" }

/** What happened, and when. */
export type Input = Happening & Moment

/** Why the state changed. What of it is a failure of the path is said by `isPathFailure`. */
export type ChangeCause =
  /** Packets of the peer's brought the session further up. */
  "handshake" | "detection-time-expired" | "neighbor-down" | "neighbor-admin-down" | "disabled" | "enabled"

/** RFC 5882 §4.2: a session that either end took out of use says nothing about the path. */
export const isPathFailure = (cause: ChangeCause): boolean =>
  cause === "detection-time-expired" || cause === "neighbor-down"

/** What the shell is to do, in this order. */
export type Action =
  | { readonly _tag: "Send"; readonly packet: ControlPacket }
  /** The state changed, or what the peer says of its own did (`cause` is undefined). */
  | { readonly _tag: "Changed"; readonly from: SessionState; readonly cause: ChangeCause | undefined }

/** The next state and what to do on the way. */
export interface Step {
  readonly state: State
  readonly actions: ReadonlyArray<Action>
}
