/**
 * The ledger: one ordered log of events, and the views of it that are written in the same transaction (current state
 * of every stream, history of every VIP, signed intents, answers to commands). One fenced leader writes; see
 * `Ledger.append` for what a batch may expect, and `makeGroupCommit` for how many commands share one.
 *
 * The events are the leaves of an RFC 6962 Merkle tree. `proofs/` has the tree, signed checkpoints and proofs, which need
 * no database: import what of it is wanted by its path.
 *
 * `ledgerPostgres` is the live Layer, `migrate` prepares its database; the memory Layer is in `@lowtide/testkit`.
 */

export type { AllocatorReport, StoredAllocator } from "./allocators.ts"
export { noPlace } from "./append.ts"
export type { AuditRead, AuditReadFilter, StoredAuditRead } from "./audit-reads.ts"
export * from "./batch.ts"
export * from "./errors.ts"
export * from "./event.ts"
export { grantAllocator } from "./grant.ts"
export * from "./group-commit.ts"
export * from "./ledger.ts"
export { loadWhole } from "./load.ts"
export { migrate } from "./migrate.ts"
export { ledgerPostgres } from "./postgres.ts"
export {
  type ReplayCheck,
  type ReplayDifference,
  type ReplayFinding,
  type ReplayPage,
  type ReplayStanding,
  type ReplayWalk,
  replayWalks,
  walkReplay
} from "./replay.ts"
export { contentDigest } from "./replay-messages.ts"
export { type CheckpointFilter, completeTree, type StoredCheckpoint, TreeDamaged, treeSource } from "./tree.ts"
export * from "./wire.ts"
