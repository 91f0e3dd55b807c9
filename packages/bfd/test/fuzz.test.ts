import { assert, it } from "@effect/vitest"
import { Result } from "effect"
import type { SessionConfig } from "../src/machine/config.ts"
import type { State } from "../src/machine/machine.ts"
import { initialState, step } from "../src/machine/step.ts"
import { nextDeadlineUs } from "../src/machine/timing.ts"
import { decodeControlPacket } from "../src/packet/decode.ts"
import { encodeControlPacket } from "../src/packet/encode.ts"
import { generator } from "./generator.ts"

const budgetMs = 3_000
const seed = (Date.now() ^ 0x5bd1e995) >>> 0

const config: SessionConfig = {
  localDiscriminator: 7,
  desiredMinTxUs: 300_000,
  requiredMinRxUs: 300_000,
  detectMult: 3,
  role: "active",
  controlPlaneIndependent: true
}
const sample = encodeControlPacket({
  diagnostic: 0,
  state: "Up",
  poll: false,
  final: false,
  controlPlaneIndependent: false,
  demand: false,
  detectMult: 3,
  myDiscriminator: 9,
  yourDiscriminator: 7,
  desiredMinTxUs: 300_000,
  requiredMinRxUs: 300_000,
  requiredMinEchoRxUs: 0
})

it(`mutated packets never throw, nor does a session that is given them (seed ${seed})`, () => {
  const random = generator(seed)
  const deadline = performance.now() + budgetMs
  let state: State = initialState(config)
  let nowUs = 0
  let taken = 0
  let index = 0
  const reasons = new Set<string>()
  for (; index < 1_000_000 && performance.now() < deadline; index++) {
    const bytes = Uint8Array.from([...sample, ...Array(random() % 4).fill(random() & 255)])
    for (let flips = 1 + (random() % 3); flips > 0; flips--) bytes[random() % bytes.length] = random()
    const cut = random() % 8 === 0 ? bytes.subarray(0, random() % bytes.length) : bytes
    try {
      const result = decodeControlPacket(cut)
      if (Result.isFailure(result)) {
        reasons.add(result.failure.reason)
        continue
      }
      taken++
      assert.isAtLeast(cut.length, encodeControlPacket(result.success).length)
      nowUs += random() % 400_000
      const moment = { nowUs, jitter: random() / 2 ** 32 }
      state = step(config, state, { _tag: "PacketReceived", packet: result.success, ...moment }).state
      state = step(config, state, { _tag: "Tick", ...moment }).state
      assert.isAbove(nextDeadlineUs(state), nowUs)
    } catch (error) {
      throw new Error(`seed ${seed}, packet ${index}: ${Buffer.from(cut).toString("hex")}`, { cause: error })
    }
  }
  // Both ways were taken often, and nearly every rule, or the mutations miss their mark.
  assert.isAbove(taken, index / 20)
  assert.isAtLeast(reasons.size, 6)
}, 20_000)
