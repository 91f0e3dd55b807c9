import { Effect } from "effect"
import { Kysely, PostgresDialect } from "kysely"
import { Migrator } from "kysely/migration"
import { migrations } from "../../../migrations/index.ts"
import { ask, openPool, unavailable } from "./database.ts"

const deadlineMs = 120_000

/**
 * Brings the database to the newest schema; answers the names of the migrations that ran, none when it was there. All
 * of them run in one transaction, so a failure leaves the database as it was. The role must own the tables. Processes
 * that start together take turns: the migrator holds an advisory lock while it works.
 */
export const migrate = Effect.fn("migrate")(function* (url: string) {
  const pool = yield* openPool(url, { max: 2, deadlineMs })
  const migrator = new Migrator({
    db: new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) }),
    provider: { getMigrations: async () => ({ ...migrations }) },
    // Numbers are given out before the work is done: one may arrive after a higher one has run somewhere.
    allowUnorderedMigrations: true
  })
  const { error, results = [] } = yield* ask("migrate", () => migrator.migrateToLatest())
  if (error !== undefined) return yield* unavailable("migrate")(error)
  return results.map((result) => result.migrationName)
}, Effect.scoped)
