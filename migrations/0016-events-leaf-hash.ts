import { type Kysely, sql } from "kysely"

/**
 * The leaf of each event in the Merkle tree, docs/reference/ledger-proofs.md. Events written before get theirs here, from
 * the row as it is stored: the one time that rows of the log are updated, so the trigger that refuses it makes room. The
 * log is rewritten once, about 10 s a million events, in one transaction.
 */
export const up = async (db: Kysely<unknown>) => {
  await sql`alter table events add column leaf_hash bytea`.execute(db)
  await sql`
    create function pg_temp.net(value text) returns text language sql immutable as $$
      select coalesce(octet_length(value) || ':' || value || ',', '-')
    $$`.execute(db)
  await sql`
    create function pg_temp.hex(value text) returns text language sql immutable as $$
      select encode(sha256(convert_to(value, 'UTF8')), 'hex')
    $$`.execute(db)
  await sql`
    create function pg_temp.iso(value timestamptz) returns text language sql immutable as $$
      select to_char(value at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
    $$`.execute(db)
  await sql`drop trigger events_refuse_change on events`.execute(db)
  await sql`
    update events set leaf_hash = sha256('\\x00'::bytea || convert_to(
      pg_temp.net(seq::text) || pg_temp.net(epoch::text) || pg_temp.net(commit_seq::text) || pg_temp.net(event_id::text)
      || pg_temp.net(pg_temp.iso(recorded_at)) || pg_temp.net(pg_temp.hex(
        pg_temp.net(stream) || pg_temp.net(version::text) || pg_temp.net(type) || pg_temp.net(schema::text)
        || pg_temp.net(pg_temp.iso(observed_at)) || pg_temp.net(network) || pg_temp.net(host(address))
        || pg_temp.net(pool) || pg_temp.net(cluster) || pg_temp.net(namespace) || pg_temp.net(service)
        || pg_temp.net(service_uid) || pg_temp.net(actor) || pg_temp.net(actor_kind) || pg_temp.net(command_id::text)
        || pg_temp.net(correlation_id::text) || pg_temp.net(causation_seq::text) || pg_temp.net(reason_code)
        || pg_temp.net(pg_temp.hex(data::text)) || pg_temp.net(pg_temp.hex(meta::text)))), 'UTF8'))`.execute(db)
  await sql`
    create trigger events_refuse_change before update or delete on events
      for each row execute function ledger_refuse_change()`.execute(db)
  await sql`alter table events alter column leaf_hash set not null`.execute(db)
}
