import { SetDigest } from "@lowtide/bus/digest"
import {
  type DecisionContext,
  Fleet,
  firstFleetVersion,
  IntentBook,
  type MessageSummary,
  type NumberedMessage,
  readState,
  StateMessage,
  streamOf,
  type Unreadable,
  vipKey
} from "@lowtide/domain"
import { contentDigest, type Head, Ledger, type StoredCurrent, type Unavailable } from "@lowtide/ledger"
import { Effect, Result, Schema } from "effect"
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
  /** When the newest event of a stream was recorded, ISO 8601. */
  readonly recordedAt: Map<string, string>
  head: Head
  /** The database's clock minus this process's monotonic one, in milliseconds, when it was loaded. */
  readonly clockOffsetMs: number
}

/** Below every incarnation: of which one a message is that is of an earlier one, nobody has to know. */
const beforeAll = -1

/** Loads the state at the head: no replay. */
export const loadMemory: Effect.Effect<Memory, Unavailable | Unreadable, Ledger> = Effect.gen(function* () {
  const ledger = yield* Ledger
  const loaded = yield* ledger.load
  const databaseNow = Date.parse(yield* ledger.now)
  const { fleet, recordedAt } = yield* restoreFleet(loaded.current)
  const book = new IntentBook(contentDigest)
  /** What a frozen cluster's messages were published under is over. */
  const incarnationOf = (cluster: string) =>
    fleet.recovery === undefined ? loaded.head.incarnation : (fleet.clusters.get(cluster)?.incarnation ?? 0)
  const begunCseqs = new Map(
    loaded.intentHeads.flatMap(({ cluster, begunCseq }) =>
      begunCseq === undefined ? [] : [[cluster, begunCseq] as const]
    )
  )
  yield* inTurns(loaded.intents, ({ cluster, subject, cseq, summary, envelope }) =>
    book.restore({
      cluster,
      key: subject,
      cseq,
      incarnation: cseq > (begunCseqs.get(cluster) ?? 0) ? incarnationOf(cluster) : beforeAll,
      read: () => (summary === null ? decodeStored(envelope ?? "") : (JSON.parse(summary) as MessageSummary))
    })
  )
  const digests = new Map<string, SetDigest>()
  for (const { cluster, cseq, digest, count } of loaded.intentHeads) {
    book.restoreCseq(cluster, cseq)
    if (incarnationOf(cluster) === loaded.head.incarnation) digests.set(cluster, new SetDigest(digest, count))
  }
  const localNow = yield* monotonicMs
  return {
    fleet,
    book,
    digests,
    begunCseqs,
    republications: new Map(),
    confirmed: new Map(),
    recordedAt,
    head: loaded.head,
    clockOffsetMs: databaseNow - localNow
  }
})

/** The fleet that stored states amount to, and when the newest event of each stream was recorded. All of it, or none. */
export const restoreFleet = (
  rows: ReadonlyArray<StoredCurrent>
): Effect.Effect<{ readonly fleet: Fleet; readonly recordedAt: Map<string, string> }, Unreadable> =>
  Effect.gen(function* () {
    const fleet = new Fleet()
    const recordedAt = new Map<string, string>()
    let unreadable: Unreadable | undefined
    yield* inTurns(rows, (row) => {
      const state = readState(row)
      if (Result.isFailure(state)) unreadable ??= state.failure
      else fleet.restore(row.stream, row.version, state.success)
      recordedAt.set(row.stream, row.recordedAt)
    })
    const hasVersion = rows.some(({ stream }) => stream === streamOf.fleetVersion())
    if (rows.length > 0 && !hasVersion) fleet.fleetVersion = firstFleetVersion
    return unreadable === undefined ? { fleet, recordedAt } : yield* unreadable
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

/** What a decision may know beside the fleet. */
export const contextOf = (memory: Memory, nowMs: number): DecisionContext => ({
  nowMs,
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

/** Our own database's word is believed without its signature, which other keys may have made; its shape is checked. */
const decodeStored = (envelope: string): NumberedMessage => {
  const message = decodeMessage((JSON.parse(envelope) as { readonly payload: string }).payload)
  if (message._tag === "ClusterHead" || message._tag === "RollCall") {
    throw new TypeError(`expected a numbered message among intents, found a ${message._tag}`)
  }
  return message
}
