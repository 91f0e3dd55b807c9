import { assert, it } from "@effect/vitest"
import { type Fuzz, grownBytesMax, weighFuzz } from "@lowtide/testkit/fuzz/run"
import { fuzzLines } from "./fuzz/lines.ts"
import { fuzzPackets } from "./fuzz/packets.ts"

const seed = (Date.now() ^ 0x5bd1e995) >>> 0

const fuzzes: ReadonlyArray<{
  readonly what: string
  readonly fuzz: Fuzz
  readonly messages: number
  readonly reasonsMin: number
}> = [
  { what: "packets", fuzz: fuzzPackets, messages: 1_000_000, reasonsMin: 8 },
  { what: "lines of the control socket", fuzz: fuzzLines, messages: 100_000, reasonsMin: 16 }
]

for (const { what, fuzz, messages, reasonsMin } of fuzzes) {
  it(`${messages} ${what} that nobody should send are read or refused, and leave nothing behind (seed ${seed})`, async () => {
    const { decoded, refused, reasons, grownBytes, ...counted } = await weighFuzz(fuzz, seed, messages)
    assert.strictEqual(counted.messages, messages)
    // Both ways were taken often, and nearly every rule, or the changes miss their mark.
    assert.isAbove(decoded, messages / 10)
    assert.isAbove(refused, messages / 10)
    assert.isAtLeast(reasons.size, reasonsMin, [...reasons].join("; "))
    assert.isBelow(grownBytes, grownBytesMax)
  })
}
