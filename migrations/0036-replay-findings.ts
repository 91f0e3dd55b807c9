import { type Kysely, sql } from "kysely"

/** What the comparison of the written views with the log has found, and when it last got to its end. */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create table replay_finding (
      projection text not null,
      key text not null,
      what text not null,
      found_at timestamptz not null,
      seen_at timestamptz not null,
      primary key (projection, key)
    ) with (fillfactor = 50)`.execute(db)
  await sql`
    create table replay_check (
      one boolean primary key default true check (one),
      checked_by text not null,
      position bigint not null,
      compared bigint not null,
      started_at timestamptz not null,
      finished_at timestamptz not null
    ) with (fillfactor = 50)`.execute(db)
}
