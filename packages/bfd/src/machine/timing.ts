import { type SessionConfig, slowTxUs } from "./config.ts"
import type { Intervals, Moment, Remote, State } from "./machine.ts"

/** bfd.RemoteMinRxInterval as long as nothing was heard: RFC 5880 §6.8.1. */
const unheardMinRxUs = 1

/** What is to be announced in a state: RFC 5880 §6.8.3 slows down whoever is not up. */
export const wantedIntervals = (config: SessionConfig, state: State["_tag"]): Intervals => ({
  desiredMinTxUs: state === "Up" ? config.desiredMinTxUs : Math.max(config.desiredMinTxUs, slowTxUs),
  requiredMinRxUs: config.requiredMinRxUs
})

/**
 * The interval between periodic packets before jitter, RFC 5880 §6.8.2 and §6.8.7; `Infinity` when none are to be sent: we
 * are passive and heard nobody, the peer takes none, or it is in Demand mode and we are not polling.
 */
export const transmitIntervalUs = (config: SessionConfig, state: State): number => {
  const { remote } = state
  if (!maySend(config, state)) return Number.POSITIVE_INFINITY
  if (remote?.requiredMinRxUs === 0) return Number.POSITIVE_INFINITY
  if (isDemandActive(state) && state.poll !== "polling") return Number.POSITIVE_INFINITY
  return Math.max(state.inEffect.desiredMinTxUs, remote?.requiredMinRxUs ?? unheardMinRxUs)
}

/** RFC 5880 §6.8.7: the passive role sends nothing at all to a peer that it does not hear. */
export const maySend = (config: SessionConfig, { remote }: State): boolean =>
  config.role === "active" || remote !== undefined

/** RFC 5880 §6.6: whether the peer is served without periodic packets of ours. */
const isDemandActive = ({ _tag, remote }: State): boolean => _tag === "Up" && remote.demand && remote.state === "Up"

/** RFC 5880 §6.8.7: up to a quarter less, and with a Detect Mult of 1 at least a tenth less. */
export const jittered = (config: SessionConfig, intervalUs: number, { jitter }: Moment): number =>
  config.detectMult === 1 ? intervalUs * (0.9 - 0.15 * jitter) : intervalUs * (1 - 0.25 * jitter)

/** RFC 5880 §6.8.4, Asynchronous mode: how long the peer may be silent. */
export const detectionTimeUs = (remote: Remote, inEffect: Intervals): number =>
  remote.detectMult * Math.max(inEffect.requiredMinRxUs, remote.desiredMinTxUs)

/** When the peer has been silent for the detection time; `Infinity` when it was never heard. */
export const detectAtUs = ({ remote, inEffect }: State): number =>
  remote === undefined ? Number.POSITIVE_INFINITY : remote.heardAtUs + detectionTimeUs(remote, inEffect)

/** When a `Tick` is due at the latest; `Infinity` when nothing is waited for. */
export const nextDeadlineUs = (state: State): number => Math.min(state.transmitAtUs, detectAtUs(state))

/** How long the peer waits for us before it takes the session for down, as far as we know: RFC 5880 §6.8.4, seen from there. */
export const peerDetectionTimeUs = (config: SessionConfig, { remote, announced }: State): number =>
  config.detectMult * Math.max(announced.desiredMinTxUs, remote?.requiredMinRxUs ?? unheardMinRxUs)
