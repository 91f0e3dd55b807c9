import { type Kysely, sql } from "kysely"

/**
 * A digest of a state's text as it was written, by which a leader that starts is told which rows are still that. Rows of before
 * this migration, and of a release before it, have none, or one of another text: those are looked at in full.
 */
export const up = async (db: Kysely<unknown>) => {
  await sql`alter table stream_current add column state_digest bigint`.execute(db)
  await sql`comment on column stream_current.state_digest is 'hashtextextended(state::text, 0) when it was written'`.execute(
    db
  )
}
