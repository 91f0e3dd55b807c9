import { type Kysely, sql } from "kysely"

/**
 * What a leader has to know of a published message, beside the message: its start reads a tenth of the bytes then. Messages
 * of before this migration have none until they are published anew, and are read whole. So are those that the release
 * before this one has written since: it leaves a summary behind that is of another number.
 */
export const up = async (db: Kysely<unknown>) => {
  await sql`alter table intent add column summary text, add column summary_cseq bigint`.execute(db)
}
