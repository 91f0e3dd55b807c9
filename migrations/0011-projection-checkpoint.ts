import { type Kysely, sql } from "kysely"

/** How far each version of an asynchronous reader has come. */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create table projection_checkpoint (
      name text not null,
      version int not null,
      position bigint not null,
      primary key (name, version)
    ) with (fillfactor = 50)`.execute(db)
}
