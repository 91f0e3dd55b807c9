import { Data, Effect } from "effect"
import { type Kysely, sql } from "kysely"
import { ask } from "./database.ts"
import type { Unavailable } from "./errors.ts"
import type { Ledger } from "./ledger.ts"
import { foldComplete, type HashSource, type TreeNode } from "./proofs/merkle.ts"
import type { LedgerTables } from "./tables.ts"

/** A signed checkpoint as the database keeps it, for readers. */
export interface StoredCheckpoint {
  readonly incarnation: number
  readonly treeSize: number
  /** The signed note. */
  readonly note: string
}

/** The tree is not whole: rows that it stands on are gone. */
export class TreeDamaged extends Data.TaggedError("TreeDamaged")<{ readonly detail: string }> {
  override get message() {
    return `the ledger's tree: ${this.detail}`
  }
}

/** The port's questions about the tree. */
export const makeTree = (db: Kysely<LedgerTables>) => ({
  treeHashes: Effect.fn("Ledger.treeHashes")((level: number, from: number, count: number) =>
    ask("treeHashes", () =>
      level === 0
        ? sql<{ readonly index: number; readonly hash: Uint8Array }>`
            select seq - 1 as index, leaf_hash as hash from events where seq > ${from} and seq <= ${from + count}
            union all
            -- The last leaves of a segment that is in its archive alone.
            select index, hash from tree_node n where level = 0 and index >= ${from} and index < ${from + count}
              and not exists (select from events where seq = n.index + 1)
            order by index`.execute(db)
        : sql<{ readonly index: number; readonly hash: Uint8Array }>`
            select index, hash from tree_node
            where level = ${level} and index >= ${from} and index < ${from + count} order by index`.execute(db)
    ).pipe(Effect.map(({ rows }) => rows.map((row): TreeNode => ({ level, ...row }))))
  ),
  treeNodeCount: Effect.fn("Ledger.treeNodeCount")((level: number) =>
    ask("treeNodeCount", () =>
      sql<{ readonly count: number }>`
        select coalesce(max(index) + 1, 0) as count from tree_node where level = ${level}`.execute(db)
    ).pipe(Effect.map(({ rows: [row] }) => row?.count ?? 0))
  ),
  saveTreeNodes: Effect.fn("Ledger.saveTreeNodes")((nodes: ReadonlyArray<TreeNode>) =>
    nodes.length === 0
      ? Effect.void
      : Effect.asVoid(
          ask("saveTreeNodes", () =>
            db
              .insertInto("tree_node")
              .values(nodes.map((node) => ({ ...node, hash: Buffer.from(node.hash) })))
              .onConflict((conflict) => conflict.doNothing())
              .execute()
          )
        )
  ),
  saveSignedCheckpoint: Effect.fn("Ledger.saveSignedCheckpoint")(({ incarnation, treeSize, note }: StoredCheckpoint) =>
    Effect.asVoid(
      ask("saveSignedCheckpoint", () =>
        db
          .insertInto("signed_checkpoint")
          .values({ incarnation, tree_size: treeSize, note })
          .onConflict((conflict) => conflict.doNothing())
          .execute()
      )
    )
  ),
  signedCheckpoints: Effect.fn("Ledger.signedCheckpoints")(
    ({ sinceSize = 0, limit, order }: CheckpointFilter): Effect.Effect<ReadonlyArray<StoredCheckpoint>, Unavailable> =>
      ask("signedCheckpoints", () =>
        db
          .selectFrom("signed_checkpoint")
          .selectAll()
          .where("tree_size", ">=", sinceSize)
          .orderBy("incarnation", order)
          .orderBy("tree_size", order)
          .limit(limit)
          .execute()
      ).pipe(
        Effect.map((rows) =>
          rows.map(({ incarnation, tree_size, note }) => ({ incarnation, treeSize: tree_size, note }))
        )
      )
  )
})

/** Which stored checkpoints to read, by incarnation and size. */
export interface CheckpointFilter {
  /** Those over at least so many events. */
  readonly sinceSize?: number | undefined
  readonly limit: number
  readonly order: "asc" | "desc"
}

/** The stored hashes as proofs need them: all that are asked for, or the tree is damaged. */
export const treeSource =
  (ledger: Ledger["Service"]): HashSource<Unavailable | TreeDamaged> =>
  (level, from, count) =>
    ledger.treeHashes(level, from, count).pipe(
      Effect.flatMap((nodes) => {
        const missing = nodes.findIndex(({ index }, position) => index !== from + position)
        const index = from + (missing < 0 ? nodes.length : missing)
        if (nodes.length === count && missing < 0) return Effect.succeed(nodes.map(({ hash }) => hash))
        const what = level === 0 ? `event ${index + 1}` : `node ${index} of level ${level}`
        return Effect.fail(new TreeDamaged({ detail: `expected ${what}, found none` }))
      })
    )

/** Hashes of a stored level that make one of the next. */
const fanout = 256

/** Nodes that are computed before they are written. */
const nodesAtOnce = 200

/**
 * Adds the stored nodes that a tree of `size` leaves must have and lacks: those of a batch whose leader ended before it
 * wrote them, or all of a log that had none. Reads only what is above the newest node of each level.
 */
export const completeTree = Effect.fn("completeTree")(function* (ledger: Ledger["Service"], size: number) {
  const source = treeSource(ledger)
  for (let level = 1, width = fanout; width <= size; level += 1, width *= fanout) {
    const wanted = Math.floor(size / width)
    for (let index = yield* ledger.treeNodeCount(level); index < wanted; ) {
      const until = Math.min(wanted, index + nodesAtOnce)
      const nodes: Array<TreeNode> = []
      for (; index < until; index += 1) {
        nodes.push({ level, index, hash: foldComplete(yield* source(level - 1, index * fanout, fanout)) })
      }
      yield* ledger.saveTreeNodes(nodes)
    }
  }
})
