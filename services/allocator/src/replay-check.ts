import { codes } from "@lowtide/domain"
import { Ledger, type ReplayStanding, type StoredAllocator, type Unavailable, walkReplay } from "@lowtide/ledger"
import { Clock, Effect, Metric } from "effect"

/** How often it is looked whether a comparison is due, and what others have found. */
const lookEveryMs = 10_000

/** The database is left alone for so many times as long as a page took: a busy one is asked less often. */
const restFactor = 9

/** ... and for so long at least. */
const restMsMin = 20

/** While there are differences, the next comparison is not waited for as long: somebody is putting them right. */
const recheckMs = 300_000

/** An allocator that has not said that it runs for so long does not compare. */
const silentAfterMs = 10_000

const differing = Metric.gauge("lowtide_replay_differences", {
  description: "Rows of which the last comparison found that they are not what the log says"
})

const age = Metric.gauge("lowtide_replay_age_seconds", {
  description: "Seconds since a comparison of the current state with the log got to its end; -1 before the first"
})

/** Says what the comparison needs of the allocator that it runs in. */
export interface ReplayCheckOptions {
  readonly name: string
  /** How long after the end of one comparison the next begins; undefined: never. */
  readonly everyMs: number | undefined
  readonly isMine: Effect.Effect<boolean>
  /** What is decided on differs from the log: whoever leads looks for himself. */
  readonly onDifference: Effect.Effect<void>
}

/**
 * Compares what is written with the log, page by page and in no hurry, with the log itself, for as long as this allocator
 * runs. Differences are kept in the database, so that all allocators tell of them, whichever found them.
 */
export const keepReplayChecked = ({
  name,
  everyMs,
  isMine,
  onDifference
}: ReplayCheckOptions): Effect.Effect<never, never, Ledger> =>
  Effect.gen(function* () {
    const ledger = yield* Ledger
    const standing = yield* ledger.replayStanding
    const { ageMs, findings } = standing
    yield* Metric.update(differing, findings.length)
    yield* Metric.update(age, ageMs === null ? -1 : ageMs / 1_000)
    if (findings.some(({ projection }) => projection === "stream_current")) yield* onDifference
    if (everyMs === undefined || !(yield* isMine)) return
    const { seq: position } = yield* ledger.head
    if (isDue(standing, { position, everyMs })) yield* compareAll(ledger, name, onDifference)
  }).pipe(
    Effect.catch((error) => Effect.logDebug(`the comparison with the log is tried again: ${error.message}`)),
    Effect.andThen(Effect.sleep(Math.min(lookEveryMs, everyMs ?? lookEveryMs))),
    Effect.forever
  )

/**
 * Whether a comparison is to begin, by the last one that got to its end. One that saw less than half of the log says
 * little of what is there: a log that has just begun, or was filled anew, is not left to the next day.
 */
export const isDue = (
  { last, ageMs, findings }: ReplayStanding,
  { position, everyMs }: { readonly position: number; readonly everyMs: number }
): boolean => {
  if (last === null || ageMs === null) return true
  const waitMs = findings.length === 0 ? everyMs : Math.min(everyMs, recheckMs)
  return ageMs >= waitMs || last.position * 2 < position
}

const compareAll = (
  ledger: Ledger["Service"],
  checkedBy: string,
  onDifference: Effect.Effect<void>
): Effect.Effect<void, Unavailable> =>
  Effect.gen(function* () {
    const startedAt = yield* ledger.now
    const { seq: position } = yield* ledger.head
    let pageStartMs = yield* Clock.currentTimeMillis
    const compared = yield* walkReplay(ledger, ({ differences }) =>
      Effect.gen(function* () {
        const tookMs = (yield* Clock.currentTimeMillis) - pageStartMs
        yield* ledger.saveReplayFindings(differences)
        for (const { key, what } of differences) {
          yield* Effect.logError(`LT0533 ${codes.LT0533.title}: ${key}: ${what}. Fix: ${codes.LT0533.fix}`)
        }
        if (differences.some(({ projection }) => projection === "stream_current")) yield* onDifference
        yield* Effect.sleep(Math.max(restMsMin, tookMs * restFactor))
        pageStartMs = yield* Clock.currentTimeMillis
      })
    )
    yield* ledger.endReplay({ checkedBy, position, compared, startedAt })
  })

/** A follower compares where there is one, the first by name; else the leader does. */
export const comparesFor = (known: ReadonlyArray<StoredAllocator>): string | undefined => {
  const newestMs = Math.max(...known.map(({ seenAt }) => Date.parse(seenAt)))
  const running = known.filter(({ seenAt }) => newestMs - Date.parse(seenAt) < silentAfterMs)
  return (running.find(({ leads }) => !leads) ?? running[0])?.id
}

/**
 * Streams whose current state still differs from the log, of those that a comparison has named; the others, which somebody
 * has put right, are found to be well by the next one.
 */
export const differingStreams = (
  ledger: Ledger["Service"]
): Effect.Effect<ReadonlyArray<{ readonly key: string; readonly what: string }>, Unavailable> =>
  Effect.gen(function* () {
    const { findings } = yield* ledger.replayStanding
    const streams = findings.filter(({ projection }) => projection === "stream_current").map(({ key }) => key)
    return streams.length === 0 ? [] : yield* ledger.replayStreams(streams)
  })
