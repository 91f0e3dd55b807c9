import type { Family } from "@lowtide/net"
import { Result } from "effect"
import type { SessionConfig } from "./fsm/config.ts"
import { type Action, type Happening, initialState, nextDeadlineMs, type State } from "./fsm/machine.ts"
import { negotiate } from "./fsm/negotiate.ts"
import { step } from "./fsm/step.ts"
import type { Transport, TransportEvents } from "./transport.ts"
import type { AttributeContext } from "./wire/attribute-codec.ts"
import { afiOf, safiUnicast } from "./wire/family.ts"
import {
  type BgpMessage,
  decodeBody,
  encodeMessage,
  extendedMessageBytesMax,
  isTimely,
  type MessageFrame,
  type MessageKind,
  messageBytesMax,
  takeFrame,
  untimely
} from "./wire/message.ts"
import type { BgpNotification } from "./wire/notification.ts"
import type { BgpOpen } from "./wire/open.ts"
import { refreshSubtypes } from "./wire/route-refresh.ts"
import type { UpdateChunk } from "./wire/update-packer.ts"

/** Messages by kind, as they went and came since the peer was started. */
export type MessageCounters = { readonly [Kind in MessageKind]: number }

/** What the owner of a session does for its machine. */
export interface RunnerPort {
  /** Opens a connection and reports to `events`; the answer gives up the attempt. Only a dialling role is asked. */
  readonly dial: (events: TransportEvents) => () => void
  /** What concerns routes and people; sending and closing was done already. */
  readonly onAction: (action: Exclude<Action, { readonly _tag: "Send" | "CloseTcp" | "DialTcp" }>) => void
  /** The kernel took what was written: more may follow. */
  readonly onDrain: () => void
  /** Looks at an OPEN that the machine would accept before it does: with an answer the connection is ended by it. */
  readonly judgeOpen?: (open: BgpOpen) => BgpNotification | undefined
}

/** A machine with its connection, timer and clock: the shell round `step`. */
export interface Runner {
  readonly input: (happening: Happening) => void
  /** Takes a connection that the peer opened. */
  readonly adopt: (attach: (events: TransportEvents) => Transport) => void
  readonly state: () => State
  /** When that state was entered, by the time of day in milliseconds since 1970. */
  readonly stateSinceUnixMs: () => number
  /** The connection, while there is one. */
  readonly transport: () => Transport | undefined
  /** Writes whole messages that the route writer made. */
  readonly writeUpdates: (chunk: UpdateChunk, onWritten: () => void) => void
  /** Asks the peer for all routes of a family again (RFC 2918); nothing happens unless the session is up. */
  readonly requestRefresh: (family: Family) => void
  /** Both OPENs of the connection, whole messages, once both are there. */
  readonly opens: () => Opens | undefined
  readonly counters: () => { readonly sent: MessageCounters; readonly received: MessageCounters }
}

/** The OPENs of one connection, header included. */
export interface Opens {
  readonly sent: Uint8Array
  readonly received: Uint8Array
}

/** The widest delay a timer can be given; a deadline beyond it is looked at again when it fires. */
const timerMsMax = 0x7fff_ffff

const noMessages = (): Record<MessageKind, number> => ({
  Open: 0,
  Update: 0,
  Notification: 0,
  Keepalive: 0,
  RouteRefresh: 0
})

/** Before the OPENs were exchanged nothing is sent or read that depends on either. */
const contextOf = (state: State): AttributeContext =>
  state._tag === "OpenConfirm" || state._tag === "Established"
    ? state.negotiated
    : { fourOctetAs: false, isInternal: false }

/**
 * Runs a machine until it is stopped. Everything happens on the caller's turn or on that of its socket or timer. What
 * `config` answers may change between two steps: a session that is up keeps what was agreed.
 */
export const makeRunner = (config: () => SessionConfig, port: RunnerPort): Runner => {
  const sent = noMessages()
  const received = noMessages()
  const inbox: Array<Happening> = []
  let isStepping = false
  let state: State = initialState
  let stateSinceUnixMs = Date.now()
  let transport: Transport | undefined
  /** How many of the writes to it the kernel has not taken yet. */
  let unwritten = 0
  let giveUpDial: (() => void) | undefined
  let unread: Uint8Array = new Uint8Array(0)
  let opens: Partial<Opens> = {}
  let timer: { readonly handle: NodeJS.Timeout; readonly firesAtMs: number } | undefined

  const perform = (action: Action): void => {
    switch (action._tag) {
      case "Send":
        return send(action.message)
      case "CloseTcp":
        giveUpDial?.()
        giveUpDial = undefined
        transport?.close()
        transport = undefined
        unread = new Uint8Array(0)
        return
      case "DialTcp":
        giveUpDial = port.dial(events())
        return
      case "SessionUp":
        if (unwritten > 0) input({ _tag: "OctetsWait" })
        port.onAction(action)
        return
      case "SessionDown":
      case "TakeUpdate":
      case "SendFamilyAgain":
        port.onAction(action)
    }
  }

  const send = (message: BgpMessage): void => {
    const bytes = encodeMessage(message, contextOf(state))
    if (message._tag === "Open") opens = { sent: bytes }
    sent[message._tag]++
    write(bytes)
  }

  /** Writes, and tells a machine whose session is up that octets wait and when the kernel has taken them. */
  const write = (bytes: Uint8Array, onWritten?: () => void): void => {
    const to = transport
    if (to === undefined) return
    unwritten++
    to.write(bytes, () => {
      if (transport === to) {
        unwritten--
        if (state._tag === "Established") input({ _tag: "OctetsTaken", isAll: unwritten === 0 })
      }
      onWritten?.()
    })
    if (state._tag === "Established") input({ _tag: "OctetsWait" })
  }

  // An action may cause the next input (a stop inside an event handler): it waits until the step before is done.
  const input = (happening: Happening): void => {
    inbox.push(happening)
    if (isStepping) return
    isStepping = true
    try {
      for (let next = inbox.shift(); next !== undefined; next = inbox.shift()) {
        const result = step(config(), state, { ...next, nowMs: performance.now(), jitter: Math.random() })
        if (result.state._tag !== state._tag) stateSinceUnixMs = Date.now()
        state = result.state
        result.actions.forEach(perform)
      }
    } finally {
      isStepping = false
      armTimer()
    }
  }

  // A deadline mostly moves away (each message restarts the hold timer), so a timer that fires early is left alone.
  const armTimer = (): void => {
    const deadlineMs = nextDeadlineMs(state)
    const isOff = deadlineMs === Number.POSITIVE_INFINITY // a stopped session must not keep the process alive
    if (!isOff && timer !== undefined && timer.firesAtMs <= deadlineMs) return
    clearTimeout(timer?.handle)
    timer = undefined
    if (isOff) return
    const delayMs = Math.min(Math.max(0, Math.ceil(deadlineMs - performance.now())), timerMsMax)
    timer = { handle: setTimeout(onTimer, delayMs), firesAtMs: Math.min(deadlineMs, performance.now() + delayMs) }
  }

  const onTimer = (): void => {
    timer = undefined
    // After a busy stretch the peer's octets may lie in the socket, unread: they are read before the tick is judged.
    setImmediate(() => input({ _tag: "Tick" }))
  }

  const onBytes = (bytes: Uint8Array): void => {
    const source = transport
    const stream = unread.length === 0 ? bytes : Buffer.concat([unread, bytes])
    unread = new Uint8Array(0)
    let offset = 0
    while (transport === source && source !== undefined) {
      // Our OPEN says that we take extended messages (RFC 8654 §3), so they may come once the peer has it.
      const isOpen = state._tag === "OpenConfirm" || state._tag === "Established"
      const frame = takeFrame(stream, offset, isOpen ? extendedMessageBytesMax : messageBytesMax)
      if (frame._tag === "Incomplete") {
        unread = stream.subarray(offset)
        return
      }
      if (frame._tag === "WireFault") {
        input({ _tag: "FaultFound", fault: frame })
        return
      }
      if (frame.kind === "Open") opens = { ...opens, received: stream.slice(offset, frame.end) }
      offset = frame.end
      received[frame.kind]++
      input(happeningOf(frame))
    }
  }

  const happeningOf = (frame: MessageFrame): Happening => {
    const tag = state._tag
    const isConnected = tag === "OpenSent" || tag === "OpenConfirm" || tag === "Established"
    // What may not come now is not read: its own faults are none of what this state answers (RFC 4271 §8.2.2).
    if (isConnected && !isTimely(frame.kind, tag)) return { _tag: "FaultFound", fault: untimely(frame.kind, tag) }
    const decoded = decodeBody(frame, contextOf(state))
    if (Result.isFailure(decoded)) return { _tag: "FaultFound", fault: decoded.failure }
    const message = decoded.success
    const isAcceptable = message._tag === "Open" && state._tag === "OpenSent" && agreesTo(message)
    const answer = isAcceptable ? port.judgeOpen?.(message) : undefined
    return answer === undefined ? { _tag: "MessageReceived", message } : { _tag: "Stop", notification: answer }
  }

  /** An OPEN that we refuse must not end another connection first. */
  const agreesTo = (open: BgpOpen): boolean => Result.isSuccess(negotiate(config(), open))

  /** Reports of one connection; those of a connection given up in the meantime are dropped. */
  const events = (): TransportEvents => {
    let own: Transport | undefined
    const ifCurrent = (run: () => void): void => {
      if (own !== undefined && transport === own) run()
    }
    return {
      onConnected: (connected) => {
        giveUpDial = undefined
        own = connected
        transport = connected
        unwritten = 0
        input({ _tag: "TcpConnected" })
      },
      onFailed: (reason) => {
        giveUpDial = undefined
        input({ _tag: "TcpFailed", reason })
      },
      onBytes: (bytes) => ifCurrent(() => onBytes(bytes)),
      onDrain: () => ifCurrent(port.onDrain),
      onClosed: (reason) =>
        ifCurrent(() => {
          transport = undefined
          input({ _tag: "TcpClosed", reason })
        })
    }
  }

  return {
    input,
    adopt: (attach) => {
      const reports = events()
      reports.onConnected(attach(reports))
    },
    state: () => state,
    stateSinceUnixMs: () => stateSinceUnixMs,
    transport: () => transport,
    writeUpdates: ({ bytes, messages, kind }, onWritten) => {
      sent[kind ?? "Update"] += messages
      write(bytes, onWritten)
    },
    requestRefresh: (family) => {
      if (state._tag !== "Established") return
      const subtype = refreshSubtypes.request
      const message = { _tag: "RouteRefresh", afi: afiOf(family), subtype, safi: safiUnicast } as const
      perform({ _tag: "Send", message })
    },
    opens: () => (opens.sent && opens.received ? { sent: opens.sent, received: opens.received } : undefined),
    counters: () => ({ sent: { ...sent }, received: { ...received } })
  }
}
