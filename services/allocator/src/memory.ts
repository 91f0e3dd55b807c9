import { SetDigest } from "@lowtide/bus/digest"
import {
  type DecisionContext,
  Fleet,
  firstFleetVersion,
  IntentBook,
  type MessageSummary,
  type NumberedMessage,
  type RowKeeper,
  StateMessage,
  type StoredMessage,
  type StreamVersions,
  streamOf,
  type Unreadable,
  vipKey
} from "@lowtide/domain"
import {
  type Batch,
  type Committed,
  contentDigest,
  type Head,
  type IntentHeadRow,
  Ledger,
  type LoadedIntent,
  type StoredCurrent,
  type Unavailable
} from "@lowtide/ledger"
import { Effect, Schema } from "effect"
import { monotonicMs } from "./monotonic-clock.ts"
import type { Republication } from "./republication.ts"

/**
 * What the leader decides on: the fleet, the messages in effect and the log's head. It is all or nothing: after any
 * failure to commit it is thrown away and loaded again, never mended.
 */
export interface Memory {
  readonly fleet: Fleet
  readonly book: IntentBook
  readonly digests: Map<string, SetDigest>
  /** By cluster, up to which number its messages are of an earlier incarnation; absent where none are. */
  readonly begunCseqs: Map<string, number>
  /** By cluster, what is left of publishing it anew, where that was begun or looked for. */
  readonly republications: Map<string, Republication>
  /** Up to which of its cluster's messages a node has confirmed withdrawals, by `cluster/node`. */
  readonly confirmed: Map<string, number>
  /** When the newest event of a stream was recorded, ISO 8601, and its seq. */
  readonly recordedAt: RecordedTimes
  head: Head
  /** The database's clock minus this process's monotonic one, in milliseconds, when it was loaded. */
  readonly clockOffsetMs: number
}

/** Below every incarnation: of which one a message is that is of an earlier one, nobody has to know. */
const beforeAll = -1

/** Loads the state at the head: no replay. What is made of a row is made when it arrives. */
export const loadMemory: Effect.Effect<Memory, Unavailable | Unreadable, Ledger> = Effect.gen(function* () {
  const ledger = yield* Ledger
  const databaseNow = Date.parse(yield* ledger.now)
  const localNow = yield* monotonicMs
  const restored = new RestoredFleet()
  const book = new IntentBook(contentDigest)
  const digests = new Map<string, SetDigest>()
  const begunCseqs = new Map<string, number>()
  const { fleet, recordedAt } = restored
  const heads: Array<IntentHeadRow> = []
  const intents: Array<readonly [cluster: string, rows: Iterable<LoadedIntent>]> = []
  yield* ledger.load({
    head: restored.takeHead,
    current: restored.take,
    intentHead: (head) => heads.push(head),
    intents: (...some) => intents.push(some)
  })
  yield* restored.end
  /** What a frozen cluster's messages were published under is over. */
  const incarnationOf = (cluster: string) =>
    fleet.recovery === undefined ? restored.head.incarnation : (fleet.clusters.get(cluster)?.incarnation ?? 0)
  for (const { cluster, cseq, digest, count, begunCseq } of heads) {
    if (begunCseq !== undefined) begunCseqs.set(cluster, begunCseq)
    book.restoreCseq(cluster, cseq)
    if (incarnationOf(cluster) === restored.head.incarnation) digests.set(cluster, new SetDigest(digest, count))
  }
  for (const [cluster, rows] of intents) {
    book.restore(cluster, loadedMessages(rows, begunCseqs.get(cluster) ?? 0, incarnationOf(cluster)))
  }
  return {
    fleet,
    book,
    digests,
    begunCseqs,
    republications: new Map(),
    confirmed: new Map(),
    recordedAt,
    head: restored.head,
    clockOffsetMs: databaseNow - localNow
  }
})

/** Of the newest committed event of each stream its seq, and when it was recorded, ISO 8601. */
export class RecordedTimes {
  readonly #loaded: Pick<StreamVersions, "recordedAt" | "seqOf">
  readonly #since = new Map<string, { readonly seq: number; readonly recordedAt: string }>()

  constructor(loaded: Pick<StreamVersions, "recordedAt" | "seqOf">) {
    this.#loaded = loaded
  }

  get(stream: string): string | undefined {
    return this.#since.get(stream)?.recordedAt ?? this.#loaded.recordedAt(stream)
  }

  seqOf(stream: string): number | undefined {
    return this.#since.get(stream)?.seq ?? this.#loaded.seqOf(stream)
  }

  set(stream: string, seq: number, recordedAt: string): void {
    this.#since.set(stream, { seq, recordedAt })
  }
}

/** Lets the memory know what was committed of what it had decided. */
export const noteCommitted = (
  memory: Memory,
  { expected, events }: Batch,
  { seq, commitSeq, recordedAt }: Omit<Committed, "leaves">
): void => {
  memory.head = { ...memory.head, seq, commitSeq, recordedAt }
  for (const [index, { stream }] of events.entries())
    memory.recordedAt.set(stream, expected.seq + 1 + index, recordedAt)
}

/**
 * The fleet that stored states amount to, and when the newest event of each stream was recorded. What the fleet does not keep
 * as it comes is restored in the order of its events, when all has come.
 */
export class RestoredFleet {
  readonly fleet = new Fleet()
  readonly recordedAt = new RecordedTimes(this.fleet.versions)
  #head: Head | undefined
  readonly #rest: Array<StoredCurrent> = []

  get head(): Head {
    if (this.#head === undefined) throw new Error("expected the log's head before what is at it")
    return this.#head
  }

  readonly takeHead = (head: Head): void => {
    this.#head = head
  }

  readonly take = (row: StoredCurrent, keeper?: RowKeeper): void => {
    if (keeper === undefined || !this.fleet.keepStored(row, keeper)) this.#rest.push(row)
  }

  /** After the last row. All of it can be read, or nothing is known. */
  readonly end: Effect.Effect<void, Unreadable> = Effect.gen({ self: this }, function* () {
    const rest = this.#rest.splice(0).sort((a, b) => a.seq - b.seq) // texts that nobody needs once they are read
    let unreadable: Unreadable | undefined
    yield* inTurns(rest, (row) => {
      unreadable ??= this.fleet.restoreStored(row)
    })
    if (unreadable !== undefined) return yield* Effect.fail(unreadable)
    const { versions } = this.fleet
    if (!versions.isEmpty && !versions.has(streamOf.fleetVersion())) this.fleet.fleetVersion = firstFleetVersion
  })
}

/**
 * Makes what is made of a row when somebody asks, before anybody does: the first command of a cluster with a hundred thousand VIPs
 * kept the event loop for a second and, on a busy machine, until the lease was over. What is asked meanwhile is made at once.
 */
export const prepareMemory = ({ fleet, book }: Memory): Effect.Effect<void> =>
  Effect.promise(async (signal) => {
    for (const cluster of fleet.clusters.values()) {
      while (!signal.aborted && cluster.fillSome(rowsATurn)) await new Promise(setImmediate)
      while (!signal.aborted && book.enterSome(cluster.name, rowsATurn)) await new Promise(setImmediate)
    }
  })

/** Rows taken before the event loop has its turn again: a lease has to be renewed meanwhile. */
const rowsATurn = 2_000

/** Takes rows one after another, without keeping the event loop from anything else. */
export const inTurns = <Row>(rows: ReadonlyArray<Row>, take: (row: Row) => void): Effect.Effect<void> =>
  Effect.promise(async () => {
    for (const [index, row] of rows.entries()) {
      take(row)
      if (index % rowsATurn === rowsATurn - 1) await new Promise(setImmediate)
    }
  })

/** The digest of a cluster's set, begun empty. */
export const digestOf = (digests: Map<string, SetDigest>, cluster: string): SetDigest => {
  let digest = digests.get(cluster)
  if (digest === undefined) {
    digest = new SetDigest()
    digests.set(cluster, digest)
  }
  return digest
}

/** What a decision may know beside the fleet, of which these streams have events that are not committed yet. */
export const contextOf = (
  memory: Memory,
  nowMs: number,
  uncommitted: Pick<ReadonlySet<string>, "has"> = new Set()
): DecisionContext => ({
  nowMs,
  log: {
    incarnation: memory.head.incarnation,
    seqOf: (stream) => (uncommitted.has(stream) ? undefined : memory.recordedAt.seqOf(stream))
  },
  recordedAtMs: (stream) => {
    const recordedAt = memory.recordedAt.get(stream)
    return recordedAt === undefined ? undefined : Date.parse(recordedAt)
  },
  obligedOf: (cluster, address) => memory.book.obligedOf(cluster, vipKey(address)),
  hasConfirmed: (cluster, node, address) => {
    const entry = memory.book.entries(cluster).get(vipKey(address))
    // What was confirmed of an earlier incarnation counts for nothing.
    if (entry?.incarnation !== memory.head.incarnation) return false
    return entry.withdraws && (memory.confirmed.get(`${cluster}/${node}`) ?? -1) >= entry.cseq
  }
})

/** What the next leader needs of a message that the book has just numbered. */
export const summaryText = (memory: Memory, cluster: string, key: string): string | undefined => {
  const entry = memory.book.entries(cluster).get(key)
  if (entry === undefined) return undefined
  const { content, obliged, withdraws } = entry
  return JSON.stringify({ content, obliged, withdraws } satisfies MessageSummary)
}

const decodeMessage = Schema.decodeUnknownSync(Schema.fromJsonString(StateMessage))

function* loadedMessages(rows: Iterable<LoadedIntent>, begunCseq: number, incarnation: number) {
  for (const row of rows) yield new LoadedMessage(row, begunCseq, incarnation)
}

/** A published message as it was loaded; read when somebody asks. */
class LoadedMessage implements StoredMessage {
  readonly #row: LoadedIntent
  readonly #begunCseq: number
  readonly #incarnation: number

  /** Of the cluster's incarnation are those alone that came after its first number. */
  constructor(row: LoadedIntent, begunCseq: number, incarnation: number) {
    this.#row = row
    this.#begunCseq = begunCseq
    this.#incarnation = incarnation
  }

  get incarnation(): number {
    return this.cseq > this.#begunCseq ? this.#incarnation : beforeAll
  }

  get key(): string {
    return this.#row.subject
  }

  get cseq(): number {
    return this.#row.cseq
  }

  read(): MessageSummary | NumberedMessage {
    const { summary, envelope } = this.#row
    return summary === null ? decodeStored(envelope ?? "") : (JSON.parse(summary) as MessageSummary)
  }
}

/** Our own database's word is believed without its signature, which other keys may have made; its shape is checked. */
const decodeStored = (envelope: string): NumberedMessage => {
  const message = decodeMessage((JSON.parse(envelope) as { readonly payload: string }).payload)
  if (message._tag === "ClusterHead" || message._tag === "RollCall") {
    throw new TypeError(`expected a numbered message among intents, found a ${message._tag}`)
  }
  return message
}
