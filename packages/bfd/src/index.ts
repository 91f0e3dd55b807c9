/**
 * Bidirectional Forwarding Detection: whether a peer can still be reached, known within a second.
 *
 * - `packet/` turns Control packets into octets and back (pure); `reception.ts` has the rules by which one is discarded.
 * - `machine/` is a session as a pure function of state and input: `step`, its table of transitions, its timing, and which
 *   session a packet is for. Time and jitter come in as numbers.
 *
 * - `session.ts` is the shell: sockets, timer, counters; `sessions.ts` has all of a node, `control/` is the Unix socket over which
 *   a speaker sets them, `main.ts` the process. `client.ts` (`connectBfd`) is the speaker's end, imported from there so that the
 *   process stays small.
 *
 * Asynchronous mode without authentication and without the Echo function; a peer's Demand mode is honoured, ours is never
 * asked for. Standards: RFC 5880, 5881 (single hop), 5882 §4.2, 5883 (multihop). `docs/rfcs.md` has them section by section.
 */

export type { ControlState } from "./control/messages.ts"
export type { SessionConfig } from "./machine/config.ts"
export { type Path, pathKey, type SessionIndex, selectSession } from "./machine/demultiplex.ts"
export {
  type Action,
  type ChangeCause,
  type Happening,
  type Input,
  isPathFailure,
  type State,
  type Step
} from "./machine/machine.ts"
export { initialState, step } from "./machine/step.ts"
export { nextDeadlineUs } from "./machine/timing.ts"
export { type ControlPacket, diagnosticName, type SessionState } from "./packet/control-packet.ts"
export { type Discard, decodeControlPacket } from "./packet/decode.ts"
export { encodeControlPacket } from "./packet/encode.ts"
export type { DiscardReason } from "./packet/reception.ts"
export type { SessionOptions, SessionRequest } from "./session-options.ts"
export { sessionDefaults } from "./session-options.ts"
export type { RemoteStatus, SessionChange, SessionCounters, SessionStatus } from "./session-status.ts"
