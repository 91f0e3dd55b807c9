import { type Kysely, sql } from "kysely"

/** What speakers told routers. Not part of the log: rows are never changed, but old ones may be removed. */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create table wire_journal (
      id bigserial primary key,
      recorded_at timestamptz not null,
      cluster text not null,
      network text,
      address inet,
      stamp_incarnation int,
      stamp_epoch int,
      stamp_seq bigint,
      kind text not null,
      node text,
      peer text,
      detail json not null
    )`.execute(db)
  await sql`create index wire_journal_vip on wire_journal (network, address, id) where address is not null`.execute(db)
  await sql`create index wire_journal_session on wire_journal (peer, id) where kind = 'session'`.execute(db)
  await sql`create index wire_journal_cluster on wire_journal (cluster, id)`.execute(db)
  await sql`
    create trigger wire_journal_refuse_change before update on wire_journal
      for each row execute function ledger_refuse_change()`.execute(db)
}
