import type { RowKeeper } from "@lowtide/domain"
import { Context, type Effect, type Option } from "effect"
import type { AllocatorReport, StoredAllocator } from "./allocators.ts"
import type { AuditRead, AuditReadFilter, StoredAuditRead } from "./audit-reads.ts"
import type {
  Batch,
  Committed,
  IntentHeadRow,
  LoadedIntent,
  StoredCommandResult,
  StoredCurrent,
  StoredHistory,
  StoredIntent
} from "./batch.ts"
import type { Fenced, HeadPosition, ProjectionConflict, Unavailable } from "./errors.ts"
import type { EventFilter, EventSelection, StoredChange, StoredEvent, StoredEventType } from "./event.ts"
import type { TreeNode } from "./proofs/merkle.ts"
import type { ReplayCheck, ReplayDifference, ReplayPage, ReplayStanding, ReplayWalk } from "./replay.ts"
import type { CheckpointFilter, StoredCheckpoint } from "./tree.ts"
import type { Checkpoint, CheckpointMove, StoredWire, WireAt, WireFilter, WireRow } from "./wire.ts"

/** Seqs of one partition, both inclusive. */
export interface PartitionRange {
  readonly fromSeq: number
  readonly toSeq: number
}

/** Where the log ends. */
export interface Head extends HeadPosition {
  /** Rises with each loss of history. */
  readonly incarnation: number
  readonly commitSeq: number
  readonly recordedAt: string
}

/** Takes what a leader, or a follower, starts with, row by row, the head first, from one instant of the database. */
export interface LoadTaker {
  readonly head: (head: Head) => void
  /**
   * The newest state of every stream, in no order. Tombstones are included, their versions are still needed. While a row is being
   * taken, the keeper keeps it where it came to.
   */
  readonly current: (row: StoredCurrent, keeper: RowKeeper) => void
  /** What is published; not read unless it is taken. */
  readonly intentHead?: (row: IntentHeadRow) => void
  /** Some of a cluster's messages at a time, taken apart when they are gone through. */
  readonly intents?: (cluster: string, rows: Iterable<LoadedIntent>) => void
}

/** The same, all of it at once. */
export interface Loaded {
  readonly head: Head
  readonly current: ReadonlyArray<StoredCurrent>
  readonly intents: ReadonlyArray<LoadedIntent>
  readonly intentHeads: ReadonlyArray<IntentHeadRow>
}

/** A message in effect as it was signed. */
export interface SignedText {
  readonly cluster: string
  readonly subject: string
  readonly cseq: number
  readonly envelope: string
}

/** The same payload by another signature, for a message, or for a cluster's head, which has no subject. */
export interface NewSignature {
  readonly cluster: string
  readonly subject: string | null
  /** The text in whose place it comes. */
  readonly former: string
  readonly envelope: string
}

/** The one ordered log with the views that are written in the same transaction. Written by the leader alone. */
export class Ledger extends Context.Service<
  Ledger,
  {
    /**
     * Writes the whole batch or nothing, and answers after it is durable. One at a time: the next batch expects the
     * head that this one leaves. Not interruptible, since a batch that was sent may be stored. Dies on a batch that
     * names one key twice.
     */
    readonly append: (batch: Batch) => Effect.Effect<Committed, Fenced | Unavailable | ProjectionConflict>
    /** Reads the state at the head: no replay. When it fails, a part may have been taken. */
    readonly load: (take: LoadTaker) => Effect.Effect<void, Unavailable>
    /**
     * Takes the lease when it has expired by the database's clock: a new epoch, at the log's head as well. Waits for
     * the batch that the former leader may have in flight. `None`: somebody holds it.
     */
    readonly acquireLease: (
      holder: string,
      ttlMs: number
    ) => Effect.Effect<Option.Option<{ readonly epoch: number }>, Unavailable>
    /** False when the lease has expired or another epoch holds it: stop deciding. */
    readonly renewLease: (epoch: number, ttlMs: number) => Effect.Effect<boolean, Unavailable>
    /** Lets the next one take over at once; nothing happens when `epoch` no longer holds the lease. */
    readonly releaseLease: (epoch: number) => Effect.Effect<void, Unavailable>
    /**
     * Raises the log's incarnation to `atLeast`, for the leader of that epoch, and takes off an order to recover, which is
     * being carried out then. Nothing happens when another epoch leads.
     */
    readonly raiseIncarnation: (epoch: number, atLeast: number) => Effect.Effect<void, Unavailable>
    /** Why the next leader is to recover whatever it finds: this database was restored. Null when it was not. */
    readonly recoveryOrder: Effect.Effect<string | null, Unavailable>
    /** Has the next leader recover. */
    readonly orderRecovery: (why: string) => Effect.Effect<void, Unavailable>
    /** Says that an allocator runs, where it answers and how far it has read. One not heard of for an hour is forgotten. */
    readonly reportAllocator: (report: AllocatorReport) => Effect.Effect<void, Unavailable>
    /** Takes an allocator that ends off the list. */
    readonly forgetAllocator: (id: string) => Effect.Effect<void, Unavailable>
    /** Allocators that said lately that they run, by name; at most one of them leads. */
    readonly allocators: Effect.Effect<ReadonlyArray<StoredAllocator>, Unavailable>
    /** The cluster's intents that came after `cseq`, in the order of their cseq; for filling a cable that lost some. */
    readonly intentsSince: (cluster: string, cseq: number) => Effect.Effect<ReadonlyArray<StoredIntent>, Unavailable>
    readonly intentHeads: Effect.Effect<ReadonlyArray<IntentHeadRow>, Unavailable>
    /** How many of the messages in effect, heads included, each key has signed, by the key's id. */
    readonly signedBy: Effect.Effect<ReadonlyMap<string, number>, Unavailable>
    /**
     * Under which subjects one of these keys has signed the cluster's messages in effect after a number, in the order of their
     * numbers; at most so many.
     */
    readonly subjectsSignedBy: (
      keyIds: ReadonlyArray<string>,
      of: { readonly cluster: string; readonly sinceCseq: number; readonly limit: number }
    ) => Effect.Effect<ReadonlyArray<Pick<SignedText, "subject" | "cseq">>, Unavailable>
    /** The cluster's messages in effect under these subjects as they were signed, in the order of their numbers. */
    readonly signedTexts: (
      cluster: string,
      subjects: ReadonlyArray<string>
    ) => Effect.Effect<ReadonlyArray<SignedText>, Unavailable>
    /**
     * Puts texts in the place of those that say the same by another signature, for the leader of that epoch; where one is another
     * by now it stays. Answers whether it leads.
     */
    readonly signAnew: (epoch: number, signatures: ReadonlyArray<NewSignature>) => Effect.Effect<boolean, Unavailable>
    readonly commandResult: (commandId: string) => Effect.Effect<Option.Option<StoredCommandResult>, Unavailable>
    readonly events: (filter: EventFilter) => Effect.Effect<ReadonlyArray<StoredEvent>, Unavailable>
    /** Events from a seq on, in their order, as far as they change the state; at most so many. */
    readonly changes: (sinceSeq: number, limit: number) => Effect.Effect<ReadonlyArray<StoredChange>, Unavailable>
    /** Whether there is one; ends with the first that is found, and costs as much as the index of what is named. */
    readonly hasEvent: (selection: EventSelection) => Effect.Effect<boolean, Unavailable>
    readonly countEvents: (selection: EventSelection) => Effect.Effect<number, Unavailable>
    /** Who has written events that are there, by name, at most so many; each costs one look into an index. */
    readonly actors: (limit: number) => Effect.Effect<ReadonlyArray<string>, Unavailable>
    /** The newest state of one stream, also where its events are in an archive; null of a stream that never was. */
    readonly streamState: (stream: string) => Effect.Effect<StoredCurrent | null, Unavailable>
    /** Which types of events the log holds, in which versions, in the order in which they came. */
    readonly eventTypes: Effect.Effect<ReadonlyArray<StoredEventType>, Unavailable>
    /** The stretch of history that `at` (ISO 8601) falls into, or null when the ledger knew nothing of that VIP then. */
    readonly holderAt: (query: {
      readonly network: string
      readonly address: string
      readonly at: string
    }) => Effect.Effect<StoredHistory | null, Unavailable>
    /** All stretches of one VIP, oldest first. */
    readonly history: (query: {
      readonly network: string
      readonly address: string
    }) => Effect.Effect<ReadonlyArray<StoredHistory>, Unavailable>
    readonly head: Effect.Effect<Head, Unavailable>
    /** Makes partitions ahead of `seq`, the one it is in and two more; answers the last seq that has a place. */
    readonly ensurePlaces: (seq: number) => Effect.Effect<number, Unavailable>
    /** The partitions of the log, the oldest first, those without an event yet included. */
    readonly partitions: Effect.Effect<ReadonlyArray<PartitionRange>, Unavailable>
    /** The first event that the database has; undefined for a log without any. */
    readonly firstEvent: Effect.Effect<StoredEvent | undefined, Unavailable>
    /**
     * Drops a partition whose events the log says to be archived as they are. False when there is none with these bounds, as
     * after the answer to a first call was lost.
     */
    readonly dropSegment: (range: PartitionRange) => Effect.Effect<boolean, Unavailable>
    /** Removes rows of the wire journal up to an id that the log says to be removed, some at once; answers how many. */
    readonly dropWire: (untilId: number, limit: number) => Effect.Effect<number, Unavailable>
    /** Removes results of commands recorded before a moment (ISO 8601), at most so many; answers how many. */
    readonly dropCommandResults: (before: string, limit: number) => Effect.Effect<number, Unavailable>
    /** The last seq that has a place, without making any; one less than `seq` where that has none. */
    readonly placesUntil: (seq: number) => Effect.Effect<number, Unavailable>
    /** Seq of the last event recorded at or before `at` (ISO 8601); 0 when there was none. */
    readonly headAt: (at: string) => Effect.Effect<number, Unavailable>
    /**
     * The state of every stream after event `seq`, in the order of the events that led to it: what `load` would have
     * answered then. Costs one look-up for each stream that has changed since.
     */
    readonly stateAt: (seq: number) => Effect.Effect<ReadonlyArray<StoredCurrent>, Unavailable>
    /** The database's clock, ISO 8601. */
    readonly now: Effect.Effect<string, Unavailable>
    /**
     * Appends to the wire journal, and moves the reader's checkpoint in the same transaction. False, and nothing is written,
     * when the checkpoint is not where it is to move from: another reader was there, or this very call, whose answer was lost.
     */
    readonly appendWire: (rows: ReadonlyArray<WireRow>, move?: CheckpointMove) => Effect.Effect<boolean, Unavailable>
    readonly wire: (filter: WireFilter) => Effect.Effect<ReadonlyArray<StoredWire>, Unavailable>
    /** That somebody asked something of the record. Any allocator writes it, whether it leads or not. */
    readonly recordRead: (read: AuditRead) => Effect.Effect<void, Unavailable>
    /** Removes questions asked before a moment (ISO 8601), the oldest first, at most so many; answers how many. Fails for those of the last 30 days. */
    readonly dropReads: (before: string, limit: number) => Effect.Effect<number, Unavailable>
    /** How many there are at most: from the lowest id to the highest. */
    readonly countReads: Effect.Effect<number, Unavailable>
    readonly auditReads: (filter: AuditReadFilter) => Effect.Effect<ReadonlyArray<StoredAuditRead>, Unavailable>
    /** The newest rows about some VIPs and sessions that were written at or before a moment; any order. */
    readonly wireAt: (query: WireAt) => Effect.Effect<ReadonlyArray<StoredWire>, Unavailable>
    /** The highest version's checkpoint of that name. */
    readonly checkpoint: (name: string) => Effect.Effect<Option.Option<Checkpoint>, Unavailable>
    readonly saveCheckpoint: (checkpoint: Checkpoint) => Effect.Effect<void, Unavailable>
    /** Compares a page of what is written with the log to the log itself. Begins where the page before ended. */
    readonly replayPage: (
      walk: ReplayWalk,
      after: string | null,
      limit: number
    ) => Effect.Effect<ReplayPage, Unavailable>
    /** Compares the current states of these streams. */
    readonly replayStreams: (
      streams: ReadonlyArray<string>
    ) => Effect.Effect<ReadonlyArray<ReplayDifference>, Unavailable>
    /** Keeps differences for everybody to see. */
    readonly saveReplayFindings: (differences: ReadonlyArray<ReplayDifference>) => Effect.Effect<void, Unavailable>
    /** A comparison has got to its end: what it did not find again is forgotten. */
    readonly endReplay: (check: Omit<ReplayCheck, "finishedAt">) => Effect.Effect<void, Unavailable>
    readonly replayStanding: Effect.Effect<ReplayStanding, Unavailable>
    /** Stored hashes of the Merkle tree, `count` from an index on as far as they are there; level 0 is the events' leaves. */
    readonly treeHashes: (
      level: number,
      from: number,
      count: number
    ) => Effect.Effect<ReadonlyArray<TreeNode>, Unavailable>
    /** How far the stored nodes of a level reach, from 1 on. */
    readonly treeNodeCount: (level: number) => Effect.Effect<number, Unavailable>
    /** Keeps roots of complete subtrees. Those that are there stay as they are. */
    readonly saveTreeNodes: (nodes: ReadonlyArray<TreeNode>) => Effect.Effect<void, Unavailable>
    readonly saveSignedCheckpoint: (checkpoint: StoredCheckpoint) => Effect.Effect<void, Unavailable>
    readonly signedCheckpoints: (
      filter: CheckpointFilter
    ) => Effect.Effect<ReadonlyArray<StoredCheckpoint>, Unavailable>
  }
>()("@lowtide/ledger/Ledger") {}
