import { type Kysely, sql } from "kysely"

/**
 * The schema `audit`: views and functions for people with a SQL client, and the only ones whose columns are a promise
 * (docs/reference/audit-sql.md). The functions read the views, so that who may read the views may call them.
 */
export const up = async (db: Kysely<unknown>) => {
  await sql`create schema audit`.execute(db)
  await sql`comment on schema audit is 'Views for people: docs/reference/audit-sql.md'`.execute(db)
  await words(db)
  await log(db)
  await wire(db)
}

const words = async (db: Kysely<unknown>) => {
  await sql`
    create function audit.fields_changed(before json, after json) returns text language sql immutable as $$
      select string_agg(key, ', ' order by place) from (
        select a.key, a.place from json_each(after) with ordinality as a (key, value, place)
        where (before -> a.key)::text is distinct from a.value::text
        union all
        select b.key, 1000000 + b.place from json_each(before) with ordinality as b (key, value, place)
        where after -> b.key is null
      ) differing
    $$`.execute(db)
  await sql`
    create function audit.holder_words(vip json) returns text language sql immutable as $$
      select string_agg((vip ->> 'cluster') || ' ' || (holder ->> 'namespace') || '/' || (holder ->> 'name'), ', '
        order by place)
      from json_array_elements(vip -> 'holders') with ordinality as h (holder, place)
    $$`.execute(db)
  await sql`
    create function audit.name_words(object json) returns text language sql immutable as $$
      select (object ->> 'kind') || ' ' || coalesce(nullif(object ->> 'namespace', '') || '/', '') || (object ->> 'name')
    $$`.execute(db)
  await sql`
    create function audit.list_words(list json) returns text language sql immutable as $$
      select string_agg(item, ', ' order by place) from json_array_elements_text(list) with ordinality as l (item, place)
    $$`.execute(db)
  await sql`
    create function audit.event_words(type text, stream text, holder text, data json) returns text
    language sql immutable as $$
      select coalesce(case type
        when 'ClusterRegistered' then 'cluster ' || (state ->> 'cluster') || ' is of network ' || (state ->> 'network')
        when 'ManifestApplied' then audit.name_words(state -> 'manifest') || case
          when before is null then ' was created'
          when before ->> 'retired' = 'true' then ' was brought back'
          else ' was changed' end
        when 'ManifestRetired' then audit.name_words(state -> 'manifest')
          || ' was deleted while it is needed: it stays in effect until it no longer is'
        when 'ManifestDeleted' then audit.name_words(state -> 'manifest') || ' was deleted'
        when 'FindingsReported' then case when json_array_length(state -> 'findings') = 0
          then audit.name_words(state -> 'object') || ' is well'
          else (state #>> '{findings,0,severity}') || ' ' || (state #>> '{findings,0,code}') || ' '
            || (state #>> '{findings,0,message}') || case when json_array_length(state -> 'findings') > 1
              then ' (and ' || json_array_length(state -> 'findings') - 1 || ' more)' else '' end end
        when 'FindingsResolved' then audit.name_words(state -> 'object') || ' has no findings any more'
        when 'NamespaceObserved' then 'namespace ' || (state #>> '{namespace,name}')
          || case when before is null then ' was seen' else ' was relabelled' end
        when 'NamespaceGone' then 'namespace ' || (state #>> '{namespace,name}') || ' is gone'
        when 'NodeObserved' then 'node ' || (state #>> '{node,name}') || case
          when before is null then ' was seen'
          else case when before ->> 'present' = 'false' then ' is back' else ' changed' end
            || coalesce(': ' || audit.fields_changed(before -> 'node', state -> 'node'), '') end
        when 'NodeGone' then 'node ' || (state #>> '{node,name}')
          || ' is gone; what it was to confirm it has yet to confirm'
        when 'ServiceObserved' then 'Service ' || service || case
          when before is null then ' was seen'
          else ' changed' || coalesce(': ' || audit.fields_changed(before -> 'service', state -> 'service'), '') end
        when 'ServiceGone' then 'Service ' || service || ' is gone'
        when 'ServingNodesChanged' then 'Service ' || service
          || coalesce(' has serving endpoints on ' || audit.list_words(state -> 'servingNodes'), ' has no serving endpoint')
        when 'AssignmentRefused' then 'refused ' || (state #>> '{refusal,code}') || ' ' || (state #>> '{refusal,message}')
        when 'RefusalCleared' then 'Service ' || service || ' is no longer refused'
        when 'VipAssigned' then address || ' of pool ' || pool || ' was given to '
          || coalesce(holder, audit.holder_words(state))
          || case when json_array_length(state -> 'holders') > 1
            then ', shared by ' || audit.holder_words(state) else '' end
        when 'VipHoldersChanged' then address || ' is held by ' || audit.holder_words(state)
        when 'VipReleased' then address || ' was released by ' || audit.list_words(state -> 'lastHolders')
          || coalesce('; ' || audit.list_words(state -> 'obliged') || ' are to confirm its withdrawal', '')
        when 'VipQuarantined' then address || ' is withdrawn everywhere and rests' || coalesce(' until ' || to_char(
          to_timestamp((state ->> 'quarantineEndMs')::numeric / 1000) at time zone 'UTC',
          'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), '')
        when 'VipFreed' then address || ' of pool ' || pool || ' is free'
      end, type || ' of ' || stream)
      from (select case when json_typeof(data -> 'before') = 'null' then null else data -> 'before' end as before,
        case when json_typeof(data -> 'after') = 'null' then data -> 'before' else data -> 'after' end as state) s
      cross join lateral (select state ->> 'address' as address, state ->> 'pool' as pool,
        (state #>> '{service,namespace}') || '/' || (state #>> '{service,name}') as service) n
    $$`.execute(db)
}

const log = async (db: Kysely<unknown>) => {
  await sql`
    create view audit.events as
    select seq, recorded_at, observed_at, type, reason_code as reason, actor, actor_kind, cluster, namespace, service,
      network, address, pool,
      audit.event_words(type, stream, cluster || ' ' || namespace || '/' || service, data) as what,
      meta ->> 'words' as words,
      coalesce(data #>> '{after,refusal,code}', data #>> '{after,findings,0,code}') as code,
      stream, version, correlation_id, command_id, event_id, data -> 'before' as before, data -> 'after' as after
    from public.events`.execute(db)
  await sql`
    create view audit.refusals as
    select seq, recorded_at, actor, cluster, namespace, service, data #>> '{after,refusal,code}' as code,
      data #>> '{after,refusal,message}' as message, data #>> '{after,refusal,expected}' as expected,
      data #>> '{after,refusal,found}' as found, data #>> '{after,refusal,fix}' as fix, correlation_id
    from public.events where type = 'AssignmentRefused'`.execute(db)
  await sql`
    create view audit.vip_history as
    select v.network, v.address, v.state, v.pool, h.holder ->> 'cluster' as cluster,
      h.holder ->> 'namespace' as namespace, h.holder ->> 'name' as service, h.holder ->> 'uid' as service_uid,
      v.valid_from, nullif(v.valid_to, 'infinity') as valid_to, v.from_seq, v.to_seq, v.reason_code as reason, v.actor
    from public.vip_history v left join lateral json_array_elements(v.holders) as h (holder) on true`.execute(db)
  await sql`
    create function audit.who_at(network text, address inet, at timestamptz) returns setof audit.vip_history
    language sql stable as $$
      select * from audit.vip_history h
      where h.network = who_at.network and h.address = who_at.address
        and h.valid_from <= at and (h.valid_to is null or h.valid_to > at)
    $$`.execute(db)
}

const wire = async (db: Kysely<unknown>) => {
  await sql`
    create view audit.wire_reports as
    select w.id, w.recorded_at, w.cluster, w.network, w.address, e.entry ->> 'node' as node,
      e.entry ->> 'verdict' as verdict, e.entry ->> 'trigger' as trigger, p.told ->> 'peer' as peer,
      p.told ->> 'action' as action, (p.told ->> 'writtenAt')::timestamptz as written_at,
      (e.entry ->> 'receivedAt')::timestamptz as received_at, (e.entry ->> 'savedAt')::timestamptz as saved_at,
      w.stamp_incarnation, w.stamp_epoch, w.stamp_seq
    from public.wire_journal w
    cross join lateral json_array_elements(w.detail -> 'entries') as e (entry)
    left join lateral json_array_elements(e.entry -> 'peers') as p (told) on true
    where w.kind = 'applied'`.execute(db)
  await sql`
    create view audit.sessions as
    select id, recorded_at, cluster, node, peer, detail ->> 'change' as change, (detail ->> 'at')::timestamptz as at,
      detail ->> 'code' as code, detail ->> 'detail' as detail
    from public.wire_journal where kind = 'session'`.execute(db)
  await sql`
    create function audit.announced_at(network text, address inet, at timestamptz)
    returns table (cluster text, node text, peer text, state text, since timestamptz) language sql stable as $$
      select t.cluster, t.node, t.peer,
        case when t.action = 'withdrawn' or s.at is null or s.at <= t.written_at then t.action
          when s.change = 'down' then 'lost' else 'unknown' end,
        case when t.action = 'withdrawn' or s.at is null or s.at <= t.written_at then t.written_at else s.at end
      from (
        select distinct on (w.cluster, w.node, w.peer) w.cluster, w.node, w.peer, w.action, w.written_at
        from audit.wire_reports w
        where w.network = announced_at.network and w.address = announced_at.address
          and w.action in ('announced', 'withdrawn') and w.written_at <= announced_at.at
        order by w.cluster, w.node, w.peer, w.id desc
      ) t left join lateral (
        select c.change, c.at from audit.sessions c
        where c.cluster = t.cluster and c.node = t.node and c.peer = t.peer and c.change in ('up', 'down')
          and c.at <= announced_at.at
        order by c.id desc limit 1
      ) s on true
    $$`.execute(db)
  await sql`
    comment on function audit.announced_at is 'What nodes had told routers of an address, by their own clocks; a node that reported nothing has no row'`.execute(
    db
  )
}
