import { type Kysely, sql } from "kysely"

/** What became of one node's session with one peer, the newest first: asked for every session of a fleet at a time T. */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create index wire_journal_node_session on wire_journal (cluster, node, peer, id) where kind = 'session'`.execute(db)
}
