import { Result } from "effect"
import { keepalive, untimely } from "../wire/message.ts"
import { jittered } from "./back-off.ts"
import type { SessionConfig } from "./config.ts"
import { fail, holdExpired, notified, refuse, stay, stopped } from "./ending.ts"
import type { Input, Moment, OpenConfirm, OpenSent, Step } from "./machine.ts"
import { type Negotiated, negotiate } from "./negotiate.ts"

/** When nothing heard until then ends the session; never with a hold time of 0 (RFC 4271 §4.2). */
export const holdDeadline = ({ holdTimeSeconds }: Negotiated, { nowMs }: Moment): number =>
  holdTimeSeconds === 0 ? Number.POSITIVE_INFINITY : nowMs + holdTimeSeconds * 1000

/** When our next KEEPALIVE is due: after a third of the hold time, or sooner if so configured (RFC 4271 §4.4), jittered (§10). */
export const keepaliveDeadline = (config: SessionConfig, { holdTimeSeconds }: Negotiated, at: Moment): number => {
  const seconds = Math.min(config.keepaliveTimeSeconds ?? Number.POSITIVE_INFINITY, holdTimeSeconds / 3)
  return holdTimeSeconds === 0 ? Number.POSITIVE_INFINITY : at.nowMs + jittered(seconds * 1000, at.jitter)
}

/** The least time that octets may wait for the peer to take them: RFC 9687 §6 recommends eight minutes, or twice the hold time. */
const sendHoldSecondsDefault = 480

/** When octets that wait have waited too long; never with a hold time of 0 (RFC 9687 §4.4). */
export const sendHoldDeadline = (config: SessionConfig, { holdTimeSeconds }: Negotiated, { nowMs }: Moment): number => {
  const seconds = config.sendHoldTimeSeconds ?? Math.max(sendHoldSecondsDefault, 2 * holdTimeSeconds)
  return holdTimeSeconds === 0 ? Number.POSITIVE_INFINITY : nowMs + seconds * 1000
}

/** RFC 4271 §8.2.2, OpenSent. */
export const openSent = (config: SessionConfig, state: OpenSent, input: Input): Step => {
  switch (input._tag) {
    case "MessageReceived": {
      const { message } = input
      if (message._tag === "Notification") return notified(config, state, input, message)
      if (message._tag !== "Open") return refuse(config, state, input, untimely(message._tag, "OpenSent"))
      const agreed = negotiate(config, message)
      return Result.isFailure(agreed)
        ? refuse(config, state, input, agreed.failure)
        : confirm(config, state, agreed.success, input)
    }
    case "FaultFound":
      return refuse(config, state, input, input.fault)
    case "TcpClosed":
    case "TcpFailed":
      return fail(config, state, input, { cause: { _tag: "ConnectionClosed", reason: input.reason } })
    case "Tick":
      return input.nowMs >= state.holdDeadlineMs ? holdExpired(config, state, input) : stay(state)
    case "Stop":
      return stopped(state, input.notification, true)
    case "Start":
    case "TcpConnected":
    case "OctetsWait":
    case "OctetsTaken":
    case "PathFailed": // RFC 5882 §4.1: it ends what is up, and does not keep a session from coming up
      return stay(state)
  }
}

const confirm = (config: SessionConfig, state: OpenSent, negotiated: Negotiated, at: Moment): Step => ({
  state: {
    _tag: "OpenConfirm",
    backOff: state.backOff,
    negotiated,
    holdDeadlineMs: holdDeadline(negotiated, at),
    keepaliveDeadlineMs: keepaliveDeadline(config, negotiated, at)
  },
  actions: [{ _tag: "Send", message: keepalive }]
})

/** RFC 4271 §8.2.2, OpenConfirm. */
export const openConfirm = (config: SessionConfig, state: OpenConfirm, input: Input): Step => {
  switch (input._tag) {
    case "MessageReceived": {
      const { message } = input
      if (message._tag === "Notification") return notified(config, state, input, message)
      return message._tag === "Keepalive"
        ? establish(state, input)
        : refuse(config, state, input, untimely(message._tag, "OpenConfirm"))
    }
    case "FaultFound":
      return refuse(config, state, input, input.fault)
    case "TcpClosed":
    case "TcpFailed":
      return fail(config, state, input, { cause: { _tag: "ConnectionClosed", reason: input.reason } })
    case "Tick":
      if (input.nowMs >= state.holdDeadlineMs) return holdExpired(config, state, input)
      if (input.nowMs < state.keepaliveDeadlineMs) return stay(state)
      return stay({ ...state, keepaliveDeadlineMs: keepaliveDeadline(config, state.negotiated, input) }, [
        { _tag: "Send", message: keepalive }
      ])
    case "Stop":
      return stopped(state, input.notification, true)
    case "Start":
    case "TcpConnected":
    case "OctetsWait":
    case "OctetsTaken":
    case "PathFailed": // RFC 5882 §4.1: it ends what is up, and does not keep a session from coming up
      return stay(state)
  }
}

const establish = (state: OpenConfirm, at: Moment): Step => ({
  state: {
    ...state,
    _tag: "Established",
    establishedAtMs: at.nowMs,
    holdDeadlineMs: holdDeadline(state.negotiated, at),
    sendHoldDeadlineMs: Number.POSITIVE_INFINITY
  },
  actions: [{ _tag: "SessionUp", negotiated: state.negotiated }]
})
