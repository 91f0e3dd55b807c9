import { type Kysely, sql } from "kysely"

/**
 * A partition is detached without keeping writers waiting: who waits for the lock on the log has every batch behind it. So it
 * waits for a fifth of a second, lets those go on who came after it, and tries again.
 */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create or replace function ledger_drop_segment(first_seq bigint, last_seq bigint) returns boolean
    language plpgsql security definer set search_path to public, pg_temp set lock_timeout to '200ms' as $$
    declare
      partition text;
      archived json;
      attempts int := 0;
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
      loop
        begin
          execute format('alter table events detach partition %I', partition);
          exit;
        exception when lock_not_available then
          attempts := attempts + 1;
          if attempts = 12 then
            raise exception 'expected the log at a moment when nobody reads it for long, found none within % tries', attempts
              using errcode = '55P03';
          end if;
        end;
        perform pg_sleep(0.2);
      end loop;
      execute format('drop table %I', partition);
      return true;
    end $$`.execute(db)
}
