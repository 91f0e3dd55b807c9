import { type Kysely, sql } from "kysely"

/** What a command led to, so that its repeat gets the same answer. */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create table command_result (
      command_id uuid primary key,
      seq_from bigint,
      seq_to bigint,
      outcome json not null,
      recorded_at timestamptz not null
    )`.execute(db)
  await sql`create index command_result_recorded_at on command_result using brin (recorded_at)`.execute(db)
}
