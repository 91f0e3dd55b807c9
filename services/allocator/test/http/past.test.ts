import { assert, describe, it } from "@effect/vitest"
import { Ledger, Unavailable } from "@lowtide/ledger"
import { memoryLedger } from "@lowtide/testkit/memory-ledger"
import { Context, Effect, Layer } from "effect"
import { momentOf, Past } from "../../src/http/past.ts"
import { commitSample, fixedCentre, startMs } from "./sample.ts"

describe("the fleet as it was", () => {
  it.live("is read once for questions about one place, and read again where the database was away", () =>
    Effect.gen(function* () {
      const clock = { nowMs: startMs }
      const real = Context.get(yield* Layer.build(memoryLedger({ nowMs: () => clock.nowMs })), Ledger)
      const view = yield* commitSample(clock).pipe(Effect.provideService(Ledger, real))
      let asked = 0
      const failing = Ledger.of({
        ...real,
        stateAt: (seq) =>
          Effect.suspend(() => {
            asked += 1
            return asked === 1
              ? Effect.fail(new Unavailable({ operation: "stateAt", cause: new Error("away") }))
              : real.stateAt(seq)
          })
      })
      yield* Effect.gen(function* () {
        const past = yield* Past
        const moment = yield* momentOf("10", "at")
        const away = yield* Effect.flip(past.viewAt(moment))
        assert.strictEqual(away._tag, "UnavailableProblem")
        const back = yield* past.viewAt(moment)
        assert.strictEqual(back.head.seq, 10)
        const again = yield* past.viewAt(moment)
        assert.strictEqual(again.fleet, back.fleet)
        assert.strictEqual(asked, 2)
        const items = yield* past.itemsBetween(1, 10)
        assert.isNotEmpty(items)
        assert.strictEqual(yield* past.itemsBetween(1, 10), items, "the next page")
        assert.strictEqual(asked, 4)
        assert.notDeepEqual(yield* past.itemsBetween(1, 5), items)
        yield* past.itemsBetween(1, 10)
        assert.strictEqual(asked, 8, "one difference is kept")
      }).pipe(
        Effect.provide(Past.layer.pipe(Layer.provideMerge(fixedCentre(view)))),
        Effect.provideService(Ledger, failing)
      )
    }).pipe(Effect.scoped)
  )
})
