import { assert, it } from "@effect/vitest"
import { grownBytesMax, weighFuzz } from "@lowtide/testkit/fuzz/run"
import { takeBmpFrame } from "../src/wire/frame.ts"
import { fuzzBmp, samples } from "./fuzz/messages.ts"

const seed = (Date.now() ^ 0x5bd1e995) >>> 0
const messages = 500_000

it("has real messages of every type to begin with", () => {
  const types = new Set(samples.map((bytes) => takeBmpFrame(bytes, 0)).map((frame) => "type" in frame && frame.type))
  assert.sameMembers([...types], [0, 1, 2, 3, 4, 5, 6])
})

it(`${messages} messages that nobody should send are read or refused, and leave nothing behind (seed ${seed})`, async () => {
  const { decoded, refused, reasons, grownBytes, ...counted } = await weighFuzz(fuzzBmp, seed, messages)
  assert.strictEqual(counted.messages, messages)
  // Both ways were taken often, and each section's rules, or the changes miss their mark.
  assert.isAbove(decoded, messages / 10)
  assert.isAbove(refused, messages / 10)
  assert.isAtLeast(reasons.size, 8, [...reasons].join("; "))
  assert.isBelow(grownBytes, grownBytesMax)
})
