import { type Kysely, sql } from "kysely"

/**
 * Partitions go by what the catalog says is attached, not by names: a range whose partition somebody took away is made
 * again where nothing was written yet, and named where something was. A restored log of many partitions gets all of them.
 */
export const up = async (db: Kysely<unknown>) => {
  // Of a partition that is made; those that are there keep their bounds.
  await sql`
    create function ledger_partition_events() returns bigint language sql immutable as $$ select 5000000::bigint $$`.execute(
    db
  )
  await sql`
    create function ledger_partitions() returns table (name text, from_seq bigint, to_seq bigint)
    language sql stable set search_path to public, pg_temp as $$
      select c.relname::text, bounds[1]::bigint, bounds[2]::bigint - 1
      from pg_inherits i join pg_class c on c.oid = i.inhrelid
      cross join lateral regexp_match(pg_get_expr(c.relpartbound, c.oid),
        'FROM \\(''?(\\d+)''?\\) TO \\(''?(\\d+)''?\\)') as bounds
      where i.inhparent = 'events'::regclass and not i.inhdetachpending
      order by 2
    $$`.execute(db)
  await sql`
    create function ledger_places_until(seq bigint) returns bigint
    language plpgsql stable set search_path to public, pg_temp as $$
    declare
      until bigint := greatest(seq, 1) - 1;
      part record;
    begin
      for part in select * from ledger_partitions() where to_seq > until loop
        exit when part.from_seq > until + 1;
        until := part.to_seq;
      end loop;
      return until;
    end $$`.execute(db)
  await sql`comment on function ledger_places_until(bigint) is
    'the last seq from the given one on that an event can be written at; one less when there is no place for it'`.execute(
    db
  )
  await sql`
    create or replace function ledger_ensure_partitions(seq bigint) returns bigint
    language plpgsql security definer set search_path to public, pg_temp as $$
    declare
      size constant bigint := ledger_partition_events();
      at bigint := greatest(seq, 1);
      written constant bigint := (select h.seq from log_head h);
      below bigint;
      above bigint;
      partition text;
      complete int := 0;
    begin
      perform pg_advisory_xact_lock(hashtext('ledger_ensure_partitions'));
      while complete < 3 loop
        select max(to_seq) filter (where to_seq < at), min(from_seq) filter (where to_seq >= at)
          into below, above from ledger_partitions();
        below := coalesce(below, 0);
        if above is null or above > at then
          if below < written then
            raise exception 'expected a partition of events for seq % to %, found none: attach the one that was detached',
              below + 1, least(written, coalesce(above - 1, written)) using errcode = 'LT003';
          end if;
          select 'events_' || lpad((coalesce(max(substr(relname, 8)::bigint), -1) + 1)::text, 6, '0') into partition
            from pg_class where relnamespace = 'public'::regnamespace and relname ~ '^events_\\d+$';
          execute format('create table %I (like events including all)', partition);
          execute format('create trigger events_refuse_truncate before truncate on %I '
            'for each statement execute function ledger_refuse_change()', partition);
          execute format('alter table events attach partition %I for values from (%s) to (%s)',
            partition, below + 1, least(below + 1 + size, coalesce(above, below + 1 + size)));
        else
          complete := complete + 1;
          select to_seq + 1 into at from ledger_partitions() where at between from_seq and to_seq;
        end if;
      end loop;
      return at - 1;
    end $$`.execute(db)
}
