import * as Result from "effect/Result"
import { type ControlPacket, flagBits, sessionStates } from "./control-packet.ts"
import { type DiscardReason, receptionRules } from "./reception.ts"

/** Why a datagram was discarded. RFC 5880 §6.8.6 answers nothing to any of them. */
export interface Discard {
  readonly _tag: "Discard"
  readonly reason: DiscardReason
  readonly detail: string
}

/** Reads the payload of a UDP datagram by the rules that need no session; octets behind the Length field are ignored. */
export const decodeControlPacket = (octets: Uint8Array): Result.Result<ControlPacket, Discard> => {
  for (const { reason, fault } of receptionRules) {
    const detail = fault(octets)
    if (detail !== undefined) return Result.fail({ _tag: "Discard", reason, detail })
  }
  const flags = octets[1]!
  const has = (bit: number) => (flags & bit) !== 0
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength)
  return Result.succeed({
    diagnostic: octets[0]! & 0x1f,
    state: sessionStates[flags >> 6]!,
    poll: has(flagBits.poll),
    final: has(flagBits.final),
    controlPlaneIndependent: has(flagBits.controlPlaneIndependent),
    demand: has(flagBits.demand),
    detectMult: octets[2]!,
    myDiscriminator: view.getUint32(4),
    yourDiscriminator: view.getUint32(8),
    desiredMinTxUs: view.getUint32(12),
    requiredMinRxUs: view.getUint32(16),
    requiredMinEchoRxUs: view.getUint32(20)
  })
}
