import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { assert, describe, it } from "@effect/vitest"
import { captures, fuzz } from "./fuzz/run.ts"

const seed = (Date.now() ^ 0x5bd1e995) >>> 0
const warmUp = 20_000
const messages = 1_000_000

setFlagsFromString("--expose-gc")
const collectGarbage = runInNewContext("gc") as () => void

/** Octets of the heap that are in use once all garbage is gone. */
const heapBytes = (): number => {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

describe("a message that nobody should send", () => {
  it("has real ones to begin with, of five routers", () => {
    assert.isAtLeast(captures.length, 35)
  })

  it(`is read or refused, a million times over, and leaves nothing behind (seed ${seed})`, () => {
    fuzz(seed ^ 1, warmUp)
    const before = heapBytes()
    const { decoded, refused, ...counted } = fuzz(seed, messages)
    const grown = heapBytes() - before
    assert.strictEqual(counted.messages, messages)
    // Both ways were taken often, or the changes miss their mark.
    assert.isAbove(decoded, messages / 10)
    assert.isAbove(refused, messages / 10)
    assert.isBelow(grown, 10 * 1024 * 1024)
  })
})
