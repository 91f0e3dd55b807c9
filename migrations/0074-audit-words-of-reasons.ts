import { type Kysely, sql } from "kysely"

/**
 * A sentence that its event's reason is a part of: nodes that are no longer awaited were retired, or have confirmed. What
 * `audit.event_words` says of both is the same, since the reason is no part of an event's state.
 */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create function audit.reason_words(type text, reason text) returns text language sql immutable as $$
      select case when type = 'VipObligationLifted' then case reason
        when 'node-retired' then ', which a person retired'
        when 'withdrawal-confirmed' then ', which confirmed its withdrawal' end end
    $$`.execute(db)
  await sql`
    comment on function audit.reason_words is 'The end of the sentence of an event, where its reason is a part of it'`.execute(
    db
  )
  await sql`
    create or replace view audit.events as
    select seq, recorded_at, observed_at, type, reason_code as reason, actor, actor_kind, cluster, namespace, service,
      network, address, pool,
      audit.event_words(type, stream, cluster || ' ' || namespace || '/' || service, audit.readable(data))
        || coalesce(audit.reason_words(type, reason_code), '') as what,
      audit.readable(meta) ->> 'words' as words,
      coalesce(audit.readable(data) #>> '{after,refusal,code}', audit.readable(data) #>> '{after,findings,0,code}') as code,
      stream, version, correlation_id, command_id, event_id, audit.readable(data) -> 'before' as before,
      audit.readable(data) -> 'after' as after
    from public.events`.execute(db)
}
