import { Effect } from "effect"
import { Kysely, PostgresDialect } from "kysely"
import { type Migration, Migrator } from "kysely/migration"
import type pg from "pg"
import { migrations } from "../../../migrations/index.ts"
import { ask, openPool, unavailable } from "./database.ts"

const deadlineMs = 120_000

/**
 * Brings the database to the newest schema; answers the names of the migrations that ran, none when it was there. All
 * of them run in one transaction, so a failure leaves the database as it was. The role must own the tables. Processes
 * that start together take turns: the migrator holds an advisory lock while it works. A database that a newer release has
 * brought further stays as it is: a migration leaves what the release before needs (docs/adr/0037), and whether that one may
 * write is the fleet version's to say.
 */
export const migrate = Effect.fn("migrate")(function* (url: string) {
  const pool = yield* openPool(url, { max: 2, deadlineMs })
  const migrator = new Migrator({
    db: new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) }),
    provider: { getMigrations: async () => ({ ...(await ranSince(pool)), ...migrations }) },
    // Numbers are given out before the work is done: one may arrive after a higher one has run somewhere.
    allowUnorderedMigrations: true
  })
  const { error, results = [] } = yield* ask("migrate", () => migrator.migrateToLatest())
  if (error !== undefined) return yield* unavailable("migrate")(error)
  return results.map((result) => result.migrationName)
}, Effect.scoped)

/** Migrations of a newer release that have run: Kysely takes one that it does not know for a corruption. */
const ranSince = async (pool: pg.Pool): Promise<Readonly<Record<string, Migration>>> => {
  const known = await pool.query<{ known: boolean }>("select to_regclass('kysely_migration') is not null as known")
  if (known.rows[0]?.known !== true) return {}
  const ran = await pool.query<{ name: string }>("select name from kysely_migration")
  const newer = ran.rows.map(({ name }) => name).filter((name) => !Object.hasOwn(migrations, name))
  return Object.fromEntries(newer.map((name) => [name, { up: () => Promise.reject(new Error(`${name} has run`)) }]))
}
