import { type Kysely, sql } from "kysely"

/**
 * Who had a VIP when. A stretch is [from_seq, to_seq) and [valid_from, valid_to). The partial unique index is the
 * backstop of "one address, one holder": a second open stretch of one VIP fails the whole batch.
 */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create table vip_history (
      network text not null,
      address inet not null,
      from_seq bigint not null,
      to_seq bigint,
      valid_from timestamptz not null,
      valid_to timestamptz not null default 'infinity',
      state text not null,
      pool text not null,
      holders json not null,
      reason_code text not null,
      actor text not null,
      primary key (network, address, from_seq),
      check (to_seq > from_seq and valid_to >= valid_from)
    ) with (fillfactor = 80)`.execute(db)
  await sql`create unique index vip_history_open on vip_history (network, address) where to_seq is null`.execute(db)
}
