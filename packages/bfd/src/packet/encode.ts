import { bfdVersion, type ControlPacket, controlPacketBytes, flagBits, sessionStates } from "./control-packet.ts"

/** The octets of a packet: version 1, no authentication section, never multipoint. */
export const encodeControlPacket = (packet: ControlPacket): Uint8Array => {
  const octets = new Uint8Array(controlPacketBytes)
  const view = new DataView(octets.buffer)
  octets[0] = (bfdVersion << 5) | (packet.diagnostic & 0x1f)
  octets[1] = (sessionStates.indexOf(packet.state) << 6) | flagsOf(packet)
  octets[2] = packet.detectMult
  octets[3] = controlPacketBytes
  view.setUint32(4, packet.myDiscriminator)
  view.setUint32(8, packet.yourDiscriminator)
  view.setUint32(12, packet.desiredMinTxUs)
  view.setUint32(16, packet.requiredMinRxUs)
  view.setUint32(20, packet.requiredMinEchoRxUs)
  return octets
}

const flagsOf = ({ poll, final, controlPlaneIndependent, demand }: ControlPacket): number =>
  (poll ? flagBits.poll : 0) |
  (final ? flagBits.final : 0) |
  (controlPlaneIndependent ? flagBits.controlPlaneIndependent : 0) |
  (demand ? flagBits.demand : 0)
