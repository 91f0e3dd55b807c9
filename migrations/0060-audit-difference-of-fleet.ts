import { type Kysely, sql } from "kysely"

/** Differences tell of the Fleet object and of orders that wait for approval as well: see 0045-audit-questions. */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create or replace function audit.kind_words(state json) returns text language sql immutable as $$
      select case state ->> '_tag' when 'Vip' then 'address' when 'Service' then 'service' when 'Node' then 'node'
        when 'Namespace' then 'namespace' when 'Cluster' then 'cluster' when 'Findings' then 'finding'
        when 'Manifest' then 'configuration' when 'Reservation' then 'configuration' when 'Quota' then 'configuration'
        when 'SharedAddress' then 'configuration' when 'AddressPool' then 'configuration'
        when 'FleetSettings' then 'configuration' when 'Approval' then 'approval' end
    $$`.execute(db)
  await sql`
    create or replace function audit.stream_words(state json) returns text language sql immutable as $$
      select case state ->> '_tag'
        when 'Vip' then (state ->> 'network') || '/' || (state ->> 'address')
        when 'Service' then (state #>> '{service,namespace}') || '/' || (state #>> '{service,name}')
        when 'Node' then state #>> '{node,name}'
        when 'Namespace' then state #>> '{namespace,name}'
        when 'Cluster' then state ->> 'cluster'
        when 'Approval' then state ->> 'id'
        when 'Manifest' then concat_ws('/', state #>> '{manifest,kind}', coalesce(state #>> '{manifest,namespace}', ''),
          state #>> '{manifest,name}')
        when 'Findings' then concat_ws('/', state #>> '{object,kind}', coalesce(state #>> '{object,namespace}', ''),
          state #>> '{object,name}')
        when 'FleetSettings' then 'Fleet//' || (state ->> 'name')
        else (state ->> '_tag') || '//' || coalesce(state ->> 'name', state #>> '{quota,name}', state #>> '{shared,name}',
          state #>> '{pool,name}') end
    $$`.execute(db)
}
