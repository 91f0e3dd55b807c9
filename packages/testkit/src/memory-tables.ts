import type {
  Checkpoint,
  Head,
  IntentHeadRow,
  StoredAllocator,
  StoredAuditRead,
  StoredCheckpoint,
  StoredCommandResult,
  StoredCurrent,
  StoredEvent,
  StoredHistory,
  StoredIntent,
  StoredWire
} from "@lowtide/ledger"
import type { TreeNode } from "@lowtide/ledger/proofs/merkle"

/** What the memory ledger holds: one collection for each table of `migrations/schema.sql`. */
export interface MemoryTables {
  head: Head
  events: Array<StoredEvent>
  readonly current: Map<string, StoredCurrent>
  /** By network and address, oldest first. */
  readonly history: Map<string, Array<StoredHistory>>
  readonly intents: Map<string, StoredIntent & { readonly summary?: string | undefined }>
  readonly intentHeads: Map<string, IntentHeadRow>
  readonly results: Map<string, StoredCommandResult>
  readonly wire: Array<StoredWire>
  readonly auditReads: Array<StoredAuditRead>
  readonly checkpoints: Map<string, Checkpoint>
  recoveryOrder: string | null
  readonly allocators: Map<string, Omit<StoredAllocator, "leads">>
  readonly treeNodes: Map<string, TreeNode>
  readonly signedCheckpoints: Map<string, StoredCheckpoint>
}

/** A ledger that was just migrated: epoch 0, seq 0, the first incarnation. */
export const emptyTables = (recordedAt: string): MemoryTables => ({
  head: { incarnation: 1, epoch: 0, seq: 0, commitSeq: 0, recordedAt },
  events: [],
  current: new Map(),
  history: new Map(),
  intents: new Map(),
  intentHeads: new Map(),
  results: new Map(),
  wire: [],
  auditReads: [],
  checkpoints: new Map(),
  recoveryOrder: null,
  allocators: new Map(),
  treeNodes: new Map(),
  signedCheckpoints: new Map()
})

/** A copy as a backup has one: rows do not change, so they are shared. */
export const copyTables = (tables: MemoryTables): MemoryTables => ({
  ...tables,
  events: [...tables.events],
  current: new Map(tables.current),
  history: new Map([...tables.history].map(([key, rows]) => [key, [...rows]])),
  intents: new Map(tables.intents),
  intentHeads: new Map(tables.intentHeads),
  results: new Map(tables.results),
  wire: [...tables.wire],
  auditReads: [...tables.auditReads],
  checkpoints: new Map(tables.checkpoints),
  allocators: new Map(tables.allocators),
  treeNodes: new Map(tables.treeNodes),
  signedCheckpoints: new Map(tables.signedCheckpoints)
})

/** Puts a copy in the place of what the tables hold, under whoever uses them. */
export const restoreTables = (tables: MemoryTables, backup: MemoryTables): void => {
  Object.assign(tables, copyTables(backup))
}
