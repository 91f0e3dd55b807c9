import { type Kysely, sql } from "kysely"

/** Where the log ends. Every batch compares and sets this row, which is what fences a leader that was replaced. */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create table log_head (
      one bool primary key default true check (one),
      incarnation int not null,
      epoch int not null,
      seq bigint not null,
      commit_seq bigint not null,
      recorded_at timestamptz not null
    ) with (fillfactor = 10)`.execute(db)
  await sql`
    insert into log_head (incarnation, epoch, seq, commit_seq, recorded_at)
    values (1, 0, 0, 0, date_trunc('milliseconds', clock_timestamp()))`.execute(db)
}
