import { type Kysely, sql } from "kysely"

/**
 * What auditors ask beside who held an address: the history of a prefix, what differs between two times, and the signed
 * checkpoints (docs/reference/questions.md). A difference reads the events of the stretch alone: the first one of a stream
 * says what was before, the last one what is.
 */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create function audit.prefix_history(prefix inet) returns setof audit.events language sql stable as $$
      select * from audit.events where address <<= prefix order by seq
    $$`.execute(db)
  await sql`
    create function audit.kind_words(state json) returns text language sql immutable as $$
      select case state ->> '_tag' when 'Vip' then 'address' when 'Service' then 'service' when 'Node' then 'node'
        when 'Namespace' then 'namespace' when 'Cluster' then 'cluster' when 'Findings' then 'finding'
        when 'Manifest' then 'configuration' when 'Reservation' then 'configuration' when 'Quota' then 'configuration'
        when 'SharedAddress' then 'configuration' when 'AddressPool' then 'configuration' end
    $$`.execute(db)
  await sql`
    create function audit.stream_words(state json) returns text language sql immutable as $$
      select case state ->> '_tag'
        when 'Vip' then (state ->> 'network') || '/' || (state ->> 'address')
        when 'Service' then (state #>> '{service,namespace}') || '/' || (state #>> '{service,name}')
        when 'Node' then state #>> '{node,name}'
        when 'Namespace' then state #>> '{namespace,name}'
        when 'Cluster' then state ->> 'cluster'
        when 'Manifest' then concat_ws('/', state #>> '{manifest,kind}', coalesce(state #>> '{manifest,namespace}', ''),
          state #>> '{manifest,name}')
        when 'Findings' then concat_ws('/', state #>> '{object,kind}', coalesce(state #>> '{object,namespace}', ''),
          state #>> '{object,name}')
        else (state ->> '_tag') || '//' || coalesce(state ->> 'name', state #>> '{quota,name}', state #>> '{shared,name}',
          state #>> '{pool,name}') end
    $$`.execute(db)
  await sql`
    create function audit.is_there(state json) returns boolean language sql immutable as $$
      select case when state is null or json_typeof(state) = 'null' then false
        when state ->> '_tag' = 'Vip' then json_array_length(state -> 'holders') > 0
        when state ->> '_tag' = 'Node' then (state ->> 'present')::boolean
        else true end
    $$`.execute(db)
  await sql`
    create function audit.difference_of_seqs(since_seq bigint, until_seq bigint)
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
          select distinct on (e.stream) e.stream, e.data -> 'before' as before from public.events e
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
  await sql`
    create function audit.difference(since timestamptz, until timestamptz)
    returns table (kind text, change text, cluster text, name text, seq bigint, recorded_at timestamptz, actor text,
      reason text, what text, before json, after json) language sql stable as $$
      select * from audit.difference_of_seqs(public.ledger_seq_at(since), public.ledger_seq_at(until))
    $$`.execute(db)
  await sql`
    create view audit.checkpoints as
    select incarnation, tree_size, split_part(note, E'\n', 1) as origin, split_part(note, E'\n', 3) as root, note
    from public.signed_checkpoint`.execute(db)
  await sql`
    comment on view audit.checkpoints is 'Signed checkpoints as the database has them; what they prove rests on the copies outside of it'`.execute(
    db
  )
}
