import { type ControlPacket, diagnostics } from "../packet/control-packet.ts"
import type { SessionConfig } from "./config.ts"
import type { Action, Input, Moment, Poll, Remote, State, Step } from "./machine.ts"
import { detectAtUs, jittered, maySend, transmitIntervalUs, wantedIntervals } from "./timing.ts"
import { diagnosticOf, type Transition, transitions } from "./transitions.ts"

/** Where every session begins: Down (RFC 5880 §6.8.1). The first `Tick` sets it going. */
export const initialState = (config: SessionConfig): State => {
  const intervals = wantedIntervals(config, "Down")
  return {
    _tag: "Down",
    remote: undefined,
    diagnostic: diagnostics.none,
    announced: intervals,
    inEffect: intervals,
    poll: "none",
    sentAtUs: Number.NEGATIVE_INFINITY,
    transmitAtUs: Number.POSITIVE_INFINITY,
    transmitIntervalUs: Number.POSITIVE_INFINITY
  }
}

/**
 * RFC 5880 §6.8. Answers every (state, input) pair: what the peer said is learnt, the state changes by it, the intervals
 * follow the state (§6.8.3), and what is due is sent (§6.8.7).
 */
export const step = (config: SessionConfig, before: State, input: Input): Step => {
  const transition = transitionOf(before, input)
  const moved = move(learn(before, input), transition)
  const after = retime(config, before, moved)
  const sending = transmit(config, after, {
    input,
    isChange: transition !== undefined,
    answersPoll: asks(before, input)
  })
  const isNews = transition !== undefined || remoteState(before) !== remoteState(after)
  const news: ReadonlyArray<Action> = isNews ? [{ _tag: "Changed", from: before._tag, cause: transition?.cause }] : []
  return { state: sending.state, actions: [...sending.actions, ...news] }
}

/** bfd.RemoteSessionState: Down as long as the peer is not heard. */
const remoteState = ({ remote }: State) => remote?.state ?? "Down"

const transitionOf = (state: State, input: Input): Transition | undefined => {
  switch (input._tag) {
    case "PacketReceived":
      return transitions[state._tag][input.packet.state]
    case "Tick":
      return isSilent(state, input) && (state._tag === "Init" || state._tag === "Up")
        ? { to: "Down", cause: "detection-time-expired" }
        : undefined
    case "Disable":
      return state._tag === "AdminDown" ? undefined : { to: "AdminDown", cause: "disabled" }
    case "Enable":
      return state._tag === "AdminDown" ? { to: "Down", cause: "enabled" } : undefined
    case "Reconfigured":
      return undefined
  }
}

const isSilent = (state: State, { nowUs }: Moment): boolean => nowUs >= detectAtUs(state)

/** A state of which it is not said yet whether its peer is heard. */
type Heard = Omit<State, "remote"> & { readonly remote: Remote | undefined }

/** What is known of the peer after the input: RFC 5880 §6.8.6 when a packet came, §6.8.1 when none did. */
const learn = (state: State, input: Input): Heard => {
  if (input._tag === "Tick" && isSilent(state, input)) return { ...state, remote: undefined, poll: "none" }
  if (input._tag !== "PacketReceived") return state
  const { poll, inEffect } = afterPoll(state, input.packet)
  return { ...state, remote: remoteOf(input.packet, input), poll, inEffect }
}

const remoteOf = (packet: ControlPacket, { nowUs }: Moment): Remote => ({
  discriminator: packet.myDiscriminator,
  state: packet.state,
  diagnostic: packet.diagnostic,
  demand: packet.demand,
  controlPlaneIndependent: packet.controlPlaneIndependent,
  desiredMinTxUs: packet.desiredMinTxUs,
  requiredMinRxUs: packet.requiredMinRxUs,
  detectMult: packet.detectMult,
  heardAtUs: nowUs
})

/** A Final ends the Poll Sequence, and what waited for it takes effect: RFC 5880 §6.5, §6.8.3. */
const afterPoll = (state: State, packet: ControlPacket): Pick<State, "poll" | "inEffect"> => {
  if (state.poll === "polling" && packet.final) return { poll: "settling", inEffect: state.announced }
  const poll: Poll = state.poll === "settling" && !packet.final ? "none" : state.poll
  return { poll, inEffect: state.inEffect }
}

const move = (state: Heard, transition: Transition | undefined): State => {
  const { remote } = state
  const tag = transition?.to ?? state._tag
  const diagnostic = transition === undefined ? state.diagnostic : diagnosticOf[transition.cause]
  // Only a packet leads to Init and Up, and only silence makes the peer unknown, which leads out of both.
  return remote === undefined
    ? { ...state, _tag: tag === "AdminDown" ? "AdminDown" : "Down", remote, diagnostic }
    : { ...state, _tag: tag, remote, diagnostic }
}

/**
 * Announces what the configuration and the state want, RFC 5880 §6.8.3. In Up a slower sending and a faster receiving wait
 * for the Poll Sequence, and a further change for the end of the one before; in every other state all is as said at once.
 */
const retime = (config: SessionConfig, before: State, state: State): State => {
  const wanted = wantedIntervals(config, state._tag)
  const { announced, inEffect, remote } = state
  const isUp = state._tag === "Up"
  const isSame =
    wanted.desiredMinTxUs === announced.desiredMinTxUs && wanted.requiredMinRxUs === announced.requiredMinRxUs
  if (isSame) return isUp ? state : { ...state, inEffect: announced }
  if (isUp && before._tag === "Up" && state.poll !== "none") return state
  return {
    ...state,
    announced: wanted,
    inEffect: isUp
      ? {
          desiredMinTxUs: Math.min(inEffect.desiredMinTxUs, wanted.desiredMinTxUs),
          requiredMinRxUs: Math.max(inEffect.requiredMinRxUs, wanted.requiredMinRxUs)
        }
      : wanted,
    poll: remote === undefined ? "none" : "polling"
  }
}

/** Whether the packet is owed an answer with the Final bit: RFC 5880 §6.8.6; AdminDown has discarded it by then. */
const asks = (state: State, input: Input): boolean =>
  input._tag === "PacketReceived" && input.packet.poll && state._tag !== "AdminDown"

interface Occasion {
  readonly input: Input
  /** The state changed: the peer is told at once. */
  readonly isChange: boolean
  readonly answersPoll: boolean
}

/** Sends what is due, RFC 5880 §6.8.7: a change of state at once, the answer to a Poll at once, the rest by the timer. */
const transmit = (config: SessionConfig, state: State, { input, isChange, answersPoll }: Occasion): Step => {
  const intervalUs = transmitIntervalUs(config, state)
  const dueAtUs =
    intervalUs === state.transmitIntervalUs
      ? state.transmitAtUs
      : afterInterval(config, state.sentAtUs, { intervalUs, moment: input })
  const timed = { ...state, transmitIntervalUs: intervalUs, transmitAtUs: dueAtUs }
  const isDue = (isChange && maySend(config, state)) || input.nowUs >= dueAtUs
  if (!isDue && !answersPoll) return { state: timed, actions: [] }
  const send: Action = { _tag: "Send", packet: packetOf(config, state, answersPoll) }
  if (!isDue) return { state: timed, actions: [send] } // beside the timer, which is left as it was
  const transmitAtUs = afterInterval(config, input.nowUs, { intervalUs, moment: input })
  return { state: { ...timed, sentAtUs: input.nowUs, transmitAtUs }, actions: [send] }
}

const afterInterval = (
  config: SessionConfig,
  fromUs: number,
  { intervalUs, moment }: { readonly intervalUs: number; readonly moment: Moment }
): number => (intervalUs === Number.POSITIVE_INFINITY ? intervalUs : fromUs + jittered(config, intervalUs, moment))

/** RFC 5880 §6.8.7, the fields of a packet. Poll and Final are never both set (§6.5). */
const packetOf = (config: SessionConfig, state: State, final: boolean): ControlPacket => ({
  diagnostic: state.diagnostic,
  state: state._tag,
  poll: state.poll === "polling" && !final,
  final,
  controlPlaneIndependent: config.controlPlaneIndependent,
  demand: false, // we never ask for it
  detectMult: config.detectMult,
  myDiscriminator: config.localDiscriminator,
  yourDiscriminator: state.remote?.discriminator ?? 0,
  desiredMinTxUs: state.announced.desiredMinTxUs,
  requiredMinRxUs: state.announced.requiredMinRxUs,
  requiredMinEchoRxUs: 0 // the Echo function is not offered
})
