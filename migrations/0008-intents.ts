import { type Kysely, sql } from "kysely"

/** Signed intents as they were published, last value per subject, so that a republish needs no key and no fold. */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create table intent (
      cluster text not null,
      subject text not null,
      cseq bigint not null,
      seq bigint not null,
      envelope text not null,
      primary key (cluster, subject)
    ) with (fillfactor = 70)`.execute(db)
  await sql`
    create table intent_head (
      cluster text primary key,
      cseq bigint not null,
      seq bigint not null,
      digest text not null,
      count int not null,
      envelope text not null
    ) with (fillfactor = 50)`.execute(db)
}
