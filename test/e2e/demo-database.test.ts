import { assert, it } from "@effect/vitest"
import { execute, startPostgres } from "@lowtide/testkit"
import { Effect } from "effect"
import { runDemo } from "./run-demo.ts"

it.live("the demo runs on the database that is given, twice, and leaves nothing on it", () =>
  Effect.gen(function* () {
    const server = yield* startPostgres({ durable: false })
    for (const _run of [1, 2]) {
      const args = ["--once", "--json", "--api-port", "0"]
      const { code, stderr, stdout } = yield* Effect.promise(() => runDemo(args, { DATABASE_URL: server.url }))
      assert.strictEqual(code, 0, `${stderr}\n${stdout}`)
    }
    const ours = "select datname from pg_database where datname like 'lowtide%'"
    assert.deepStrictEqual(yield* Effect.promise(() => execute(server.url, ours)), [])
  }).pipe(Effect.scoped)
)
