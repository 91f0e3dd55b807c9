import { type Kysely, sql } from "kysely"

/** State of every stream at the head of the log, written with the events: a leader loads this instead of replaying. */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create table stream_current (
      stream text primary key,
      kind text not null,
      version int not null,
      seq bigint not null,
      recorded_at timestamptz not null,
      state json
    ) with (fillfactor = 70)`.execute(db)
  await sql`comment on column stream_current.state is 'null: the stream is gone, its version is still needed'`.execute(
    db
  )
}
