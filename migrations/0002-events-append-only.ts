import { type Kysely, sql } from "kysely"

/** An event is never changed. Row triggers pass on to partitions by themselves; TRUNCATE's do not, see the next migration. */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create function ledger_refuse_change() returns trigger language plpgsql as $$
    begin
      raise exception 'expected inserts only, found % on %: stored rows never change', tg_op, tg_table_name
        using errcode = 'LT002';
    end $$`.execute(db)
  await sql`
    create trigger events_refuse_change before update or delete on events
      for each row execute function ledger_refuse_change()`.execute(db)
  await sql`
    create trigger events_refuse_truncate before truncate on events
      for each statement execute function ledger_refuse_change()`.execute(db)
}
