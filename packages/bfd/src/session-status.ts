import type { ChangeCause } from "./machine/machine.ts"
import type { SessionState } from "./packet/control-packet.ts"
import type { DiscardReason } from "./packet/reception.ts"
import type { SessionOptions } from "./session-options.ts"

/** All that is known of one session. Times of day are milliseconds since 1970. */
export interface SessionStatus extends SessionOptions {
  readonly name: string
  readonly localDiscriminator: number
  readonly sourcePort: number
  readonly state: SessionState
  readonly sinceUnixMs: number
  /** bfd.LocalDiag; `diagnosticName` has its words. */
  readonly diagnostic: number
  /** Why the state is what it is; undefined in a session that never changed. */
  readonly cause: ChangeCause | undefined
  /** Whether it is being removed, and its peer told so. */
  readonly isLeaving: boolean
  /** When it was up last, and why it is not any more. */
  readonly lastDown: { readonly atUnixMs: number; readonly cause: ChangeCause; readonly diagnostic: number } | undefined
  /** What the peer said last; undefined when it is not heard. */
  readonly remote: RemoteStatus | undefined
  /** Between periodic packets of ours, before jitter; undefined when none are sent. */
  readonly transmitIntervalUs: number | undefined
  /** How long the peer may be silent; undefined when it is not heard. */
  readonly detectionTimeUs: number | undefined
  readonly counters: SessionCounters
  /** What the kernel said when a packet could last not be sent. */
  readonly lastSendFailure: string | undefined
}

export interface RemoteStatus {
  readonly discriminator: number
  readonly state: SessionState
  readonly diagnostic: number
  readonly demand: boolean
  /** The C bit: the peer's BFD goes on when its control plane does not (RFC 5882 §4.3). */
  readonly controlPlaneIndependent: boolean
  readonly detectMultiplier: number
  readonly desiredMinTxUs: number
  readonly requiredMinRxUs: number
}

/** Since the session was made. Packets whose TTL was too low are not among them: the kernel drops those. */
export interface SessionCounters {
  readonly sent: number
  readonly received: number
  readonly sendFailures: number
  readonly ups: number
  readonly downs: number
  /** The most that a timer of the session fired too late: how long the process had to wait for a processor. */
  readonly lateUsMax: number
  readonly discarded: Readonly<Partial<Record<DiscardReason, number>>>
}

/** A change of a session's state, or of what its peer says of its own: then there is no cause. */
export interface SessionChange {
  readonly from: SessionState
  readonly cause: ChangeCause | undefined
  /** Whether it says that the path failed: RFC 5882 §4.2 takes AdminDown on either side for no failure. */
  readonly isPathFailure: boolean
  readonly session: SessionStatus
}
