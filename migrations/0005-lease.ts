import { type Kysely, sql } from "kysely"

/** Who leads, by the database's clock. Liveness only: what keeps two leaders apart is `log_head.epoch`. */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create table lease (
      one bool primary key default true check (one),
      holder uuid,
      epoch int not null,
      expires_at timestamptz not null
    ) with (fillfactor = 10)`.execute(db)
  await sql`insert into lease (epoch, expires_at) values (0, '-infinity')`.execute(db)
}
