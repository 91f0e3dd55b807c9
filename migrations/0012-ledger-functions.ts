import { type Kysely, sql } from "kysely"

/**
 * What the write statement and the reads call: a version 7 UUID of a given time (RFC 9562 5.7), a way for a statement
 * to fail as a whole, and the last seq at or before a time. The last one may search by halves because seqs have no gaps
 * and times never go back.
 */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create function ledger_uuid_v7(at timestamptz) returns uuid language sql volatile as $$
      select encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
        placing substring(int8send((extract(epoch from at) * 1000)::bigint) from 3) from 1 for 6), 52, 1), 53, 1), 'hex')::uuid
    $$`.execute(db)
  await sql`
    create function ledger_conflict(detail text) returns bigint language plpgsql as $$
    begin
      raise exception '%', detail using errcode = 'LT001';
    end $$`.execute(db)
  await sql`
    create function ledger_seq_at(at timestamptz) returns bigint language plpgsql stable as $$
    declare
      low bigint := (select coalesce(min(seq), 1) - 1 from events);
      high bigint := (select seq from log_head);
      middle bigint;
    begin
      while low < high loop
        middle := (low + high + 1) / 2;
        if (select recorded_at <= at from events where seq = middle) then
          low := middle;
        else
          high := middle - 1;
        end if;
      end loop;
      return low;
    end $$`.execute(db)
}
