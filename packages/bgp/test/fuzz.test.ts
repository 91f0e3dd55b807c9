import { assert, describe, it } from "@effect/vitest"
import { heapInUse } from "./fuzz/heap.ts"
import { captures, fuzz } from "./fuzz/run.ts"

const seed = (Date.now() ^ 0x5bd1e995) >>> 0
const warmUp = 20_000
const messages = 1_000_000

describe("a message that nobody should send", () => {
  it("has real ones to begin with, of five routers", () => {
    assert.isAtLeast(captures.length, 35)
  })

  it(`is read or refused, a million times over, and leaves nothing behind (seed ${seed})`, () => {
    fuzz(seed ^ 1, warmUp)
    const before = heapInUse()
    const { decoded, refused, ...counted } = fuzz(seed, messages)
    const grown = heapInUse() - before
    assert.strictEqual(counted.messages, messages)
    // Both ways were taken often, or the changes miss their mark.
    assert.isAbove(decoded, messages / 10)
    assert.isAbove(refused, messages / 10)
    assert.isBelow(grown, 10 * 1024 * 1024)
  })
})
