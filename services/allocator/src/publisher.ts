import { Bus, type BusUnavailable, connectionLost } from "@lowtide/bus/connection"
import { countStored, ensureStreams, publishAll, purgeStored, readLast } from "@lowtide/bus/streams"
import { headKey, stateFilter, stateStream, stateSubject } from "@lowtide/bus/subjects"
import type { ClusterHead } from "@lowtide/domain"
import { type Batch, type IntentHeadRow, type IntentRow, Ledger, type Unavailable } from "@lowtide/ledger"
import { Duration, Effect, Queue, Result, Schedule, type Scope, Semaphore, Stream, SubscriptionRef } from "effect"
import { failpoint } from "./failpoint.ts"
import { headOf } from "./loss.ts"
import { PublishingPace } from "./publishing-pace.ts"

/** How often a cluster's head is repeated when nothing else is, so that silence is told from loss; speakers allow 60 s. */
const heartbeatMs = 20_000

/** Carries committed messages to NATS. What the stream holds is read from the stream: its head is the checkpoint. */
export interface Publisher {
  /** Hands over a batch just committed, in the order of commits. */
  readonly publish: (batch: Batch) => void
  /** Looks for itself what the stream lacks. */
  readonly publishAnew: () => void
  /** Runs it while nothing is published: what it sends replaces nothing newer. */
  readonly apart: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Messages committed and not yet stored in NATS, as far as known. */
  readonly unpublished: Effect.Effect<number>
  /** Clusters of which the stream knows more than the ledger: the database has lost history. */
  readonly ahead: Effect.Effect<ReadonlySet<string>>
}

type Work =
  | {
      readonly _tag: "Batch"
      readonly intents: ReadonlyArray<IntentRow>
      readonly heads: ReadonlyArray<IntentHeadRow>
      /** When it was committed, by the monotonic clock. */
      readonly committedMs: number
    }
  | { readonly _tag: "Reconcile" }

/**
 * A batch older than this is read from the ledger instead: the process may have been stopped, and another leader may have
 * published what is newer.
 */
const freshMs = 2_000

/** Batches that may wait for NATS; beyond it they are read from the ledger when it answers again. */
const waitingMax = 1_000

/**
 * Starts the one loop that publishes. A batch goes out at once; after any failure, a reconnection or a wiped server, the
 * loop compares each cluster's head in the stream with the ledger's and sends what came after it. Events are safe all
 * the while, and commands go on.
 */
export const startPublisher = (
  isMuted: (cluster: string) => boolean = () => false
): Effect.Effect<Publisher, never, Bus | Ledger | Scope.Scope> =>
  Effect.gen(function* () {
    const { connected } = yield* Bus
    const work = yield* Queue.dropping<Work>(waitingMax)
    let unpublished = 0
    /** Whether the stream may lack something that no waiting batch has. */
    let isBehind = true
    /** Clusters of which the stream knows more than the ledger. */
    let ahead: ReadonlySet<string> = new Set()
    /** The newest message sent of each cluster: nothing older is sent after it. */
    const sentCseq = new Map<string, number>()
    const pace = new PublishingPace()
    const publishing = yield* Semaphore.make(1)
    const reconcileSoon = Effect.suspend(() => {
      isBehind = true
      return Queue.offer(work, { _tag: "Reconcile" })
    })
    yield* reconcileSoon
    yield* SubscriptionRef.changes(connected).pipe(
      Stream.filter(({ up, times }) => up && times > 1),
      Stream.runForEach(() => reconcileSoon),
      Effect.forkScoped
    )
    yield* reconcileSoon.pipe(Effect.delay(heartbeatMs), Effect.forever, Effect.forkScoped)
    /** What waits is committed: the ledger has it, and reading it there covers it. */
    const reconcileOnce = Effect.gen(function* () {
      yield* SubscriptionRef.changes(connected).pipe(
        Stream.takeUntil(({ up }) => up),
        Stream.runDrain
      )
      isBehind = false
      yield* Queue.clear(work)
      const covered = unpublished
      ahead = yield* Effect.raceFirst(reconcileAll({ sentCseq, pace }, isMuted), connectionLost("publish"))
      unpublished -= covered
    }).pipe(
      Effect.tapError((error) => {
        isBehind = true
        return Effect.logWarning(`publishing waits: ${error.message}`)
      })
    )
    const send = Effect.fnUntraced(function* (next: Work) {
      if (next._tag === "Batch" && !isBehind && performance.now() - next.committedMs < freshMs) {
        const isNews = ({ cluster, cseq }: { readonly cluster: string; readonly cseq: number }) =>
          !ahead.has(cluster) && cseq > (sentCseq.get(cluster) ?? 0)
        yield* failpoint("before-publish")
        const sent = yield* publishBatch(next.intents.filter(isNews), next.heads.filter(isNews), {
          sentCseq,
          pace
        }).pipe(Effect.raceFirst(connectionLost("publish")), Effect.result)
        if (Result.isSuccess(sent)) {
          unpublished -= next.intents.length
          return
        }
        yield* Effect.logWarning(`publishing is behind: ${sent.failure.message}`)
      }
      yield* Effect.retry(
        reconcileOnce,
        Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("2 seconds")]).pipe(Schedule.jittered)
      )
    })
    yield* Effect.flatMap(Queue.take(work), (next) => send(next).pipe(Semaphore.withPermit(publishing))).pipe(
      Effect.forever,
      Effect.forkScoped
    )
    return {
      publish: ({ intents: all, intentHeads }) => {
        // What goes was of an earlier incarnation, and is out of the stream.
        const intents = all.filter(({ envelope }) => envelope !== null)
        if (intents.length === 0) return
        unpublished += intents.length
        if (!Queue.offerUnsafe(work, { _tag: "Batch", intents, heads: intentHeads, committedMs: performance.now() }))
          isBehind = true
      },
      publishAnew: () => {
        isBehind = true
        Queue.offerUnsafe(work, { _tag: "Reconcile" })
      },
      apart: Semaphore.withPermit(publishing),
      unpublished: Effect.sync(() => unpublished),
      ahead: Effect.sync(() => ahead)
    }
  })

/** What a publisher remembers of what it has sent. */
interface Sending {
  /** The newest message sent of each cluster. */
  readonly sentCseq: Map<string, number>
  readonly pace: PublishingPace
}

/** Sends messages and then heads, and notes how far each cluster's are sent. */
const publishBatch = (
  intents: ReadonlyArray<IntentRow>,
  heads: ReadonlyArray<IntentHeadRow>,
  { sentCseq, pace }: Sending,
  onStored: (last: IntentRow) => void = () => undefined
): Effect.Effect<void, BusUnavailable, Bus> =>
  publishAll(
    intents.map(({ cluster, subject, envelope }) => ({
      subject: stateSubject(cluster, subject),
      text: envelope ?? ""
    })),
    {
      patienceMs: pace.patienceMs,
      onStored: (count) => {
        const last = intents[count - 1]
        if (last !== undefined) onStored(last)
      }
    }
  ).pipe(
    Effect.andThen(intents.length > 0 ? failpoint("mid-batch") : Effect.void),
    // The head last: whoever reads it has, or can tell that it lacks, everything before it.
    Effect.andThen(
      publishAll(
        heads.map(({ cluster, envelope }) => ({ subject: stateSubject(cluster, headKey), text: envelope })),
        { patienceMs: pace.patienceMs }
      )
    ),
    Effect.timed,
    Effect.tapError(() => Effect.sync(() => pace.inVain())),
    Effect.tap(([duration]) => Effect.sync(() => pace.took(Duration.toMillis(duration)))),
    Effect.andThen(
      Effect.sync(() => {
        for (const { cluster, cseq } of [...intents, ...heads]) {
          sentCseq.set(cluster, Math.max(cseq, sentCseq.get(cluster) ?? 0))
        }
      })
    )
  )

/** Answers the clusters for which nothing may be published. */
const reconcileAll = (
  sending: Sending,
  isMuted: (cluster: string) => boolean
): Effect.Effect<ReadonlySet<string>, BusUnavailable | Unavailable, Bus | Ledger> =>
  Effect.gen(function* () {
    yield* ensureStreams
    const ledger = yield* Ledger
    const ahead = new Set<string>()
    for (const head of yield* ledger.intentHeads) {
      if (!isMuted(head.cluster) && !(yield* reconcile(head, sending))) ahead.add(head.cluster)
    }
    return ahead
  })

/**
 * Sends what the stream lacks of one cluster, and its head in any case, which tells readers that the centre lives. False,
 * and nothing sent, when the stream knows more than the ledger.
 */
const reconcile = (
  head: IntentHeadRow,
  sending: Sending
): Effect.Effect<boolean, BusUnavailable | Unavailable, Bus | Ledger> =>
  Effect.gen(function* () {
    const ledger = yield* Ledger
    const marker = yield* readMarker(head.cluster)
    const incarnation = headOf(head.envelope)?.stamp.incarnation ?? marker?.stamp.incarnation ?? 0
    const isEarlier = marker !== undefined && marker.stamp.incarnation < incarnation
    if (marker !== undefined && !isEarlier && (marker.stamp.incarnation > incarnation || marker.cseq > head.cseq)) {
      yield* Effect.logError(
        `LT0505 cluster ${head.cluster}: the stream's head is cseq ${marker.cseq} of epoch ${marker.stamp.epoch}, the ledger's is ${head.cseq}: ` +
          "the database has lost history; nothing is published for this cluster and speakers keep what they have"
      )
      return false
    }
    // What an earlier incarnation said and this one does not is taken out; who holds it keeps it.
    if (isEarlier) yield* purgeStored(stateStream, stateFilter(head.cluster))
    const isWhole =
      !isEarlier &&
      marker?.cseq === head.cseq &&
      marker.digest === head.digest &&
      (yield* countStored(stateStream, stateFilter(head.cluster))) === head.count + 1 // the head is one more
    // What is of an earlier incarnation, and has yet to be published anew, is not of the set.
    const begun = head.begunCseq ?? 0
    const isAnew = marker === undefined || isEarlier || (marker.cseq === head.cseq && !isWhole)
    const lacksSince = isAnew ? begun : marker.cseq
    const { cluster } = head
    const { pace } = sending
    const last = pace.leftOff(cluster, lacksSince)
    const since = last !== undefined && (yield* isStored(last)) ? last.cseq : lacksSince
    // What was committed since the head was read is left to its own batch, which has its head.
    const missing = isWhole ? [] : (yield* ledger.intentsSince(cluster, since)).filter(({ cseq }) => cseq <= head.cseq)
    yield* publishBatch(missing, [head], sending, (row) => pace.stored(lacksSince, row))
    pace.done(cluster)
    if (missing.length > 0) {
      yield* Effect.logInfo(`cluster ${cluster}: ${missing.length} messages after cseq ${since} published again`)
    }
    return true
  })

/** Whether the stream has this very message: then it has those that were stored before it as well. */
const isStored = ({ cluster, subject, envelope }: IntentRow): Effect.Effect<boolean, BusUnavailable, Bus> =>
  Effect.map(readLast(stateStream, stateSubject(cluster, subject)), (stored) => stored?.text === envelope)

const readMarker = (cluster: string): Effect.Effect<ClusterHead | undefined, BusUnavailable, Bus> =>
  readLast(stateStream, stateSubject(cluster, headKey)).pipe(
    Effect.map((stored) => (stored === undefined ? undefined : headOf(stored.text)))
  )
