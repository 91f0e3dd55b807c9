import { type Kysely, sql } from "kysely"

/**
 * The sentence of an event type is a function of its own, `audit.words_TYPE(before, state, holder)`, which
 * `audit.event_words` finds by the type's name: a new type brings its function, and nobody has to write those of all others
 * again, nor to write them last. `state` is the newest state of the event's stream.
 */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create function audit.time_words(ms json) returns text language sql immutable as $$
      select to_char(to_timestamp((ms #>> '{}')::numeric / 1000) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
    $$`.execute(db)
  await sql`
    create function audit.service_words(state json) returns text language sql immutable as $$
      select 'Service ' || (state #>> '{service,namespace}') || '/' || (state #>> '{service,name}')
    $$`.execute(db)
  await sql`
    create function audit.quota_words(state json) returns text language sql immutable as $$
      select 'quota ' || (state #>> '{quota,name}')
    $$`.execute(db)
  await sql`
    create function audit.quota_scope_words(state json) returns text language sql immutable as $$
      select 'to ' || coalesce('namespace ' || (state #>> '{quota,namespace}') || ' of ', '')
        || coalesce('cluster ' || (state #>> '{quota,cluster}'), 'each cluster')
    $$`.execute(db)
  await sql`
    create function audit.reserved_for_words(state json) returns text language sql immutable as $$
      select (state ->> 'cluster') || ' ' || (state ->> 'namespace') || '/' || (state ->> 'service')
    $$`.execute(db)
  for (const [type, words] of Object.entries(sentences)) {
    await sql`
      create function audit.${sql.raw(`words_${type}`)}(before json, state json, holder text) returns text
      language sql immutable as ${sql.lit(`select ${words}`)}`.execute(db)
  }
  await sql`
    create or replace function audit.event_words(type text, stream text, holder text, data json) returns text
    language plpgsql stable as $$
    declare
      name constant text := format('audit.%I', 'words_' || lower(type));
      before constant json := case when json_typeof(data -> 'before') = 'null' then null else data -> 'before' end;
      state constant json := case when json_typeof(data -> 'after') = 'null' then before else data -> 'after' end;
      words text;
    begin
      if to_regproc(name) is not null then
        execute 'select ' || name || '($1, $2, $3)' into words using before, state, holder;
      end if;
      return coalesce(words, type || ' of ' || stream);
    end $$`.execute(db)
}

const sentences = {
  ClusterRegistered: `'cluster ' || (state ->> 'cluster') || ' is of network ' || (state ->> 'network')`,
  ManifestApplied: `audit.name_words(state -> 'manifest') || case
    when before is null then ' was created'
    when before ->> 'retired' = 'true' then ' was brought back'
    else ' was changed' end`,
  ManifestRetired: `audit.name_words(state -> 'manifest')
    || ' was deleted while it is needed: it stays in effect until it no longer is'`,
  ManifestDeleted: `audit.name_words(state -> 'manifest') || ' was deleted'`,
  FindingsReported: `case when json_array_length(state -> 'findings') = 0
    then audit.name_words(state -> 'object') || ' is well'
    else (state #>> '{findings,0,severity}') || ' ' || (state #>> '{findings,0,code}') || ' '
      || (state #>> '{findings,0,message}') || case when json_array_length(state -> 'findings') > 1
        then ' (and ' || json_array_length(state -> 'findings') - 1 || ' more)' else '' end end`,
  FindingsResolved: `audit.name_words(state -> 'object') || ' has no findings any more'`,
  NamespaceObserved: `'namespace ' || (state #>> '{namespace,name}')
    || case when before is null then ' was seen' else ' was relabelled' end`,
  NamespaceGone: `'namespace ' || (state #>> '{namespace,name}') || ' is gone'`,
  NodeObserved: `'node ' || (state #>> '{node,name}') || case
    when before is null then ' was seen'
    else case when before ->> 'present' = 'false' then ' is back' else ' changed' end
      || coalesce(': ' || audit.fields_changed(before -> 'node', state -> 'node'), '') end
    || case when before ->> 'retired' = 'true' then '; retired before, it begins anew' else '' end`,
  NodeGone: `'node ' || (state #>> '{node,name}') || ' is gone; what it was to confirm it has yet to confirm'`,
  NodeRetired: `'node ' || (state #>> '{node,name}') || ' was retired: nothing more is awaited of it'`,
  ServiceObserved: `audit.service_words(state) || case
    when before is null then ' was seen'
    else ' changed' || coalesce(': ' || audit.fields_changed(before -> 'service', state -> 'service'), '') end`,
  ServiceGone: `audit.service_words(state) || ' is gone'`,
  ServingNodesChanged: `audit.service_words(state)
    || coalesce(' has serving endpoints on ' || audit.list_words(state -> 'servingNodes'), ' has no serving endpoint')`,
  AssignmentRefused: `coalesce('refused ' || (state #>> '{refusal,code}') || ' ' || (state #>> '{refusal,message}'),
    audit.service_words(state) || ' was refused')`,
  RefusalCleared: `audit.service_words(state) || ' is no longer refused'`,
  VipAssigned: `(state ->> 'address') || ' of pool ' || (state ->> 'pool') || ' was given to '
    || coalesce(holder, audit.holder_words(state))
    || case when json_array_length(state -> 'holders') > 1
      then ', shared by ' || audit.holder_words(state) else '' end`,
  VipHoldersChanged: `(state ->> 'address') || ' is held by ' || audit.holder_words(state)`,
  VipReleased: `(state ->> 'address') || ' was released by ' || audit.list_words(state -> 'lastHolders')
    || coalesce('; ' || audit.list_words(state -> 'obliged') || ' are to confirm its withdrawal', '')`,
  VipQuarantined: `(state ->> 'address') || ' is withdrawn everywhere and rests'
    || coalesce(' until ' || audit.time_words(state -> 'quarantineEndMs'), '')`,
  VipFreed: `(state ->> 'address') || ' of pool ' || (state ->> 'pool') || ' is free'`,
  VipObligationLifted: `(state ->> 'address') || ' no longer waits for ' || coalesce((
      select string_agg(node, ', ' order by place)
      from json_array_elements_text(before -> 'obliged') with ordinality as b (node, place)
      where node not in (select json_array_elements_text(state -> 'obliged'))), '') || ', which was retired'`,
  VipForceReleased: `(state ->> 'address') || ' was released by force, without waiting for '
    || coalesce(audit.list_words(before -> 'obliged'), '') || ': it rests'
    || coalesce(' until ' || audit.time_words(state -> 'quarantineEndMs'), '')`,
  AddressReserved: `(state ->> 'address') || ' of pool ' || (state ->> 'pool') || ' was reserved for '
    || audit.reserved_for_words(state) || ' by reservation ' || (state ->> 'name')`,
  ReservationDeleted: `(state ->> 'address') || ' is no longer reserved for ' || audit.reserved_for_words(state)
    || ': reservation ' || (state ->> 'name') || ' was deleted'`,
  QuotaApplied: `audit.quota_words(state) || ' allows ' || (state #>> '{quota,addresses}') || ' addresses '
    || audit.quota_scope_words(state)`,
  QuotaDeleted: `audit.quota_words(state) || ' of ' || (state #>> '{quota,addresses}') || ' addresses '
    || audit.quota_scope_words(state) || ' was deleted'`,
  VipAdopted: `(state ->> 'address') || ' was taken over as ' || case when state ->> 'phase' = 'assigned'
    then 'held by ' || audit.holder_words(state)
      || ', which the log had lost; it is reserved until they are seen'
    else 'withdrawn, which the log had lost' end`,
  HistoryLost: `'the database has lost history (' || (state ->> 'why') || '): incarnation '
    || (state ->> 'incarnation') || ' begins, and decides nothing before it has asked what speakers hold'`,
  HistoryRecovered: `'incarnation ' || (state ->> 'incarnation') || ' has merged what is remembered: '
    || (state ->> 'adoptedCount') || ' addresses are reserved for who comes back'
    || coalesce('; not heard: ' || audit.list_words(state -> 'without'), '')`,
  ClusterRepublished: `'everything of cluster ' || (state ->> 'cluster')
    || ' is published anew under incarnation ' || coalesce(state ->> 'incarnation', '0')`,
  AuditExported: `case when state #>> '{filter,journal}' is null then (state ->> 'count') || ' events of seq'
      else 'rows of the wire journal of id' end
    || ' ' || (state ->> 'sinceSeq') || ' to ' || (state ->> 'untilSeq') || coalesce((
      select ', those with ' || string_agg(name || ' ' || value, ', ' order by place) || ','
      from json_each_text(state -> 'filter') with ordinality as f (name, value, place) where name <> 'journal'), '')
    || ' were exported as ' || (state ->> 'format')`,
  WireJournalSealed: `'the wire journal until ' || (state ->> 'until') || ' is sealed: ' || (state ->> 'count')
    || ' rows, ids ' || (state ->> 'sinceId') || ' to ' || (state ->> 'untilId') || ', root ' || (state ->> 'root')`
} as const
