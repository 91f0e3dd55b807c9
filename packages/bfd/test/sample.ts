import type { SessionConfig } from "../src/machine/config.ts"
import type { ControlPacket } from "../src/packet/control-packet.ts"

/** A session that dials, and keeps its state over a restart of what it guards. */
export const config: SessionConfig = {
  localDiscriminator: 7,
  desiredMinTxUs: 300_000,
  requiredMinRxUs: 300_000,
  detectMult: 3,
  role: "active",
  controlPlaneIndependent: true
}

/** What its peer sends once both are up. */
export const packet: ControlPacket = {
  diagnostic: 0,
  state: "Up",
  poll: false,
  final: false,
  controlPlaneIndependent: false,
  demand: false,
  detectMult: 3,
  myDiscriminator: 9,
  yourDiscriminator: 7,
  desiredMinTxUs: 400_000,
  requiredMinRxUs: 200_000,
  requiredMinEchoRxUs: 0
}
