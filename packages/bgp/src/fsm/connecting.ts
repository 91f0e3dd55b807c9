import type { SessionConfig } from "./config.ts"
import { fail, stay, stopped } from "./ending.ts"
import { noAnswer } from "./explain.ts"
import type { Active, Connect, Idle, Input, Moment, State, Step } from "./machine.ts"
import { ownOpen } from "./negotiate.ts"

/** The hold time until the peer's OPEN says better: RFC 4271 §8.2.2 suggests four minutes. */
export const openHoldMs = 240_000

/** How long one dial may take: a SYN and two of its repetitions, or ConnectRetryTime where that is longer. */
const dialMs = (config: SessionConfig): number => Math.max(5_000, config.connectRetryMs)

/** Begins to dial, or to wait for the peer. */
const begin = (config: SessionConfig, state: State, { nowMs }: Moment): Step =>
  config.opens === "dial"
    ? {
        state: { _tag: "Connect", backOff: state.backOff, connectRetryDeadlineMs: nowMs + dialMs(config) },
        actions: [{ _tag: "DialTcp" }]
      }
    : stay({ _tag: "Active", backOff: state.backOff, connectRetryDeadlineMs: Number.POSITIVE_INFINITY })

/** A connection is there: our OPEN goes out. */
const open = (config: SessionConfig, state: State, { nowMs }: Moment): Step => ({
  state: { _tag: "OpenSent", backOff: state.backOff, holdDeadlineMs: nowMs + openHoldMs },
  actions: [{ _tag: "Send", message: ownOpen(config) }]
})

/** RFC 4271 §8.2.2, Idle: everything but a start is ignored. */
export const idle = (config: SessionConfig, state: Idle, input: Input): Step => {
  switch (input._tag) {
    case "Start":
      return input.delayMs === undefined
        ? begin(config, state, input)
        : stay({ ...state, startAtMs: input.nowMs + input.delayMs })
    case "Tick":
      return input.nowMs >= state.startAtMs ? begin(config, state, input) : stay(state)
    case "Stop":
      return stay({ ...state, startAtMs: Number.POSITIVE_INFINITY })
    case "TcpConnected":
      return stay(state, [{ _tag: "CloseTcp" }]) // a connection that nobody waits for any more
    case "TcpFailed":
    case "TcpClosed":
    case "OctetsWait":
    case "OctetsTaken":
    case "MessageReceived":
    case "FaultFound":
    case "PathFailed":
      return stay(state)
  }
}

/** RFC 4271 §8.2.2, Connect. */
export const connect = (config: SessionConfig, state: Connect, input: Input): Step => {
  switch (input._tag) {
    case "TcpConnected":
      return open(config, state, input)
    case "TcpFailed":
    case "TcpClosed":
      return connectFailed(config, state, input, input.reason)
    case "Tick":
      return input.nowMs >= state.connectRetryDeadlineMs ? connectFailed(config, state, input, noAnswer) : stay(state)
    case "Stop":
      return stopped(state, input.notification, false)
    case "Start":
    case "OctetsWait":
    case "OctetsTaken":
    case "PathFailed":
      return stay(state)
    case "MessageReceived":
    case "FaultFound":
      return withoutConnection(config, state, input)
  }
}

/** RFC 4271 §8.2.2, Active. */
export const active = (config: SessionConfig, state: Active, input: Input): Step => {
  switch (input._tag) {
    case "TcpConnected":
      return open(config, state, input)
    case "Tick":
      return input.nowMs >= state.connectRetryDeadlineMs ? begin(config, state, input) : stay(state)
    case "TcpFailed":
      return connectFailed(config, state, input, input.reason)
    case "Stop":
      return stopped(state, input.notification, false)
    case "Start":
    case "OctetsWait":
    case "OctetsTaken":
    case "TcpClosed": // of the connection that was given up before
    case "PathFailed":
      return stay(state)
    case "MessageReceived":
    case "FaultFound":
      return withoutConnection(config, state, input)
  }
}

const connectFailed = (config: SessionConfig, state: State, at: Moment, reason: string): Step =>
  fail(config, state, at, { cause: { _tag: "ConnectFailed", reason }, failure: "unreachable" })

/** "Any other event" of Connect and Active: what is there is dropped. */
const withoutConnection = (config: SessionConfig, state: State, at: Moment): Step =>
  fail(config, state, at, {
    cause: { _tag: "ConnectionClosed", reason: "a message came before the connection was reported" }
  })
