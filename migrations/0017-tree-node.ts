import { type Kysely, sql } from "kysely"

/**
 * Roots of complete subtrees of the Merkle tree, 256 leaves each at level 1, 65,536 at level 2 and so on; level 0 is
 * `events.leaf_hash`. With them a leader goes on, and proofs are made, from a few hundred hashes. They follow from the
 * leaves: whichever are missing, the next leader adds.
 */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create table tree_node (
      level smallint not null,
      index bigint not null,
      hash bytea not null,
      primary key (level, index)
    )`.execute(db)
  await sql`
    create trigger tree_node_refuse_change before update or delete on tree_node
      for each row execute function ledger_refuse_change()`.execute(db)
}
