import { type Kysely, sql } from "kysely"

/** That the next leader is to recover whatever it finds, and why: a restored database may lack what it cannot know of. */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create table recovery_order (
      one bool primary key default true check (one),
      why text not null
    )`.execute(db)
}
