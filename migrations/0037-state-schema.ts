import { type Kysely, sql } from "kysely"

/** Which version of its shape a state is stored in; those that are there are of the first. */
export const up = async (db: Kysely<unknown>) => {
  await sql`alter table stream_current add column schema smallint not null default 1`.execute(db)
}
