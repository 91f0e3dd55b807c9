/**
 * The ledger: one ordered log of events, and the views of it that are written in the same transaction (current state
 * of every stream, history of every VIP, signed intents, answers to commands). One fenced leader writes; see
 * `Ledger.append` for what a batch may expect, and `makeGroupCommit` for how many commands share one.
 *
 * `ledgerPostgres` is the live Layer, `migrate` prepares its database; the memory Layer is in `@lowtide/testkit`.
 */
export type { AllocatorReport, StoredAllocator } from "./allocators.ts"
export * from "./batch.ts"
export * from "./errors.ts"
export * from "./event.ts"
export { grantAllocator } from "./grant.ts"
export * from "./group-commit.ts"
export * from "./ledger.ts"
export { migrate } from "./migrate.ts"
export { ledgerPostgres } from "./postgres.ts"
export * from "./wire.ts"
