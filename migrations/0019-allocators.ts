import { type Kysely, sql } from "kysely"

/** Which allocators run on this database, where they answer and how far each has read: for those who look for the leader. */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create table allocator (
      id uuid primary key,
      name text not null,
      url text,
      position bigint not null,
      started_at timestamptz not null,
      seen_at timestamptz not null
    ) with (fillfactor = 50)`.execute(db)
}
