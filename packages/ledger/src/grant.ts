import { Effect } from "effect"
import pg from "pg"
import { ask, openPool } from "./database.ts"

const deadlineMs = 30_000

/** What is written once and never changed. Their triggers say so as well, to everybody; only who owns them may drop those. */
const appendOnly: ReadonlySet<string> = new Set([
  "events",
  "wire_journal",
  "audit_read",
  "tree_node",
  "signed_checkpoint"
])

/** What only the owner could do, done by functions that look whether it may be done. */
const ownersFunctions = [
  "ledger_ensure_partitions(bigint)",
  "ledger_drop_segment(bigint, bigint)",
  "ledger_drop_wire(bigint, int)",
  "ledger_drop_reads(timestamptz, int)"
]

/** Kysely's own record of migrations is the owner's. */
const isOwners = (table: string): boolean => table.startsWith("kysely_migration")

/**
 * Gives a role what an allocator needs, and takes what it does not: over every table as it is now, so it is called after
 * each `migrate`, with the URL of the tables' owner. The role may insert events and journal rows but not change them, may
 * make partitions by the owner's function alone, and cannot change the schema. Nothing happens where the role owns it all.
 */
export const grantAllocator = Effect.fn("grantAllocator")(function* (ownerUrl: string, role: string) {
  const pool = yield* openPool(ownerUrl, { max: 1, deadlineMs })
  const { rows } = yield* ask("list tables", () =>
    pool.query<{ name: string; is_owner: boolean }>(
      `select c.relname as name, c.relowner = (select oid from pg_roles where rolname = $1) as is_owner
       from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition`,
      [role]
    )
  )
  if (rows.some(({ is_owner }) => is_owner)) return
  const to = pg.escapeIdentifier(role)
  const statements = [
    `grant usage on schema public to ${to}`,
    `grant select on all tables in schema public to ${to}`,
    `grant usage on all sequences in schema public to ${to}`,
    ...rows
      .filter(({ name }) => !isOwners(name))
      .flatMap(({ name }) => {
        const table = pg.escapeIdentifier(name)
        return appendOnly.has(name)
          ? [`revoke update, delete, truncate on ${table} from ${to}`, `grant insert on ${table} to ${to}`]
          : [`grant insert, update, delete on ${table} to ${to}`]
      }),
    ...ownersFunctions.flatMap((name) => [
      `revoke execute on function ${name} from public`,
      `grant execute on function ${name} to ${to}`
    ])
  ]
  yield* ask("grant", () => pool.query(`begin; ${statements.join("; ")}; commit`))
}, Effect.scoped)
