import { diagnostics, type SessionState } from "../packet/control-packet.ts"
import type { ChangeCause } from "./machine.ts"

/** A change of state and why. */
export interface Transition {
  readonly to: SessionState
  readonly cause: ChangeCause
}

const up = (to: "Init" | "Up"): Transition => ({ to, cause: "handshake" })
const down = (cause: ChangeCause): Transition => ({ to: "Down", cause })

/** RFC 5880 §6.2 and §6.8.6: what a packet with the second state does to a session in the first. */
export const transitions: Readonly<Record<SessionState, Readonly<Partial<Record<SessionState, Transition>>>>> = {
  AdminDown: {},
  Down: { Down: up("Init"), Init: up("Up") },
  Init: { AdminDown: down("neighbor-admin-down"), Init: up("Up"), Up: up("Up") },
  Up: { AdminDown: down("neighbor-admin-down"), Down: down("neighbor-down") }
}

/** bfd.LocalDiag after a change. */
export const diagnosticOf: Readonly<Record<ChangeCause, number>> = {
  handshake: diagnostics.none,
  enabled: diagnostics.none,
  "detection-time-expired": diagnostics.detectionTimeExpired,
  "neighbor-down": diagnostics.neighborSignaledDown,
  "neighbor-admin-down": diagnostics.neighborSignaledDown,
  disabled: diagnostics.administrativelyDown
}
