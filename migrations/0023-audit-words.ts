import { type Kysely, sql } from "kysely"

/** Words for the events of a lost history. */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create or replace function audit.event_words(type text, stream text, holder text, data json) returns text
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
        when 'VipAdopted' then address || ' was taken over as ' || case when state ->> 'phase' = 'assigned'
          then 'held by ' || audit.holder_words(state)
            || ', which the log had lost; it is reserved until they are seen'
          else 'withdrawn, which the log had lost' end
        when 'HistoryLost' then 'the database has lost history (' || (state ->> 'why') || '): incarnation '
          || (state ->> 'incarnation')
          || ' begins, and decides nothing before it has asked what speakers hold'
        when 'HistoryRecovered' then 'incarnation ' || (state ->> 'incarnation') || ' has merged what is remembered: '
          || (state ->> 'adoptedCount') || ' addresses are reserved for who comes back'
          || coalesce('; not heard: ' || audit.list_words(state -> 'without'), '')
        when 'ClusterRepublished' then 'everything of cluster ' || (state ->> 'cluster')
          || ' is published anew under incarnation ' || coalesce(state ->> 'incarnation', '0')
      end, type || ' of ' || stream)
      from (select case when json_typeof(data -> 'before') = 'null' then null else data -> 'before' end as before,
        case when json_typeof(data -> 'after') = 'null' then data -> 'before' else data -> 'after' end as state) s
      cross join lateral (select state ->> 'address' as address, state ->> 'pool' as pool,
        (state #>> '{service,namespace}') || '/' || (state #>> '{service,name}') as service) n
    $$`.execute(db)
}
