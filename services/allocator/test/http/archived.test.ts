import { assert, describe, it } from "@effect/vitest"
import type { SegmentState } from "@lowtide/domain"
import { placesOf, wayTo } from "../../src/http/archived.ts"

/** The n-th segment, of a hundred events in a day. */
const segment = (n: number): SegmentState => {
  const day = `2026-01-${String(n).padStart(2, "0")}`
  const seqs = { fromSeq: (n - 1) * 100 + 1, toSeq: n * 100 }
  return {
    ...seqs,
    file: `segment-${n}`,
    firstAt: `${day}T00:00:00.000Z`,
    lastAt: `${day}T23:00:00.000Z`
  } as SegmentState
}
const segments = (count: number) => Array.from({ length: count }, (_, index) => segment(index + 1))
const restore = (file: string) => `\`lowtide ledger restore-segment ${file} --confirm --reason "WHY"\``

describe("what is archived", () => {
  it("is told with each file where there are few, else with the newest and how many there are", () => {
    assert.strictEqual(
      placesOf(segments(2), 200),
      "events 1 to 100 are archived in segment-1, events 101 to 200 are archived in segment-2"
    )
    const many =
      "events 1 to 1700 are archived in 17 files that `lowtide ledger status` names, events 1701 to 1800 are archived in segment-18, events 1801 to 1900 are archived in segment-19, events 1901 to 2000 are archived in segment-20"
    assert.strictEqual(placesOf(segments(20), 2000), many)
    assert.strictEqual(placesOf([], 9), "events 1 to 9 are not in it")
  })

  it("is brought back by a command for each file where they are few, else by one that is said once", () => {
    const held = "it is in segment-1 (events 1 to 100, recorded 2026-01-01T00:00:00.000Z to 2026-01-01T23:00:00.000Z); "
    assert.strictEqual(wayTo(segments(1), 7), `${held}${restore("segment-1")} brings it back`)
    assert.strictEqual(
      wayTo(segments(2), 7),
      `${held}${restore("segment-2")} and ${restore("segment-1")} bring it back, in this order`
    )
    const many = wayTo(segments(20), "2026-01-01T12:00:00.000Z")
    assert.strictEqual(
      many,
      `${held}${restore("FILE")} is to bring 20 files back, the newest first: segment-20, segment-19, segment-18 and so on, until that one; \`lowtide ledger status\` names them all, the newest last`
    )
    assert.strictEqual(wayTo(segments(20).slice(1), 7), "no archive that the ledger knows of has it")
  })
})
