import type { Fleet, Unreadable } from "@lowtide/domain"
import { type Head, Ledger, type StoredChange, type Unavailable } from "@lowtide/ledger"
import { Data, Effect, Stream } from "effect"
import { type RecordedTimes, RestoredFleet } from "./memory.ts"
import { monotonicMs } from "./monotonic-clock.ts"
import { Readability, readAgainMs } from "./readability.ts"

/** How often an allocator that does not lead looks for new events. */
const followEveryMs = 200

/** Events read at once. */
const pageSize = 1_000

/** The fleet as far as an allocator that does not lead has read the log. */
export interface FollowedFleet {
  readonly fleet: Fleet
  readonly recordedAt: RecordedTimes
  head: Head
}

/** The log is not the continuation of what was read: it lost history, or what was read was not all. */
class NoContinuation extends Data.TaggedError("NoContinuation")<{ readonly why: string }> {
  override get message() {
    return `the state is loaded again: ${this.why}`
  }
}

/**
 * The log followed from outside, so that readers have an answer and a take-over finds them served meanwhile. Nothing is
 * decided on it: whoever comes to lead loads the state anew.
 */
export class Follower {
  readonly #readability: Readability
  #followed: FollowedFleet | undefined
  #headSeq = 0
  #atHeadMs: number | undefined
  #said: string | undefined

  constructor(readability = new Readability()) {
    this.#readability = readability
  }

  /** What is read so far; undefined before the first load, and in an allocator that leads. */
  get followed(): FollowedFleet | undefined {
    return this.#followed
  }

  /** How far behind the log's head it is: events of the last look, and seconds since it was known to be there. */
  lag(monotonicMs: number): { readonly events: number; readonly seconds: number } {
    return {
      events: Math.max(0, this.#headSeq - (this.#followed?.head.seq ?? 0)),
      seconds: this.#atHeadMs === undefined ? 0 : Math.max(0, monotonicMs - this.#atHeadMs) / 1_000
    }
  }

  /** A leader has a memory of its own. */
  forget(): void {
    this.#followed = undefined
    this.#atHeadMs = undefined
  }

  /** Follows for ever. While the database is away, what was read stays, and grows older. */
  readonly follow: Effect.Effect<never, never, Ledger> = Effect.suspend(() => this.#look).pipe(
    Effect.catchTag("NoContinuation", (error) =>
      Effect.andThen(
        Effect.logWarning(error.message),
        Effect.sync(() => this.forget())
      )
    ),
    Effect.tap(() => this.#readability.noteStates(undefined)),
    Effect.tap(() =>
      Effect.sync(() => {
        this.#said = undefined
      })
    ),
    // On a part of what is so no question is answered either.
    Effect.catchTag("Unreadable", (error) =>
      Effect.sync(() => this.forget()).pipe(
        Effect.andThen(this.#readability.noteStates(error)),
        Effect.andThen(Effect.sleep(readAgainMs))
      )
    ),
    Effect.catchTag("Unavailable", (error) => this.#say(error)),
    Effect.andThen(Effect.sleep(followEveryMs)),
    Effect.forever
  )

  /**
   * The next look tells as much, and that the database is away is said by who waits for the lease. What it will answer the
   * next time as well is said once: this allocator stands still until somebody helps.
   */
  #say(error: Unavailable): Effect.Effect<void> {
    if (error.isOutage || error.message === this.#said) return Effect.void
    this.#said = error.message
    const place =
      this.#followed === undefined ? "the state is not loaded" : `read up to event ${this.#followed.head.seq}`
    return Effect.logError(`the log is not followed: ${place}: ${error.message}`)
  }

  readonly #look: Effect.Effect<void, Unavailable | NoContinuation | Unreadable, Ledger> = Effect.gen(
    { self: this },
    function* () {
      const ledger = yield* Ledger
      const startedMs = yield* monotonicMs
      this.#followed ??= yield* loadFleet
      const followed = this.#followed
      const head = yield* ledger.head
      this.#headSeq = head.seq
      if (head.incarnation !== followed.head.incarnation || head.seq < followed.head.seq) {
        return yield* new NoContinuation({
          why: `expected incarnation ${followed.head.incarnation} and seq ${followed.head.seq} or more, found incarnation ${head.incarnation} and seq ${head.seq}`
        })
      }
      yield* readOn(followed, head)
      this.#atHeadMs = startedMs
    }
  )
}

const loadFleet: Effect.Effect<FollowedFleet, Unavailable | Unreadable, Ledger> = Effect.gen(function* () {
  const restored = new RestoredFleet()
  yield* (yield* Ledger).load({ head: restored.takeHead, current: restored.take })
  yield* restored.end
  const { fleet, recordedAt, head } = restored
  return { fleet, recordedAt, head }
})

/** Applies the events after what is read, up to a head of the same incarnation. */
export const readOn = Effect.fnUntraced(function* (followed: FollowedFleet, head: Head) {
  const ledger = yield* Ledger
  const startSeq = followed.head.seq
  // The next page is read while this one is applied.
  const pages = Stream.fromIterable(pagesBetween(startSeq, head.seq)).pipe(
    Stream.mapEffect(({ sinceSeq, limit }) =>
      Effect.map(ledger.changes(sinceSeq, limit), (events) => ({ sinceSeq, limit, events }))
    ),
    Stream.buffer({ capacity: 2 })
  )
  yield* Stream.runForEach(pages, ({ sinceSeq, limit, events }) =>
    events.length === limit // seqs have no gaps
      ? takeEvents(followed, events)
      : Effect.fail(
          new NoContinuation({
            why: `of events ${sinceSeq} to ${sinceSeq + limit - 1} only ${events.length} are there`
          })
        )
  )
  followed.head = head
})

const pagesBetween = function* (after: number, untilSeq: number) {
  for (let sinceSeq = after + 1; sinceSeq <= untilSeq; sinceSeq += pageSize) {
    yield { sinceSeq, limit: Math.min(pageSize, untilSeq + 1 - sinceSeq) }
  }
}

/** Applies a page in one turn: a reader never sees half of it. */
const takeEvents = (
  followed: FollowedFleet,
  events: ReadonlyArray<StoredChange>
): Effect.Effect<void, NoContinuation | Unreadable> =>
  Effect.suspend((): Effect.Effect<void, NoContinuation | Unreadable> => {
    for (const event of events) {
      const { stream, version, seq } = event
      const known = followed.fleet.versions.get(stream) ?? 0
      if (version !== known + 1) {
        return Effect.fail(
          new NoContinuation({ why: `event ${seq} has version ${version} of ${stream}, of which ${known} were read` })
        )
      }
      const unreadable = followed.fleet.applyStored(event)
      if (unreadable !== undefined) return Effect.fail(unreadable)
    }
    const last = events.at(-1)
    if (last !== undefined) {
      const { seq, epoch, commitSeq, recordedAt } = last
      followed.head = { ...followed.head, seq, epoch, commitSeq, recordedAt }
    }
    return Effect.void
  })
