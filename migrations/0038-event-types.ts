import { type Kysely, sql } from "kysely"

/**
 * Which types of events, in which versions, the log holds, and since when: what a release has to know of before it decides
 * anything. Written with the events.
 */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create table event_type (
      type text not null,
      schema smallint not null,
      first_seq bigint not null,
      primary key (type, schema)
    )`.execute(db)
  await sql`insert into event_type select type, schema, min(seq) from events group by type, schema`.execute(db)
}
