import { assert, it } from "@effect/vitest"
import { startPostgres } from "@lowtide/testkit"
import { Effect } from "effect"
import pg from "pg"
import { runDemo } from "./run-demo.ts"

it.live("the demo runs on the database that is given, twice, and leaves nothing on it", () =>
  Effect.gen(function* () {
    const server = yield* startPostgres({ durable: false })
    for (const _run of [1, 2]) {
      const args = ["--once", "--json", "--api-port", "0"]
      const { code, stderr, stdout } = yield* Effect.promise(() => runDemo(args, { DATABASE_URL: server.url }))
      assert.strictEqual(code, 0, `${stderr}\n${stdout}`)
    }
    const names = yield* Effect.promise(async () => {
      const client = new pg.Client({ connectionString: server.url })
      await client.connect()
      const { rows } = await client.query<{ readonly datname: string }>("select datname from pg_database")
      await client.end()
      return rows.map(({ datname }) => datname)
    })
    assert.deepStrictEqual(
      names.filter((name) => name.startsWith("lowtide")),
      []
    )
  }).pipe(Effect.scoped)
)
