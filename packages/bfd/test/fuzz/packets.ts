import { oddOctet } from "@lowtide/testkit/fuzz/random"
import { fuzzOf } from "@lowtide/testkit/fuzz/run"
import { Result } from "effect"
import type { State } from "../../src/machine/machine.ts"
import { initialState, step } from "../../src/machine/step.ts"
import { nextDeadlineUs } from "../../src/machine/timing.ts"
import { type ControlPacket, controlPacketBytes, sessionStates } from "../../src/packet/control-packet.ts"
import { decodeControlPacket } from "../../src/packet/decode.ts"
import { encodeControlPacket } from "../../src/packet/encode.ts"
import { config, packet } from "../sample.ts"

const sample = encodeControlPacket(packet)

/**
 * Three of four packets are a real one changed at random, the others any that can be written. What is read, a session is given.
 * Fails when one throws, when one that is read is not the same after it was written, or when a session's next moment is past.
 */
export const fuzzPackets = fuzzOf((random) => {
  const buffer = new Uint8Array(controlPacketBytes + 8)
  let state: State = initialState(config)
  let nowUs = 0
  return {
    make: () => {
      const written = random() % 4 === 0 ? encodeControlPacket(anyPacket(random)) : sample
      buffer.set(written)
      let length = written.length + (random() % 8)
      for (let at = written.length; at < length; at++) buffer[at] = random()
      if (written === sample)
        for (let flips = random() % 4; flips > 0; flips--) buffer[random() % length] = oddOctet(random)
      if (random() % 8 === 0) length = random() % (length + 1)
      return buffer.subarray(0, length)
    },
    read: (bytes) => {
      const result = decodeControlPacket(bytes)
      if (Result.isFailure(result)) return result.failure.reason
      checkWritten(bytes, encodeControlPacket(result.success))
      nowUs += random() % 400_000
      const moment = { nowUs, jitter: random() / 2 ** 32 }
      state = step(config, state, { _tag: "PacketReceived", packet: result.success, ...moment }).state
      state = step(config, state, { _tag: "Tick", ...moment }).state
      if (!(nextDeadlineUs(state) > nowUs))
        throw new Error(`at ${nowUs} us the next moment is ${nextDeadlineUs(state)}`)
      return "decoded"
    }
  }
})

const anyPacket = (random: () => number): ControlPacket => ({
  diagnostic: random() % 32,
  state: sessionStates[random() % 4]!,
  poll: random() % 4 === 0,
  final: random() % 4 === 0,
  controlPlaneIndependent: random() % 2 === 0,
  demand: random() % 8 === 0,
  detectMult: oddOctet(random),
  myDiscriminator: anyNumber(random),
  yourDiscriminator: random() % 4 === 0 ? anyNumber(random) : 7,
  desiredMinTxUs: anyNumber(random),
  requiredMinRxUs: anyNumber(random),
  requiredMinEchoRxUs: anyNumber(random)
})

/** Of 32 bits; as often a small one. */
const anyNumber = (random: () => number): number => random() >>> (random() % 32)

/** All but the length, which may tell of more than the packet has. */
const checkWritten = (bytes: Uint8Array, written: Uint8Array): void => {
  for (let at = 0; at < controlPacketBytes; at++) {
    if (at !== 3 && bytes[at] !== written[at]) throw new Error(`written as ${Buffer.from(written).toString("hex")}`)
  }
}
