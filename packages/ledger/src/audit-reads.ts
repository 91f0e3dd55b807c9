import { Effect } from "effect"
import { type Kysely, sql } from "kysely"
import { ask } from "./database.ts"
import type { LedgerTables } from "./tables.ts"

/** Somebody asked something of the record, and was answered. */
export interface AuditRead {
  readonly actor: string
  /** Whether a credential said so. */
  readonly isAuthenticated: boolean
  /** Path and query of the request. */
  readonly question: string
  /** Seq of the last event that could be in the answer. */
  readonly position: number
}

export interface StoredAuditRead extends AuditRead {
  readonly id: number
  /** By the database's clock, ISO 8601. */
  readonly readAt: string
}

/** Which of them, the newest first; both times are included. Of one time the higher id is the newer. */
export interface AuditReadFilter {
  readonly actor?: string | undefined
  readonly since?: string | undefined
  readonly until?: string | undefined
  /** Only those older than the one of this id. */
  readonly before?: number | undefined
  readonly limit: number
}

/** Who asked what: any allocator writes, whether it leads or not. */
export const makeAuditReads = (db: Kysely<LedgerTables>) => ({
  recordRead: Effect.fn("Ledger.recordRead")(({ actor, isAuthenticated, question, position }: AuditRead) =>
    ask("recordRead", () =>
      db.insertInto("audit_read").values({ actor, is_authenticated: isAuthenticated, question, position }).execute()
    ).pipe(Effect.asVoid)
  ),
  dropReads: Effect.fn("Ledger.dropReads")((before: string, limit: number) =>
    ask("dropReads", () =>
      sql<{ dropped: number }>`select ledger_drop_reads(${before}::timestamptz, ${limit}::int) as dropped`.execute(db)
    ).pipe(Effect.map(({ rows: [row] }) => row?.dropped ?? 0))
  ),
  countReads: ask("countReads", () =>
    sql<{ count: number }>`select (coalesce(max(id) - min(id) + 1, 0))::float8 as count from audit_read`.execute(db)
  ).pipe(Effect.map(({ rows: [row] }) => row?.count ?? 0)),
  auditReads: Effect.fn("Ledger.auditReads")((filter: AuditReadFilter) =>
    ask("auditReads", () => selectReads(db, filter).execute()).pipe(
      Effect.map((rows) =>
        rows.map(({ id, read_at: readAt, actor, is_authenticated: isAuthenticated, question, position }) => {
          const read: StoredAuditRead = { id, readAt, actor, isAuthenticated, question, position }
          return read
        })
      )
    )
  )
})

const selectReads = (db: Kysely<LedgerTables>, { actor, since, until, before, limit }: AuditReadFilter) => {
  let query = db.selectFrom("audit_read").selectAll().orderBy("read_at", "desc").orderBy("id", "desc").limit(limit)
  if (actor !== undefined) query = query.where("actor", "=", actor)
  if (since !== undefined) query = query.where("read_at", ">=", since)
  if (until !== undefined) query = query.where("read_at", "<=", until)
  if (before !== undefined) {
    // Another allocator's row may have the higher id and the earlier time. One that is gone stood after the one below it.
    query = query.where(
      sql<boolean>`(read_at, id) < ((select read_at from audit_read where id <= ${before} order by id desc limit 1), ${before})`
    )
  }
  return query
}
