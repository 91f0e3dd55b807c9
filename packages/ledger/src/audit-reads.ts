import { Effect } from "effect"
import type { Kysely } from "kysely"
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

/** Which of them, the newest first; both times are included. */
export interface AuditReadFilter {
  readonly actor?: string | undefined
  readonly since?: string | undefined
  readonly until?: string | undefined
  /** Only those with a lower id. */
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
  let query = db.selectFrom("audit_read").selectAll().orderBy("id", "desc").limit(limit)
  if (actor !== undefined) query = query.where("actor", "=", actor)
  if (since !== undefined) query = query.where("read_at", ">=", since)
  if (until !== undefined) query = query.where("read_at", "<=", until)
  if (before !== undefined) query = query.where("id", "<", before)
  return query
}
