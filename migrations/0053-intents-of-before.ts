import { type Kysely, sql } from "kysely"

/**
 * Where a cluster's numbers of this incarnation begin: messages up to that one are of before, and have yet to be published
 * anew or to go. None where all are of this one, as what earlier releases wrote in one batch.
 */
export const up = async (db: Kysely<unknown>) => {
  await sql`alter table intent_head add column begun_cseq bigint`.execute(db)
}
