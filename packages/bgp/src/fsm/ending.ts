import { type BgpNotification, notification, type WireFault } from "../wire/notification.ts"
import { afterFailure, type Failure, noBackOff, retryDelayMs } from "./back-off.ts"
import type { SessionConfig } from "./config.ts"
import type { Action, EndCause, Moment, State, Step } from "./machine.ts"

/** Leaves the state as it is. */
export const stay = (state: State, actions: ReadonlyArray<Action> = []): Step => ({ state, actions })

/** Hold time to assume where 0 was agreed, for judging whether a session lasted. */
const lastingMsWithoutHoldTime = 90_000

/** A session that outlived its hold time was a good one: what failed before it no longer counts. */
const backOffOf = (state: State, nowMs: number) => {
  if (state._tag !== "Established") return state.backOff
  const holdMs = state.negotiated.holdTimeSeconds * 1000 || lastingMsWithoutHoldTime
  return nowMs - state.establishedAtMs >= holdMs ? noBackOff : state.backOff
}

/** Closes what there is, counts the failure and waits in Idle; who only accepts does not come back by itself. */
export const fail = (
  config: SessionConfig,
  state: State,
  { nowMs, jitter }: Moment,
  {
    cause,
    failure = "refused",
    send
  }: { readonly cause: EndCause; readonly failure?: Failure; readonly send?: BgpNotification }
): Step => {
  const backOff = afterFailure(backOffOf(state, nowMs), failure)
  const retryInMs =
    config.opens === "accept"
      ? Number.POSITIVE_INFINITY
      : retryDelayMs(backOff, failure, { connectRetryMs: config.connectRetryMs, jitter })
  // RFC 4271 §8.2.2, OpenSent: a connection lost before the peer's OPEN is waited for in Active.
  const next: State =
    state._tag === "OpenSent" && cause._tag === "ConnectionClosed" && config.opens === "dial"
      ? { _tag: "Active", backOff, connectRetryDeadlineMs: nowMs + retryInMs }
      : { _tag: "Idle", backOff, startAtMs: nowMs + retryInMs }
  return {
    state: next,
    actions: [
      ...(send === undefined ? [] : [{ _tag: "Send", message: send } as const]),
      { _tag: "CloseTcp" },
      { _tag: "SessionDown", from: state._tag, cause, retryInMs }
    ]
  }
}

/** Tells the peer what was wrong with its message, then closes: RFC 4271 §6. */
export const refuse = (config: SessionConfig, state: State, at: Moment, fault: WireFault): Step =>
  fail(config, state, at, {
    cause: { _tag: "NotificationSent", notification: fault.notification, reason: `${fault.reason} (${fault.section})` },
    send: fault.notification
  })

/** §6.5: notify before closing, so that the peer can tell this from a network fault. */
export const holdExpired = (config: SessionConfig, state: State, at: Moment): Step => {
  const expired = notification(4, 0)
  return fail(config, state, at, {
    cause: { _tag: "NotificationSent", notification: expired, reason: "nothing was heard for the hold time" },
    send: expired
  })
}

/** RFC 9687 §4.3: the peer sends, but takes nothing. The NOTIFICATION will hardly get through; the log has it. */
export const sendHoldExpired = (config: SessionConfig, state: State, at: Moment): Step => {
  const expired = notification(8, 0)
  const reason = "it sends, but has taken nothing of ours for the send hold time"
  return fail(config, state, at, {
    cause: { _tag: "NotificationSent", notification: expired, reason },
    send: expired
  })
}

/** The peer's NOTIFICATION is not answered (RFC 4271 §6): the connection is closed. */
export const notified = (config: SessionConfig, state: State, at: Moment, received: BgpNotification): Step =>
  fail(config, state, at, { cause: { _tag: "NotificationReceived", notification: received } })

/**
 * RFC 5882 §4.2: the path is gone, which ends the session at once. Without a NOTIFICATION a peer that keeps our routes over a
 * restart keeps them.
 */
export const pathFailed = (
  config: SessionConfig,
  state: State,
  at: Moment,
  { reason, notification: told }: { readonly reason: string; readonly notification: BgpNotification | undefined }
): Step =>
  fail(config, state, at, {
    cause: { _tag: "PathFailed", reason, notification: told },
    ...(told !== undefined && { send: told })
  })

/** An operator's stop: Idle until started again, with nothing held against the peer. */
export const stopped = (state: State, send: BgpNotification | undefined, isOpen: boolean): Step => ({
  state: { _tag: "Idle", backOff: noBackOff, startAtMs: Number.POSITIVE_INFINITY },
  actions: [
    ...(isOpen && send !== undefined ? [{ _tag: "Send", message: send } as const] : []),
    { _tag: "CloseTcp" },
    {
      _tag: "SessionDown",
      from: state._tag,
      cause: { _tag: "Stopped", notification: send },
      retryInMs: Number.POSITIVE_INFINITY
    }
  ]
})
