import { type Kysely, sql } from "kysely"

/**
 * A time before the first event that the database has was taken for the place just before that event, and what differs since
 * then was answered without the archived events. It is the place before the segment that holds the time, which
 * `audit.difference_of_seqs` refuses.
 */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create or replace function audit.difference(since timestamptz, until timestamptz)
    returns table (kind text, change text, cluster text, name text, seq bigint, recorded_at timestamptz, actor text,
      reason text, what text, before json, after json) language sql stable as $$
      select * from audit.difference_of_seqs(
        coalesce(
          (select min(from_seq) - 1 from audit.segments where phase = 'dropped' and last_at > difference.since),
          public.ledger_seq_at(difference.since)
        ),
        public.ledger_seq_at(difference.until))
    $$`.execute(db)
}
