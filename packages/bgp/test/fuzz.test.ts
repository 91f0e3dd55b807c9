import { assert, describe, it } from "@effect/vitest"
import { grownBytesMax, weighFuzz } from "@lowtide/testkit/fuzz/run"
import { captures, fuzzBgp } from "./fuzz/run.ts"

const seed = (Date.now() ^ 0x5bd1e995) >>> 0
const messages = 1_000_000

describe("a message that nobody should send", () => {
  it("has real ones to begin with, of five routers", () => {
    assert.isAtLeast(captures.length, 35)
  })

  it(`is read or refused, a million times over, and leaves nothing behind (seed ${seed})`, async () => {
    const { decoded, refused, grownBytes, ...counted } = await weighFuzz(fuzzBgp, seed, messages)
    assert.strictEqual(counted.messages, messages)
    // Both ways were taken often, or the changes miss their mark.
    assert.isAbove(decoded, messages / 10)
    assert.isAbove(refused, messages / 10)
    assert.isBelow(grownBytes, grownBytesMax)
  })
})
