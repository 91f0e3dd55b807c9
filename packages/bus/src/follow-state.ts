import { Effect, Queue, Schedule, type Scope, Stream, SubscriptionRef } from "effect"
import { Bus } from "./connection.ts"
import { readStored } from "./read-stream.ts"
import { keyOf, liveFilter, stateFilter, stateStream } from "./subjects.ts"

/** What a reader of a cluster's state gets: everything at once, then each message as it is stored. */
export type StateItem =
  | { readonly _tag: "Snapshot"; readonly items: ReadonlyArray<StateText> }
  | { readonly _tag: "Live"; readonly item: StateText }

/** One message: the key of its subject and the envelope's text. */
export interface StateText {
  readonly key: string
  readonly envelope: string
  /** When NATS stored it, in milliseconds since 1970, where that is known. */
  readonly storedAtMs?: number
}

/** Live messages that may wait for a reader that is busy; one that falls further behind reads a snapshot again. */
const liveBacklogMax = 100_000

/**
 * Follows the state of one cluster for ever. Live messages are listened to before the snapshot is read, so nothing falls
 * between; they may repeat it, and a reader goes by stamps. A snapshot comes at the start, after every reconnection and
 * whenever `resync` is offered to (a gap was seen).
 */
export const followState = (
  cluster: string,
  resync: Queue.Queue<void>,
  backlogMax: number = liveBacklogMax
): Stream.Stream<StateItem, never, Bus> =>
  Stream.callback<StateItem, never, Bus>(
    Effect.fnUntraced(function* (queue) {
      yield* listenLive(cluster, queue, resync)
      const { connected } = yield* Bus
      yield* SubscriptionRef.changes(connected).pipe(
        Stream.filter(({ up, times }) => up && times > 1),
        Stream.runForEach(() => Queue.offer(resync, undefined)),
        Effect.forkScoped
      )
      yield* Queue.offer(resync, undefined)
      yield* Effect.gen(function* () {
        yield* Queue.take(resync)
        yield* Queue.clear(resync)
        const items = yield* readStored(stateStream, stateFilter(cluster)).pipe(
          Effect.tapError((error) => Effect.logWarning(`state of ${cluster} cannot be read yet: ${error.message}`)),
          Effect.retry(
            Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("5 seconds")]).pipe(Schedule.jittered)
          )
        )
        yield* Queue.offer(queue, {
          _tag: "Snapshot",
          items: items.map(({ subject, text, storedAtMs }) => ({ key: keyOf(subject), envelope: text, storedAtMs }))
        })
      }).pipe(Effect.forever, Effect.forkScoped)
      return yield* Effect.never
    }),
    { bufferSize: backlogMax, strategy: "suspend" }
  )

/** A message for which there is no room is dropped: the reader is far behind and reads a snapshot later. */
const listenLive = (
  cluster: string,
  queue: Queue.Enqueue<StateItem>,
  resync: Queue.Enqueue<void>
): Effect.Effect<void, never, Bus | Scope.Scope> =>
  Effect.gen(function* () {
    const connection = yield* (yield* Bus).connection
    yield* Effect.acquireRelease(
      Effect.sync(() =>
        connection.subscribe(liveFilter(cluster), {
          callback: (error, message) => {
            if (error !== null) return
            const item = { key: keyOf(message.subject), envelope: message.string() }
            if (!Queue.offerUnsafe(queue, { _tag: "Live", item })) Queue.offerUnsafe(resync, undefined)
          }
        })
      ),
      (subscription) => Effect.sync(() => subscription.unsubscribe())
    )
  })
