import { type Kysely, sql } from "kysely"

/**
 * What the allocator's role may not do to stored rows, in two functions of their owner: a partition goes only when the log
 * says that exactly its leaves were archived, rows of the wire journal only when the log says that they go, seals whole.
 */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create function ledger_leaves_digest(first_seq bigint, last_seq bigint) returns text
    language sql stable set search_path to public, pg_temp as $$
      select encode(sha256(string_agg(digest, ''::bytea order by run)), 'hex') from (
        select (seq - 1) / 4096 as run, sha256(string_agg(leaf_hash, ''::bytea order by seq)) as digest
        from events where seq between first_seq and last_seq group by 1
      ) as runs
    $$`.execute(db)
  await sql`
    create function ledger_drop_segment(first_seq bigint, last_seq bigint) returns boolean
    language plpgsql security definer set search_path to public, pg_temp set lock_timeout to '2s' as $$
    declare
      partition text;
      archived json;
    begin
      perform pg_advisory_xact_lock(hashtext('ledger_ensure_partitions'));
      select name into partition from ledger_partitions() where from_seq = first_seq and to_seq = last_seq;
      if partition is null then
        return false;
      end if;
      if exists (select from events where seq < first_seq) then
        raise exception 'expected the oldest events, found some before event %', first_seq using errcode = 'LT004';
      end if;
      -- Until then proofs about what comes after need leaves of the segment's last run of 256.
      if not exists (select from tree_node where level = 1 and index = last_seq / 256) then
        raise exception 'expected 256 events after event % whose hashes are kept, found fewer', last_seq using errcode = 'LT004';
      end if;
      select data -> 'after' into archived from events
        where stream = 'segment:' || first_seq and type in ('SegmentArchived', 'SegmentRestored')
        order by version desc limit 1;
      if archived is null or (archived ->> 'toSeq')::bigint <> last_seq
        or archived ->> 'leavesDigest' is distinct from ledger_leaves_digest(first_seq, last_seq) then
        raise exception 'expected an archive of events % to % as they are, found none in the log', first_seq, last_seq
          using errcode = 'LT004';
      end if;
      insert into tree_node (level, index, hash)
        select 0, seq - 1, leaf_hash from events where seq between last_seq - last_seq % 256 + 1 and last_seq
        on conflict do nothing;
      execute format('alter table events detach partition %I', partition);
      execute format('drop table %I', partition);
      return true;
    end $$`.execute(db)
  await sql`
    create function ledger_drop_wire(until_id bigint, at_most int) returns int
    language plpgsql security definer set search_path to public, pg_temp as $$
    declare
      dropped int;
    begin
      if not exists (select from stream_current where stream = 'audit:wire-drops'
        and (state ->> 'untilId')::bigint >= until_id) then
        raise exception 'expected rows that the log says to be removed, found rows up to %', until_id using errcode = 'LT004';
      end if;
      delete from wire_journal where id in (select id from wire_journal where id <= until_id order by id limit at_most);
      get diagnostics dropped = row_count;
      return dropped;
    end $$`.execute(db)
  for (const name of ["ledger_drop_segment(bigint, bigint)", "ledger_drop_wire(bigint, int)"]) {
    await sql`revoke execute on function ${sql.raw(name)} from public`.execute(db)
  }
  for (const [type, words] of Object.entries(sentences)) {
    await sql`
      create function audit.${sql.raw(`words_${type}`)}(before json, state json, holder text) returns text
      language sql immutable as ${sql.lit(`select ${words}`)}`.execute(db)
  }
  await sql`
    create view audit.segments as
    select (state ->> 'fromSeq')::bigint as from_seq, (state ->> 'toSeq')::bigint as to_seq, state ->> 'phase' as phase,
      (state ->> 'firstAt')::timestamptz as first_at, (state ->> 'lastAt')::timestamptz as last_at,
      state ->> 'file' as file, state ->> 'sha256' as sha256, state ->> 'root' as root, recorded_at as since
    from stream_current where kind = 'segment' and state is not null`.execute(db)
  await sql`
    create view audit.complete_since as
    select seq as from_seq, recorded_at from events order by seq limit 1`.execute(db)
}

const events = `'events ' || (state ->> 'fromSeq') || ' to ' || (state ->> 'toSeq')`

const sentences = {
  WireRowsDropped: `'rows of the wire journal up to id ' || (state ->> 'untilId')
    || ', recorded before ' || (state ->> 'before') || ', are removed; their seals stay'`,
  SegmentArchived: `${events} || ' are archived in ' || (state ->> 'file') || ', SHA-256 ' || (state ->> 'sha256')
    || ', root ' || (state ->> 'root')`,
  SegmentDropped: `${events} || ' are in ' || (state ->> 'file') || ' alone from now on'`,
  SegmentRestored: `${events} || ' are back from ' || (state ->> 'file')`
} as const
