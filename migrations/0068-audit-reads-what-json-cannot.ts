import { type Kysely, sql } from "kysely"

/**
 * Logs of before hold a few texts with U+0000 or with half of a surrogate pair, which nobody can store any more (LT0507).
 * PostgreSQL keeps them as JSON and fails whoever reads any text of that JSON, so one such row took every question from
 * auditors that came by it. What they read has U+FFFD in the place of such a character; the stored bytes stay.
 */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create function audit.readable(document json) returns json language sql immutable as ${sql.lit(readable)}`.execute(
    db
  )
  await sql`
    comment on function audit.readable is 'The same JSON with U+FFFD in the place of characters that PostgreSQL does not read'`.execute(
    db
  )
  await sql`
    create or replace view audit.events as
    select seq, recorded_at, observed_at, type, reason_code as reason, actor, actor_kind, cluster, namespace, service,
      network, address, pool,
      audit.event_words(type, stream, cluster || ' ' || namespace || '/' || service, audit.readable(data)) as what,
      audit.readable(meta) ->> 'words' as words,
      coalesce(audit.readable(data) #>> '{after,refusal,code}', audit.readable(data) #>> '{after,findings,0,code}') as code,
      stream, version, correlation_id, command_id, event_id, audit.readable(data) -> 'before' as before,
      audit.readable(data) -> 'after' as after
    from public.events`.execute(db)
  await sql`
    create or replace view audit.refusals as
    select seq, recorded_at, actor, cluster, namespace, service, r.refusal ->> 'code' as code,
      r.refusal ->> 'message' as message, r.refusal ->> 'expected' as expected, r.refusal ->> 'found' as found,
      r.refusal ->> 'fix' as fix, correlation_id
    from public.events cross join lateral (select audit.readable(data) #> '{after,refusal}' as refusal) r
    where type = 'AssignmentRefused'`.execute(db)
  await sql`
    create or replace view audit.vip_history as
    select v.network, v.address, v.state, v.pool, h.holder ->> 'cluster' as cluster,
      h.holder ->> 'namespace' as namespace, h.holder ->> 'name' as service, h.holder ->> 'uid' as service_uid,
      v.valid_from, nullif(v.valid_to, 'infinity') as valid_to, v.from_seq, v.to_seq, v.reason_code as reason, v.actor
    from public.vip_history v
    left join lateral json_array_elements(audit.readable(v.holders)) as h (holder) on true`.execute(db)
  await sql`
    create or replace function audit.difference_of_seqs(since_seq bigint, until_seq bigint)
    returns table (kind text, change text, cluster text, name text, seq bigint, recorded_at timestamptz, actor text,
      reason text, what text, before json, after json) language plpgsql stable as $$
    #variable_conflict use_column
    declare
      complete_from constant bigint := (select from_seq from audit.complete_since);
    begin
      if since_seq + 1 < complete_from then
        raise exception 'expected events from % on, found those from % on: the others are archived', since_seq + 1,
          complete_from using errcode = 'LT005', hint = 'see audit.segments, and restore them with lowtide ledger restore-segment';
      end if;
      return query
        with earlier as (
          select distinct on (e.stream) e.stream, audit.readable(e.data) -> 'before' as before from public.events e
          where e.seq > since_seq and e.seq <= until_seq order by e.stream, e.version
        ), later as (
          select distinct on (e.stream) e.stream, e.seq from public.events e
          where e.seq > since_seq and e.seq <= until_seq order by e.stream, e.version desc
        ), both_ends as (
          select w.kind, w.cluster, w.name, e.seq, e.recorded_at, e.actor, e.reason, e.what, o.before, e.after
          from later l join earlier o on o.stream = l.stream join audit.events e on e.seq = l.seq
          cross join lateral (
            select case when json_typeof(e.after) = 'null' then e.before else e.after end as state
          ) s
          cross join lateral (
            select audit.kind_words(s.state) as kind, s.state ->> 'cluster' as cluster, audit.stream_words(s.state) as name
          ) w
          where w.kind is not null and o.before::text is distinct from e.after::text
        )
        select b.kind, case
            when not audit.is_there(b.before) and audit.is_there(b.after) then 'added'
            when audit.is_there(b.before) and not audit.is_there(b.after) then 'removed'
            when b.kind = 'address' and audit.is_there(b.before) and not exists (
              select from json_array_elements(b.before -> 'holders') old, json_array_elements(b.after -> 'holders') young
              where b.before ->> 'cluster' = b.after ->> 'cluster' and old ->> 'namespace' = young ->> 'namespace'
                and old ->> 'name' = young ->> 'name'
            ) then 'moved'
            else 'changed' end,
          b.cluster, b.name, b.seq, b.recorded_at, b.actor, b.reason, b.what, b.before, b.after
        from both_ends b order by b.seq;
    end $$`.execute(db)
}

/** A backslash that no other one escapes, with the code of such a character behind it. */
const unreadable = String.raw`(?<!\\)((?:\\\\)*)\\u(?:0000|d[89a-f][0-9a-f]{2})`

/** Looking for an escape first costs next to nothing, and hardly any row has one. */
const readable = String.raw`select case when position('\u' in document::text) = 0 then document
  else regexp_replace(document::text, '${unreadable}', '\1\\ufffd', 'g')::json end`
