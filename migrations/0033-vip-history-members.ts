import { type Kysely, sql } from "kysely"

/**
 * An address that several clusters share on purpose has a stretch for each of them: `member` is the cluster. For every other
 * VIP it is empty, and the backstop of "one address, one holder" is what it was.
 */
export const up = async (db: Kysely<unknown>) => {
  await sql`alter table vip_history add column member text not null default ''`.execute(db)
  await sql`drop index vip_history_open`.execute(db)
  await sql`create unique index vip_history_open on vip_history (network, address, member) where to_seq is null`.execute(
    db
  )
}
