import { Effect, Result } from "effect"
import { assert, describe, it } from "vitest"
import { makeAsOf } from "../src/as-of.ts"

type Pool = Parameters<typeof makeAsOf>[0]

/** A database whose log begins where each question about that is told next. */
const beginningAt = (...begins: ReadonlyArray<number>): Pool => {
  const left = [...begins]
  const query = async (asked: string | { readonly values: ReadonlyArray<number> }) => {
    if (typeof asked === "string") return { rows: [{ seq: String(left.shift()) }] }
    const [seq, half] = asked.values
    return { rows: [[`vip:default/192.0.2.${half}`, "Vip", 1, Number(seq) - Number(half), 1, "{}", "2026-11-23"]] }
  }
  return { query } as unknown as Pool
}

const stateAt = (pool: Pool) => Effect.runPromise(Effect.result(makeAsOf(pool).stateAt(9)))

describe("the state at an earlier place of the log", () => {
  it("is of both halves of the streams, in the order of their events", async () => {
    const states = Result.getOrThrow(await stateAt(beginningAt(1, 1)))
    assert.deepStrictEqual(
      states.map(({ stream, seq }) => [stream, seq]),
      [
        ["vip:default/192.0.2.1", 8],
        ["vip:default/192.0.2.0", 9]
      ]
    )
  })

  it("is asked for again where a segment of the log went while it was read", async () => {
    const found = await stateAt(beginningAt(1, 5))
    assert.isTrue(Result.isFailure(found))
    if (Result.isFailure(found)) assert.match(found.failure.message, /a segment was dropped/)
  })
})
