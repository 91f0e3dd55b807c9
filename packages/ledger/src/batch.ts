import type { HeadPosition } from "./errors.ts"
import type { NewEvent } from "./event.ts"

/** The state of one stream after the batch. */
export interface CurrentRow {
  readonly stream: string
  /** What the stream is about (`vip`, `service`, `pool`), so that a reader knows how to decode `state`. */
  readonly kind: string
  /** Version of the stream's last event in this batch. */
  readonly version: number
  /** Version the stored row has before the batch, tombstones included; 0 when there was never one. Checked by the write. */
  readonly previousVersion: number
  /** Seq of the event that led to this state. */
  readonly seq: number
  /** Version of the state's shape; older ones are brought up on read. */
  readonly schema: number
  /** JSON text, or null when the stream is gone; the row then stays as a tombstone and keeps its version. */
  readonly state: string | null
}

/** A stored state, with the time of the batch that wrote it. */
export interface StoredCurrent extends Omit<CurrentRow, "previousVersion"> {
  readonly recordedAt: string
  /** Whether the state is, octet for octet, what was written, as far as the database can tell; unless it is true, nobody looked. */
  readonly isAsWritten?: boolean
}

/** From event `seq` on the VIP is in this state. Closes the row before it; several a batch and VIP are chained by seq. */
export interface HistoryRow {
  readonly network: string
  readonly address: string
  /** The cluster whose part in a shared address it is; absent for every other VIP. */
  readonly member?: string
  readonly seq: number
  readonly state: string
  readonly pool: string
  /** JSON text: the holders, as the event named them. */
  readonly holders: string
  readonly reasonCode: string
  readonly actor: string
}

/** One stretch of a VIP's history: [fromSeq, toSeq) and [validFrom, validTo); both ends null while it lasts. */
export interface StoredHistory extends Omit<HistoryRow, "seq"> {
  readonly fromSeq: number
  readonly toSeq: number | null
  readonly validFrom: string
  readonly validTo: string | null
}

/** A signed intent as speakers get it: last value per (cluster, subject). */
export interface IntentRow {
  readonly cluster: string
  readonly subject: string
  readonly cseq: number
  readonly seq: number
  /** The signed envelope's text, byte for byte; null removes the row (a withdrawal that everyone confirmed). */
  readonly envelope: string | null
  /** What the next leader has to know of it, so that it need not read the envelope; any text. */
  readonly summary?: string | undefined
}

/** An intent that is in the table. */
export interface StoredIntent extends Omit<IntentRow, "summary"> {
  readonly envelope: string
}

/** An intent as it is loaded: with its summary or, where it was written without one, with the envelope. */
export interface LoadedIntent extends Omit<IntentRow, "summary"> {
  readonly summary: string | null
}

/** Where a cluster's set of intents stands: its last cseq, and the digest and size of the whole set. */
export interface IntentHeadRow {
  readonly cluster: string
  readonly cseq: number
  readonly seq: number
  readonly digest: string
  readonly count: number
  readonly envelope: string
  /** Its messages up to this number are of an earlier incarnation, and not of the set; absent: none are. */
  readonly begunCseq?: number
}

/** What a command led to, kept so that its repeat gets the same answer. */
export interface CommandResultRow {
  readonly commandId: string
  /** First and last event of the command; absent when it decided to nothing. */
  readonly seqFrom?: number | undefined
  readonly seqTo?: number | undefined
  /** JSON text. */
  readonly outcome: string
}

/** A stored result, with the time of the batch that decided it. */
export interface StoredCommandResult extends CommandResultRow {
  readonly recordedAt: string
}

/**
 * All that one group commit writes, or nothing of it. Event `i` gets seq `expected.seq + 1 + i`. A stream, an intent's
 * (cluster, subject), a cluster's head and a command id may stand in it once each.
 */
export interface Batch {
  readonly expected: HeadPosition
  readonly events: ReadonlyArray<NewEvent>
  readonly current: ReadonlyArray<CurrentRow>
  readonly history: ReadonlyArray<HistoryRow>
  readonly intents: ReadonlyArray<IntentRow>
  readonly intentHeads: ReadonlyArray<IntentHeadRow>
  readonly results: ReadonlyArray<CommandResultRow>
}

/** A batch that writes nothing, to spread rows over. */
export const emptyBatch = (expected: HeadPosition): Batch => ({
  expected,
  events: [],
  current: [],
  history: [],
  intents: [],
  intentHeads: [],
  results: []
})

/** Proof that a batch is durable: seq of its last event (unchanged when it had none), its number, its time, its events' leaves. */
export interface Committed {
  readonly seq: number
  readonly commitSeq: number
  readonly recordedAt: string
  readonly leaves: ReadonlyArray<Uint8Array>
}

/** The first key that a batch names twice, or undefined. Such a batch has no meaning: which of the two rows would win? */
export const duplicateKey = (batch: Batch): string | undefined =>
  firstRepeated(batch.current, (row) => `stream ${row.stream}`) ??
  firstRepeated(batch.intents, (row) => `intent ${row.cluster} ${row.subject}`) ??
  firstRepeated(batch.intentHeads, (row) => `intent head ${row.cluster}`) ??
  firstRepeated(batch.results, (row) => `command ${row.commandId}`)

const firstRepeated = <Row>(rows: ReadonlyArray<Row>, keyOf: (row: Row) => string): string | undefined => {
  const seen = new Set<string>()
  for (const row of rows) {
    const key = keyOf(row)
    if (seen.has(key)) return key
    seen.add(key)
  }
  return undefined
}
