import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { execute } from "@lowtide/testkit"
import { Context, Effect, Layer } from "effect"
import { Kysely, PostgresDialect } from "kysely"
import { type Migration, Migrator } from "kysely/migration"
import { migrations } from "../../../migrations/index.ts"
import { makePool } from "../src/database.ts"
import { completeTree, Ledger, ledgerPostgres, migrate } from "../src/index.ts"
import { leafHash } from "../src/proofs/leaf.ts"
import { schemaText } from "../src/schema-text.ts"
import { liveDatabases } from "./live-database.ts"

const databases = liveDatabases()

/** A database as an older release left it. */
const migrateTo = async (url: string, older: Record<string, Migration>) => {
  const pool = makePool(url, { max: 2, deadlineMs: 60_000 })
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) })
  const { error } = await new Migrator({ db, provider: { getMigrations: async () => older } }).migrateToLatest()
  await db.destroy()
  if (error !== undefined) throw error
}

describe("migrate", () => {
  it.live("runs each migration once, in order, and none when they ran", () =>
    Effect.gen(function* () {
      const url = yield* databases.fresh("template1")
      assert.deepStrictEqual(yield* migrate(url), Object.keys(migrations).sort())
      assert.deepStrictEqual(yield* migrate(url), [])
    })
  )

  it.live("leaves a database alone that a newer release has brought further, and works on it", () =>
    Effect.gen(function* () {
      const url = yield* databases.fresh("template1")
      yield* migrate(url)
      const newer: Migration = { up: (db) => db.schema.createTable("of_a_newer_release").execute() }
      yield* Effect.promise(() => migrateTo(url, { ...migrations, "9999-newer": newer }))
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

  it.live("events written before they had leaves get those of their rows", () =>
    Effect.gen(function* () {
      const url = yield* databases.fresh("template1")
      const before = Object.entries(migrations).filter(([name]) => name < "0016")
      yield* Effect.promise(() => migrateTo(url, Object.fromEntries(before)))
      yield* Effect.promise(() =>
        execute(
          url,
          `with written as (
            insert into events (seq, epoch, commit_seq, event_id, stream, version, type, schema, recorded_at, observed_at,
              network, address, service_uid, actor, actor_kind, command_id, correlation_id, causation_seq, reason_code,
              data, meta)
            select n, 1, n, ledger_uuid_v7(now()), 'vip:default/2001:db8::' || n, 1, 'VipAssigned', 1,
              date_trunc('milliseconds', now()), case when n = 2 then '2026-11-23 14:05:01.1239+00'::timestamptz end,
              'default', ('2001:db8::' || n)::inet, 'uid-é', 'agent:a', 'agent', gen_random_uuid(), gen_random_uuid(),
              case when n = 3 then 1 end, 'sticky', '{"b":1.0, "a":"\\u00e9é"}', '{"words":"\u{1f30a}"}'
            from generate_series(1, 300) as n
          ) update log_head set epoch = 1, seq = 300, commit_seq = 300`
        )
      )
      yield* migrate(url)
      const ledger = Context.get(yield* Layer.build(ledgerPostgres(url)), Ledger)
      const events = yield* ledger.events({ limit: 500, order: "asc" })
      assert.strictEqual(events.length, 300)
      for (const event of events) assert.strictEqual(Buffer.from(leafHash(event)).toString("hex"), event.leafHash)
      yield* completeTree(ledger, 300)
      assert.strictEqual(yield* ledger.treeNodeCount(1), 1)
      const refused = yield* Effect.promise(() => execute(url, "update events set type = 'x'").catch(String))
      assert.include(String(refused), "stored rows never change")
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
