import { Bus, type BusUnavailable } from "@lowtide/bus/connection"
import { ensureStreams, publishAll, readLast } from "@lowtide/bus/streams"
import { headKey, stateStream, stateSubject } from "@lowtide/bus/subjects"
import { ClusterHead } from "@lowtide/domain"
import { type Batch, type IntentHeadRow, type IntentRow, Ledger, type Unavailable } from "@lowtide/ledger"
import { Effect, Option, Queue, Ref, Result, Schedule, Schema, type Scope, Stream, SubscriptionRef } from "effect"

/** How often a cluster's head is repeated when nothing else is, so that silence is told from loss; speakers allow 60 s. */
const heartbeatMs = 20_000

/** Carries committed messages to NATS. What the stream holds is read from the stream: its head is the checkpoint. */
export interface Publisher {
  /** Hands over a batch just committed, in the order of commits. */
  readonly publish: (batch: Batch) => void
  /** Messages committed and not yet stored in NATS, as far as known. */
  readonly unpublished: Effect.Effect<number>
}

type Work =
  | { readonly _tag: "Batch"; readonly intents: ReadonlyArray<IntentRow>; readonly heads: ReadonlyArray<IntentHeadRow> }
  | { readonly _tag: "Reconcile"; readonly why: string }
  | { readonly _tag: "Heartbeat" }

/**
 * Starts the one loop that publishes. A batch goes out at once; after any failure, a reconnection or a wiped server, the
 * loop compares each cluster's head in the stream with the ledger's and sends what came after it. Events are safe all
 * the while, and commands go on.
 */
export const startPublisher: Effect.Effect<Publisher, never, Bus | Ledger | Scope.Scope> = Effect.gen(function* () {
  const { connected } = yield* Bus
  const work = yield* Queue.unbounded<Work>()
  const unpublished = yield* Ref.make(0)
  yield* Queue.offer(work, { _tag: "Reconcile", why: "start" })
  yield* SubscriptionRef.changes(connected).pipe(
    Stream.filter(({ up, times }) => up && times > 1),
    Stream.runForEach(() => Queue.offer(work, { _tag: "Reconcile", why: "reconnected" })),
    Effect.forkScoped
  )
  yield* Queue.offer(work, { _tag: "Heartbeat" }).pipe(Effect.delay(heartbeatMs), Effect.forever, Effect.forkScoped)
  const loop = Effect.gen(function* () {
    const next = yield* Queue.take(work)
    if (next._tag === "Batch") {
      const sent = yield* Effect.result(publishBatch(next.intents, next.heads))
      yield* Ref.update(unpublished, (count) => Math.max(0, count - next.intents.length))
      if (Result.isSuccess(sent)) return
      yield* Effect.logWarning(`publishing is behind: ${sent.failure.message}`)
    }
    yield* reconcileAll.pipe(
      Effect.tapError((error) => Effect.logWarning(`publishing waits: ${error.message}`)),
      Effect.retry(
        Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("2 seconds")]).pipe(Schedule.jittered)
      )
    )
    yield* Ref.set(unpublished, 0)
  })
  yield* loop.pipe(Effect.forever, Effect.forkScoped)
  return {
    publish: ({ intents, intentHeads }) => {
      if (intents.length === 0) return
      Effect.runSync(Ref.update(unpublished, (count) => count + intents.length))
      Queue.offerUnsafe(work, { _tag: "Batch", intents, heads: intentHeads })
    },
    unpublished: Ref.get(unpublished)
  }
})

const publishBatch = (
  intents: ReadonlyArray<IntentRow>,
  heads: ReadonlyArray<IntentHeadRow>
): Effect.Effect<void, BusUnavailable, Bus> =>
  publishAll(
    intents.map(({ cluster, subject, envelope }) => ({ subject: stateSubject(cluster, subject), text: envelope ?? "" }))
  ).pipe(
    // The head last: whoever reads it has, or can tell that it lacks, everything before it.
    Effect.andThen(
      publishAll(heads.map(({ cluster, envelope }) => ({ subject: stateSubject(cluster, headKey), text: envelope })))
    )
  )

const reconcileAll: Effect.Effect<void, BusUnavailable | Unavailable, Bus | Ledger> = Effect.gen(function* () {
  yield* ensureStreams
  const ledger = yield* Ledger
  for (const head of yield* ledger.intentHeads) yield* reconcile(head)
})

/** Sends what the stream lacks of one cluster, and its head in any case, which tells readers that the centre lives. */
const reconcile = (head: IntentHeadRow): Effect.Effect<void, BusUnavailable | Unavailable, Bus | Ledger> =>
  Effect.gen(function* () {
    const ledger = yield* Ledger
    const marker = yield* readMarker(head.cluster)
    if (marker !== undefined && isAhead(marker, head)) {
      return yield* Effect.logError(
        `LT0505 cluster ${head.cluster}: the stream's head is cseq ${marker.cseq} of epoch ${marker.stamp.epoch}, the ledger's is ${head.cseq}: ` +
          "the database has lost history; nothing is published for this cluster and speakers keep what they have"
      )
    }
    const isWhole = marker?.cseq === head.cseq && marker.digest === head.digest
    const since = marker === undefined || (marker.cseq === head.cseq && !isWhole) ? 0 : marker.cseq
    const missing = isWhole ? [] : yield* ledger.intentsSince(head.cluster, since)
    yield* publishBatch(missing, [head])
    if (missing.length > 0) {
      yield* Effect.logInfo(`cluster ${head.cluster}: ${missing.length} messages after cseq ${since} published again`)
    }
  })

const isAhead = (marker: ClusterHead, head: IntentHeadRow): boolean => marker.cseq > head.cseq

const readMarker = (cluster: string): Effect.Effect<ClusterHead | undefined, BusUnavailable, Bus> =>
  readLast(stateStream, stateSubject(cluster, headKey)).pipe(
    Effect.map((stored) => (stored === undefined ? undefined : Option.getOrUndefined(decodeMarker(stored.text))))
  )

const decodeHead = Schema.decodeUnknownOption(Schema.fromJsonString(ClusterHead))

const decodeMarker = (envelope: string): Option.Option<ClusterHead> => {
  try {
    return decodeHead((JSON.parse(envelope) as { readonly payload?: unknown }).payload)
  } catch {
    return Option.none()
  }
}
