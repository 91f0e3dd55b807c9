import { assert, it } from "@effect/vitest"
import { Result } from "effect"
import { RouterView } from "../src/view/router-view.ts"
import { takeBmpFrame } from "../src/wire/frame.ts"
import { decodeBmp } from "../src/wire/message.ts"
import { captures, messagesOf } from "./captures.ts"

const budgetMs = 3_000
const seed = (Date.now() ^ 0x5bd1e995) >>> 0

/** Mulberry32: a small generator, so that a printed seed gives the same octets again. */
const generator = (state: number) => () => {
  state = (state + 0x6d2b79f5) >>> 0
  let mixed = Math.imul(state ^ (state >>> 15), state | 1)
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
  return (mixed ^ (mixed >>> 14)) >>> 0
}

it(`mutated captures never throw, and every refusal names an octet of the message (seed ${seed})`, () => {
  const random = generator(seed)
  const samples = captures.flatMap(({ bytes }) => messagesOf(bytes))
  const deadline = performance.now() + budgetMs
  let view = new RouterView({ routesMax: 50, peersMax: 8, isWanted: () => true })
  let decoded = 0
  let refused = 0
  let index = 0
  for (; index < 1_000_000 && performance.now() < deadline; index++) {
    if (index % 1_000 === 0) view = new RouterView({ routesMax: 50, peersMax: 8, isWanted: () => true })
    const sample = samples[random() % samples.length]!
    const bytes = sample.slice()
    for (let flips = random() % 4; flips > 0; flips--) bytes[6 + (random() % (bytes.length - 6))] = random()
    const cut = random() % 8 === 0 ? bytes.slice(0, random() % bytes.length) : bytes
    if (cut.length >= 6 && random() % 8 !== 0) new DataView(cut.buffer).setUint32(1, cut.length)
    try {
      const frame = takeBmpFrame(cut, 0)
      if (frame._tag === "Incomplete") continue
      const result = frame._tag === "BmpFault" ? Result.fail(frame) : decodeBmp(frame)
      if (Result.isFailure(result)) {
        refused++
        assert.isAtMost(result.failure.offset, cut.length)
      } else {
        decoded++
        view.take(result.success, index)
        assert.isAtMost(view.routes, 50)
        assert.isAtMost(view.peers.length, 8)
        assert.isAtLeast(view.routes, 0)
      }
    } catch (error) {
      throw new Error(`seed ${seed}, message ${index}: ${Buffer.from(cut).toString("hex")}`, { cause: error })
    }
  }
  // Both ways were taken often, or the mutations miss their mark.
  assert.isAbove(decoded, index / 20)
  assert.isAbove(refused, index / 20)
}, 20_000)
