import { type Kysely, sql } from "kysely"

/**
 * Partitions of 5 million events, made ahead: the one of `seq` and two more. Answers the last seq that has a place.
 * Runs with the migrator's rights, so that the leader needs none to create tables. Attaching, unlike
 * `create table ... partition of`, does not lock out a batch in flight.
 */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create function ledger_ensure_partitions(seq bigint) returns bigint
    language plpgsql security definer set search_path to public, pg_temp as $$
    declare
      size constant bigint := 5000000;
      first constant bigint := (greatest(seq, 1) - 1) / size;
      partition text;
    begin
      for n in first .. first + 2 loop
        partition := 'events_' || lpad(n::text, 6, '0');
        if to_regclass(partition) is null then
          perform pg_advisory_xact_lock(hashtext('ledger_ensure_partitions'));
          if to_regclass(partition) is null then
            execute format('create table %I (like events including all)', partition);
            execute format('create trigger events_refuse_truncate before truncate on %I '
              'for each statement execute function ledger_refuse_change()', partition);
            execute format('alter table events attach partition %I for values from (%s) to (%s)',
              partition, n * size + 1, (n + 1) * size + 1);
          end if;
        end if;
      end loop;
      return (first + 3) * size;
    end $$`.execute(db)
  await sql`select ledger_ensure_partitions(1)`.execute(db)
}
