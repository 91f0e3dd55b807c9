import { type Kysely, sql } from "kysely"

/**
 * The one ordered log. `seq` is assigned by the fenced leader, so there is no sequence and there are no gaps. Payloads
 * are `json`, not `jsonb`: their bytes must survive. `service_uid` is text, since Kubernetes defines uids as opaque.
 */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create table events (
      seq bigint not null,
      epoch int not null,
      commit_seq bigint not null,
      event_id uuid not null,
      stream text not null,
      version int not null,
      type text not null,
      schema smallint not null,
      recorded_at timestamptz not null,
      observed_at timestamptz,
      network text,
      address inet,
      pool text,
      cluster text,
      namespace text,
      service text,
      service_uid text,
      actor text not null,
      actor_kind text not null,
      command_id uuid not null,
      correlation_id uuid not null,
      causation_seq bigint,
      reason_code text not null,
      data json not null,
      meta json not null,
      primary key (seq)
    ) partition by range (seq)`.execute(db)
  await sql`create unique index events_stream_version_seq on events (stream, version, seq)`.execute(db)
  await sql`create index events_address_seq on events (address, seq desc) where address is not null`.execute(db)
  await sql`create index events_actor_seq on events (actor, seq desc)`.execute(db)
  await sql`create index events_correlation_id on events (correlation_id)`.execute(db)
  await sql`create index events_service_seq on events (cluster, namespace, service, seq desc)`.execute(db)
  await sql`create index events_pool_seq on events (pool, seq desc) where pool is not null`.execute(db)
  await sql`create index events_recorded_at on events using brin (recorded_at) with (pages_per_range = 32)`.execute(db)
}
