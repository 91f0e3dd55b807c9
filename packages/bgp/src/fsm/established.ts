import { familyOf } from "../wire/family.ts"
import { type BgpMessage, keepalive, untimely } from "../wire/message.ts"
import type { SessionConfig } from "./config.ts"
import { fail, holdExpired, notified, pathFailed, refuse, sendHoldExpired, stay, stopped } from "./ending.ts"
import type { Action, Established, Input, Moment, Step } from "./machine.ts"
import { holdDeadline, keepaliveDeadline, sendHoldDeadline } from "./opening.ts"

/** RFC 4271 §8.2.2, Established. */
export const established = (config: SessionConfig, state: Established, input: Input): Step => {
  switch (input._tag) {
    case "MessageReceived":
      return received(config, state, input.message, input)
    case "FaultFound":
      return refuse(config, state, input, input.fault)
    case "PathFailed":
      return pathFailed(config, state, input, input)
    case "TcpClosed":
    case "TcpFailed":
      return fail(config, state, input, { cause: { _tag: "ConnectionClosed", reason: input.reason } })
    case "Tick":
      if (input.nowMs >= state.holdDeadlineMs) return holdExpired(config, state, input)
      if (input.nowMs >= state.sendHoldDeadlineMs) return sendHoldExpired(config, state, input)
      if (input.nowMs < state.keepaliveDeadlineMs) return stay(state)
      return stay({ ...state, keepaliveDeadlineMs: keepaliveDeadline(config, state.negotiated, input) }, [
        { _tag: "Send", message: keepalive }
      ])
    case "Stop":
      return stopped(state, input.notification, true)
    case "OctetsWait":
      return state.sendHoldDeadlineMs < Number.POSITIVE_INFINITY ? stay(state) : stay(awaiting(config, state, input))
    case "OctetsTaken":
      return stay(
        input.isAll ? { ...state, sendHoldDeadlineMs: Number.POSITIVE_INFINITY } : awaiting(config, state, input)
      )
    case "Start":
    case "TcpConnected":
      return stay(state)
  }
}

/** Octets wait for the peer from now on. */
const awaiting = (config: SessionConfig, state: Established, at: Moment): Established => ({
  ...state,
  sendHoldDeadlineMs: sendHoldDeadline(config, state.negotiated, at)
})

const received = (config: SessionConfig, state: Established, message: BgpMessage, at: Moment): Step => {
  // RFC 4271 lets KEEPALIVE and UPDATE restart the hold timer; a ROUTE-REFRESH proves as well that the peer lives.
  const heard = (actions: ReadonlyArray<Action>): Step =>
    stay({ ...state, holdDeadlineMs: holdDeadline(state.negotiated, at) }, actions)
  switch (message._tag) {
    case "Keepalive":
      return heard([])
    case "Update":
      return heard([{ _tag: "TakeUpdate", update: message }])
    case "RouteRefresh": {
      const family = familyOf(message.afi, message.safi)
      const { families, enhancedRefresh } = state.negotiated
      const isAsked = message.subtype === 0 && family !== undefined && families.includes(family)
      // Others are ignored: RFC 2918 §4; so are the peer's own marks (RFC 7313), since none of its routes are kept.
      return heard(isAsked ? [{ _tag: "SendFamilyAgain", family, isMarked: enhancedRefresh }] : [])
    }
    case "Notification":
      return notified(config, state, at, message)
    case "Open":
      return refuse(config, state, at, untimely("Open", "Established"))
  }
}
