import { assert, describe, it } from "vitest"
import { isDue } from "../src/replay-check.ts"

const dayMs = 86_400_000
const differing = { projection: "stream_current", key: "vip:default/192.0.2.1", what: "", foundAt: "" } as const

/** What is known of a comparison until this event that ended so long ago. */
const standing = (position: number, ageMs: number, differences = 0) => ({
  last: { checkedBy: "one", position, compared: position, startedAt: "", finishedAt: "" },
  ageMs,
  findings: Array.from({ length: differences }, () => differing)
})

describe("a comparison of the state with the log", () => {
  it.each([
    ["before the first one", { last: null, ageMs: null, findings: [] }, 9, true],
    ["an hour after one of all there was", standing(1_000, dayMs / 24), 1_000, false],
    ["a day after it", standing(1_000, dayMs), 1_000, true],
    ["as soon as most of the log came after it", standing(1_000, 10_000), 2_001, true],
    ["not while it saw half of what there is", standing(1_000, 10_000), 2_000, false],
    ["as soon as a log has begun, or is filled after its loss", standing(0, 10_000), 1, true],
    ["not while there is nothing new", standing(0, 10_000), 0, false],
    ["five minutes after differences were found", standing(1_000, 300_000, 1), 1_000, true]
  ] as const)("is due %s", (_, last, position, expected) => {
    assert.strictEqual(isDue(last, { position, everyMs: dayMs }), expected)
  })
})
