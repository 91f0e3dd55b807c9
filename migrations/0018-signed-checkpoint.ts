import { type Kysely, sql } from "kysely"

/** Signed checkpoints, for readers. What they prove rests on the copies outside of this database. */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create table signed_checkpoint (
      incarnation int not null,
      tree_size bigint not null,
      note text not null,
      primary key (incarnation, tree_size)
    )`.execute(db)
  await sql`
    create trigger signed_checkpoint_refuse_change before update or delete on signed_checkpoint
      for each row execute function ledger_refuse_change()`.execute(db)
}
