import { type Kysely, sql } from "kysely"

/** Rows that stand for reports that could not be read, the newest first: asked for with every look at nodes and findings. */
export const up = async (db: Kysely<unknown>) => {
  await sql`create index wire_journal_unread on wire_journal (id) where kind = 'unread'`.execute(db)
}
