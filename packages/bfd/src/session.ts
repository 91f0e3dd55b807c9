import { type Action, type ChangeCause, type Happening, isPathFailure, type State } from "./machine/machine.ts"
import { initialState, step } from "./machine/step.ts"
import { detectionTimeUs, nextDeadlineUs, peerDetectionTimeUs } from "./machine/timing.ts"
import type { ControlPacket, SessionState } from "./packet/control-packet.ts"
import { encodeControlPacket } from "./packet/encode.ts"
import type { DiscardReason } from "./packet/reception.ts"
import type { Port } from "./ports.ts"
import { configOf, type SessionOptions } from "./session-options.ts"
import type { SessionChange, SessionCounters, SessionStatus } from "./session-status.ts"

/** A machine with its sockets, timer and clock: the shell round `step`. */
export interface Session {
  readonly name: string
  readonly discriminator: number
  readonly receive: (packet: ControlPacket) => void
  readonly discard: (reason: DiscardReason) => void
  /** Takes over what may change while the session lives, which is all but its path. Throws `SocketFault`, and is as before. */
  readonly change: (options: SessionOptions) => void
  /** Takes the session out of use; the peer is told. Answers how long it should be told, in milliseconds. */
  readonly leave: () => number
  /** Opens its sockets again when its interface was made anew; a session that is up has the right ones. */
  readonly renew: () => void
  readonly status: () => SessionStatus
  readonly close: () => void
}

/** How long a peer is told that a session ends: RFC 5880 §6.8.16 asks for the peer's detection time at least. */
const lingerMs = { least: 1_000, most: 10_000 } as const

/** The widest delay that a timer can be given. */
const timerMsMax = 0x7fff_ffff

const nowUs = (): number => performance.now() * 1000

/** Runs a session until it is closed. Everything happens on the caller's turn, or on that of a socket or a timer. */
export const startSession = (
  { name, discriminator, port }: { readonly name: string; readonly discriminator: number; readonly port: Port },
  first: SessionOptions,
  onChange: (change: SessionChange) => void
): Session => {
  let options = first
  let config = configOf(options, discriminator)
  let state: State = initialState(config)
  let sinceUnixMs = Date.now()
  let cause: ChangeCause | undefined
  let lastDown: SessionStatus["lastDown"]
  let isLeaving = false
  let timer: { readonly handle: NodeJS.Timeout; readonly firesAtUs: number } | undefined
  const counters = { sent: 0, received: 0, sendFailures: 0, ups: 0, downs: 0, lateUsMax: 0 }
  const discarded: Partial<Record<DiscardReason, number>> = {}
  let lastSendFailure: string | undefined

  const onSendFailure = (code: string): void => {
    counters.sendFailures++
    lastSendFailure = code
  }

  const perform = (action: Action): void => {
    if (action._tag === "Send") {
      counters.sent++
      port.send(encodeControlPacket(action.packet), onSendFailure)
    } else take(action.from, action.cause)
  }

  const take = (from: SessionState, changeCause: ChangeCause | undefined): void => {
    if (changeCause !== undefined) {
      sinceUnixMs = Date.now()
      cause = changeCause
      if (state._tag === "Up") counters.ups++
      if (from === "Up") {
        counters.downs++
        lastDown = { atUnixMs: sinceUnixMs, cause: changeCause, diagnostic: state.diagnostic }
      }
    }
    onChange({
      from,
      cause: changeCause,
      isPathFailure: changeCause !== undefined && isPathFailure(changeCause),
      session: status()
    })
  }

  const input = (happening: Happening): void => {
    const result = step(config, state, { ...happening, nowUs: nowUs(), jitter: Math.random() })
    state = result.state
    armTimer()
    result.actions.forEach(perform)
  }

  // A detection deadline mostly moves away, with each packet, so a timer that fires early is left alone.
  const armTimer = (): void => {
    const deadlineUs = nextDeadlineUs(state)
    if (timer !== undefined && timer.firesAtUs <= deadlineUs) return
    clearTimeout(timer?.handle)
    timer = undefined
    if (deadlineUs === Number.POSITIVE_INFINITY) return
    const delayMs = Math.min(Math.max(0, Math.ceil((deadlineUs - nowUs()) / 1000)), timerMsMax)
    timer = { handle: setTimeout(onTimer, delayMs), firesAtUs: Math.min(deadlineUs, nowUs() + delayMs * 1000) }
  }

  let isClosed = false
  const onTimer = (): void => {
    timer = undefined
    counters.lateUsMax = Math.max(counters.lateUsMax, Math.round(nowUs() - nextDeadlineUs(state)))
    // After a stretch without the processor the peer's packets may lie in the socket: they are read before its silence is judged.
    setImmediate(() => {
      if (!isClosed) input({ _tag: "Tick" })
    })
  }

  const status = (): SessionStatus => ({
    name,
    ...options,
    localDiscriminator: discriminator,
    sourcePort: port.sourcePort,
    state: state._tag,
    sinceUnixMs,
    diagnostic: state.diagnostic,
    cause,
    isLeaving,
    lastDown,
    remote:
      state.remote === undefined
        ? undefined
        : {
            discriminator: state.remote.discriminator,
            state: state.remote.state,
            diagnostic: state.remote.diagnostic,
            demand: state.remote.demand,
            controlPlaneIndependent: state.remote.controlPlaneIndependent,
            detectMultiplier: state.remote.detectMult,
            desiredMinTxUs: state.remote.desiredMinTxUs,
            requiredMinRxUs: state.remote.requiredMinRxUs
          },
    transmitIntervalUs: Number.isFinite(state.transmitIntervalUs) ? state.transmitIntervalUs : undefined,
    detectionTimeUs: state.remote === undefined ? undefined : detectionTimeUs(state.remote, state.inEffect),
    counters: { ...counters, discarded: { ...discarded } } satisfies SessionCounters,
    lastSendFailure
  })

  const setUse = (): void => input({ _tag: options.adminDown || isLeaving ? "Disable" : "Enable" })

  input({ _tag: options.adminDown ? "Disable" : "Tick" })
  return {
    name,
    discriminator,
    receive: (packet) => {
      counters.received++
      input({ _tag: "PacketReceived", packet })
    },
    discard: (reason) => {
      discarded[reason] = (discarded[reason] ?? 0) + 1
    },
    change: (next) => {
      if (next.minimumTtl !== options.minimumTtl) port.accept(next.minimumTtl)
      options = next
      config = configOf(options, discriminator)
      isLeaving = false
      input({ _tag: "Reconfigured" })
      setUse()
    },
    leave: () => {
      const peerWaitsMs = peerDetectionTimeUs(config, state) / 1000
      isLeaving = true
      setUse()
      return Math.min(Math.max(peerWaitsMs, lingerMs.least), lingerMs.most)
    },
    renew: () => {
      if (state._tag !== "Up") port.renew()
    },
    status,
    close: () => {
      isClosed = true
      clearTimeout(timer?.handle)
      port.close()
    }
  }
}
