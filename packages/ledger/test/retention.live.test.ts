import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { Ledger, ledgerPostgres } from "../src/index.ts"
import { execute, liveDatabases } from "./live-database.ts"

const databases = liveDatabases()

describe("rows of the wire journal", () => {
  it.live("are removed as far as the log says that they go, some at once, and no further", () =>
    Effect.gen(function* () {
      const url = yield* databases.fresh()
      const ledger = Context.get(yield* Layer.build(ledgerPostgres(url)), Ledger)
      yield* ledger.appendWire(Array.from({ length: 5 }, () => ({ cluster: "east", kind: "session", detail: "{}" })))
      const refused = yield* Effect.flip(ledger.dropWire(3, 10))
      assert.include(refused.message, "expected rows that the log says to be removed, found rows up to 3")
      yield* Effect.promise(() =>
        execute(
          url,
          `insert into stream_current (stream, kind, version, seq, recorded_at, state)
          values ('audit:wire-drops', 'audit', 1, 1, now(), '{"untilId":3}')`
        )
      )
      assert.include((yield* Effect.flip(ledger.dropWire(4, 10))).message, "found rows up to 4")
      assert.deepStrictEqual(
        [yield* ledger.dropWire(3, 2), yield* ledger.dropWire(3, 2), yield* ledger.dropWire(3, 2)],
        [2, 1, 0]
      )
      const left = yield* ledger.wire({ limit: 10, order: "asc" })
      assert.deepStrictEqual(
        left.map(({ id }) => id),
        [4, 5]
      )
    }).pipe(Effect.scoped)
  )
})
