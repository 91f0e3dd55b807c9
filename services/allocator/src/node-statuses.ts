import { Bus, type BusUnavailable } from "@lowtide/bus/connection"
import { readStored } from "@lowtide/bus/read-stream"
import { NodeStatus } from "@lowtide/bus/status"
import { statusFilter, statusStream, statusSubject } from "@lowtide/bus/subjects"
import { Clock, Effect, FiberSet, Option, Schedule, Schema, type Scope, Stream, SubscriptionRef } from "effect"
import type { HeardNode } from "./centre.ts"

/** The newest status of every node, kept current. `onStatus` sees each one as it comes, a repeated one too. */
export const followStatuses = (
  onStatus: (status: NodeStatus) => Effect.Effect<void>
): Effect.Effect<ReadonlyMap<string, HeardNode>, never, Bus | Scope.Scope> =>
  Effect.gen(function* () {
    const bus = yield* Bus
    const { connected } = bus
    const heard = new Map<string, HeardNode>()
    /** Subjects heard of since what is stored began to be read: what is stored of them is older. */
    const fresh = new Set<string>()
    const run = yield* FiberSet.makeRuntime<never>()
    const take = (subject: string, text: string, storedAtMs?: number) =>
      Effect.gen(function* () {
        const status = Option.getOrUndefined(decodeStatus(text))
        if (status === undefined || statusSubject(status.cluster, status.node) !== subject) {
          return yield* Effect.logWarning(
            `LT0404 a status on ${subject} cannot be read, or is of another node; it is ignored`
          )
        }
        heard.set(`${status.cluster}/${status.node}`, {
          status,
          heardAtMs: storedAtMs ?? (yield* Clock.currentTimeMillis)
        })
        yield* onStatus(status)
      })
    const listen = Effect.acquireRelease(
      Effect.map(bus.connection, (connection) =>
        connection.subscribe(statusFilter, {
          callback: (error, message) => {
            if (error !== null) return
            fresh.add(message.subject)
            run(take(message.subject, message.string()))
          }
        })
      ),
      (subscription) => Effect.sync(() => subscription.unsubscribe()),
      { interruptible: true }
    )
    yield* listen.pipe(
      Effect.andThen(
        SubscriptionRef.changes(connected).pipe(
          Stream.filter(({ up }) => up),
          Stream.runForEach(() => readAll(fresh, take))
        )
      ),
      Effect.forkScoped
    )
    return heard
  })

/** What was said while nobody listened. */
const readAll = (
  fresh: Set<string>,
  take: (subject: string, text: string, storedAtMs: number) => Effect.Effect<void>
) =>
  Effect.sync(() => fresh.clear()).pipe(
    Effect.andThen(readStored(statusStream, statusFilter)),
    Effect.retry(statusRetry),
    Effect.flatMap((messages) =>
      Effect.forEach(
        messages,
        ({ subject, text, storedAtMs }) => (fresh.has(subject) ? Effect.void : take(subject, text, storedAtMs)),
        { discard: true }
      )
    )
  )

const statusRetry: Schedule.Schedule<unknown, BusUnavailable> = Schedule.min([
  Schedule.exponential("100 millis"),
  Schedule.spaced("5 seconds")
])

const decodeStatus = Schema.decodeUnknownOption(Schema.fromJsonString(NodeStatus))
