import { type Kysely, sql } from "kysely"

/** Who asked what of the record. Not part of the log: followers answer questions as well, and have one writer to wait for. */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create table audit_read (
      id bigserial primary key,
      read_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()),
      actor text not null,
      is_authenticated boolean not null,
      question text not null,
      position bigint not null
    )`.execute(db)
  await sql`create index audit_read_actor on audit_read (actor, id)`.execute(db)
  await sql`create index audit_read_time on audit_read (read_at)`.execute(db)
  await sql`
    create trigger audit_read_refuse_change before update or delete on audit_read
      for each row execute function ledger_refuse_change()`.execute(db)
  await sql`
    create trigger audit_read_refuse_truncate before truncate on audit_read
      for each statement execute function ledger_refuse_change()`.execute(db)
  await sql`create view audit.reads as select id, read_at, actor, is_authenticated, question, position from public.audit_read`.execute(
    db
  )
  await sql`
    comment on view audit.reads is 'Who asked what of the record over HTTP; exports are events of type AuditExported'`.execute(
    db
  )
}
