import { type Kysely, sql } from "kysely"

/**
 * Questions to the record may go once they are old; those of the last 30 days stay, whoever wants them gone. They are asked for in the
 * order of time, which has an index, alone and of an actor.
 */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create function ledger_refuse_young_read() returns trigger language plpgsql as $$
    begin
      if old.read_at > clock_timestamp() - interval '30 days' then
        raise exception 'expected questions of 30 days ago or before, found one of %: younger ones stay', old.read_at
          using errcode = 'LT002';
      end if;
      return old;
    end $$`.execute(db)
  await sql`drop trigger audit_read_refuse_change on audit_read`.execute(db)
  await sql`
    create trigger audit_read_refuse_change before update on audit_read
      for each row execute function ledger_refuse_change()`.execute(db)
  await sql`
    create trigger audit_read_refuse_young before delete on audit_read
      for each row execute function ledger_refuse_young_read()`.execute(db)
  await sql`
    create function ledger_drop_reads(until timestamptz, at_most int) returns int
    language plpgsql security definer set search_path to public, pg_temp as $$
    declare
      dropped int;
    begin
      delete from audit_read where id in (
        select id from audit_read where read_at < until order by read_at, id limit at_most);
      get diagnostics dropped = row_count;
      return dropped;
    end $$`.execute(db)
  await sql`revoke execute on function ledger_drop_reads(timestamptz, int) from public`.execute(db)
  await sql`drop index audit_read_actor`.execute(db)
  await sql`drop index audit_read_time`.execute(db)
  await sql`create index audit_read_actor on audit_read (actor, read_at, id)`.execute(db)
  await sql`create index audit_read_time on audit_read (read_at, id)`.execute(db)
}
