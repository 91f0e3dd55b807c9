import { assert, describe, it } from "vitest"
import { confirm, type SessionTrace } from "../src/confirm.ts"

const up = (acknowledgedTurn: number): SessionTrace => ({
  isUp: true,
  acknowledgedTurn,
  downSinceMs: 0,
  holdTimeMs: 90_000
})
const down = (downSinceMs: number, holdTimeMs = 90_000, acknowledgedTurn = 9): SessionTrace => ({
  isUp: false,
  acknowledgedTurn,
  downSinceMs,
  holdTimeMs
})

describe("confirm", () => {
  const tombstones = [{ turn: 4, cseq: 20 }]
  const rows: ReadonlyArray<
    readonly [string, { sessions: ReadonlyArray<SessionTrace>; nowMs?: number; completeCseq?: number }, number]
  > = [
    ["nothing is awaited of a node without sessions", { sessions: [] }, 30],
    ["the router of a session that is up has not got the withdrawal", { sessions: [up(3)] }, 19],
    ["it has", { sessions: [up(4)] }, 30],
    ["one of two has not", { sessions: [up(4), up(3)] }, 19],
    ["a session is down for less than its hold time", { sessions: [up(4), down(10_000)], nowMs: 99_999 }, 19],
    ["it is down for its hold time", { sessions: [up(4), down(10_000)], nowMs: 100_000 }, 30],
    [
      "what was written on a session that ended may be lost",
      { sessions: [down(10_000, 90_000, 4)], nowMs: 50_000 },
      19
    ],
    [
      "a session without a hold timer never forgets",
      { sessions: [down(0, Number.POSITIVE_INFINITY)], nowMs: 1e12 },
      19
    ],
    ["beyond the gap nothing is known", { sessions: [up(4)], completeCseq: 15 }, 15],
    ["below the gap too something waits", { sessions: [up(3)], completeCseq: 25 }, 19],
    ["nothing is below zero", { sessions: [up(3)], completeCseq: 0 }, 0]
  ]
  for (const [title, { sessions, nowMs = 0, completeCseq = 30 }, expected] of rows) {
    it(`${expected}: ${title}`, () => {
      const found = confirm({ completeCseq, pending: tombstones, sessions, nowMs })
      assert.strictEqual(found.confirmedCseq, expected)
    })
  }

  it("keeps what waits, forgets what does not, and says when to look again", () => {
    const pending = [
      { turn: 4, cseq: 20 },
      { turn: 6, cseq: 28 }
    ]
    const found = confirm({ completeCseq: 30, pending, sessions: [up(5), down(-90_000)], nowMs: 0 })
    assert.deepStrictEqual(found, {
      confirmedCseq: 27,
      pending: [{ turn: 6, cseq: 28 }],
      nextDeadlineMs: Number.POSITIVE_INFINITY
    })
    const waiting = confirm({ completeCseq: 30, pending, sessions: [down(500, 3_000), down(0, 9_000)], nowMs: 1_000 })
    assert.strictEqual(waiting.nextDeadlineMs, 3_500)
  })
})
