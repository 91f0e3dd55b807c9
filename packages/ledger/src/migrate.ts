import { Effect } from "effect"
import { Kysely, PostgresDialect } from "kysely"
import { Migrator } from "kysely/migration"
import { migrations } from "../../../migrations/index.ts"
import { ask, openPool, unavailable } from "./database.ts"

/** Held while migrations run: allocators that start together take turns. The number is Lowtide's own. */
const migrationLock = 7_041_959_318

const deadlineMs = 120_000

/**
 * Brings the database to the newest schema; answers the names of the migrations that ran, none when it was there.
 * The role must own the tables. Safe to run by several processes at once, and on a database in use.
 */
export const migrate = Effect.fn("migrate")(function* (url: string) {
  const pool = yield* openPool(url, { max: 2, deadlineMs })
  const client = yield* Effect.acquireRelease(
    ask("migrate", () => pool.connect()),
    (connection) => Effect.sync(() => connection.release(true)) // closing the session gives the lock back
  )
  yield* ask("migrate", () => client.query("select pg_advisory_lock($1)", [migrationLock]))
  const migrator = new Migrator({
    db: new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) }),
    provider: { getMigrations: async () => ({ ...migrations }) }
  })
  const { error, results = [] } = yield* ask("migrate", () => migrator.migrateToLatest())
  if (error !== undefined) return yield* unavailable("migrate")(error)
  return results.map((result) => result.migrationName)
}, Effect.scoped)
