import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { migrations } from "../../../migrations/index.ts"
import { migrate } from "../src/index.ts"
import { schemaText } from "../src/schema-text.ts"
import { execute, liveDatabases } from "./live-database.ts"

const databases = liveDatabases()

describe("migrate", () => {
  it.live("runs each migration once, in order, and none when they ran", () =>
    Effect.gen(function* () {
      const url = yield* databases.fresh("template1")
      assert.deepStrictEqual(yield* migrate(url), Object.keys(migrations).sort())
      assert.deepStrictEqual(yield* migrate(url), [])
    })
  )

  it.live("processes that start together take turns", () =>
    Effect.gen(function* () {
      const url = yield* databases.fresh("template1")
      const ran = yield* Effect.all(
        Array.from({ length: 8 }, () => migrate(url)),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(ran.flat(), Object.keys(migrations).sort())
    })
  )

  it.live("leads to migrations/schema.sql (scripts/schema-sql.ts --update rewrites it)", () =>
    Effect.gen(function* () {
      const url = yield* databases.fresh()
      const golden = readFileSync(new URL("../../../migrations/schema.sql", import.meta.url), "utf8")
      assert.strictEqual(yield* Effect.promise(() => schemaText(url)), golden)
    })
  )

  it.live("says what failed, and leaves the database as it was", () =>
    Effect.gen(function* () {
      const url = yield* databases.fresh("template1")
      yield* Effect.promise(() => execute(url, "create table stream_current (mine int)"))
      const error = yield* Effect.flip(migrate(url))
      assert.deepInclude(error, { _tag: "Unavailable", operation: "migrate", code: "42P07" })
      const left = yield* Effect.promise(() => execute(url, "select to_regclass('events') as events"))
      assert.deepStrictEqual(left, [{ events: null }])
    })
  )
})
