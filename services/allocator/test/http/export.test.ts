import { assert, describe, it } from "@effect/vitest"
import { Caller } from "@lowtide/api/access"
import { Ledger } from "@lowtide/ledger"
import { memoryLedger } from "@lowtide/testkit/memory-ledger"
import { Effect, Layer, Stream } from "effect"
import { beginExport } from "../../src/http/export-query.ts"
import { commitSample, fixedCentre, startMs } from "./sample.ts"

describe("an export", () => {
  it.effect("ends in the middle when the token that asked for it is good no more", () =>
    Effect.gen(function* () {
      const clock = { nowMs: startMs }
      const ledger = yield* Layer.build(memoryLedger({ nowMs: () => clock.nowMs }))
      const view = yield* Effect.provideContext(commitSample(clock), ledger)
      const [event] = yield* Effect.provideContext(
        Ledger.use((store) => store.events({ limit: 1, order: "asc" })),
        ledger
      )
      let pages = 0
      /** A log without an end. */
      const endless = Layer.effect(
        Ledger,
        Effect.map(Ledger, (store) =>
          Ledger.of({
            ...store,
            events: ({ sinceSeq = 1, limit }) =>
              Effect.sync(() => {
                pages += 1
                return Array.from({ length: limit }, (_, index) => ({ ...event!, seq: sinceSeq + index }))
              })
          })
        )
      ).pipe(Layer.provide(Layer.succeedContext(ledger)))
      const caller: Caller["Service"] = {
        ...{ actor: "person:ada", kind: "person", isAuthenticated: true, grants: [{ role: "reader" }] },
        isKnown: Effect.sync(() => pages < 3)
      }
      const lines = yield* beginExport({}).pipe(
        Effect.provide([endless, fixedCentre(view)]),
        Effect.provideService(Caller, caller)
      )
      const ended = yield* Effect.flip(Stream.runDrain(lines))
      assert.match(ended.message, /a token of person:ada that is good no more/)
      assert.strictEqual(pages, 3)
    })
  )
})
