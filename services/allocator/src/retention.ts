import { readEvent, streamOf, type WireSealState } from "@lowtide/domain"
import { Ledger } from "@lowtide/ledger"
import { Clock, Effect, Metric } from "effect"
import type { Reign } from "./reign.ts"

const dayMs = 86_400_000

/** How often it is looked whether rows of the wire journal are older than what is kept. */
const lookEveryMs = 60_000

/** For how long the result of a command is kept: nobody sends one again for longer. Agents do so until they are answered. */
const resultDays = 7

/** How often it is looked whether results are older than that. */
const lookForResultsEveryMs = 3_600_000

/** Rows that are removed at once, and the rest between: nobody waits for them to go. */
const atOnce = 5_000
const restMs = 200

/** The moment so many days ago, ISO 8601, by the earlier of two clocks: what one removes that jumped ahead does not come back. */
const daysAgo = (ledger: Ledger["Service"], days: number) =>
  Effect.gen(function* () {
    const nowMs = Math.min(Date.parse(yield* ledger.now), yield* Clock.currentTimeMillis)
    return new Date(nowMs - days * dayMs).toISOString()
  })

/** Removes the results of commands that are older than a week, for as long as it runs. Events keep who ordered what. */
export const retainCommandResults: Effect.Effect<never, never, Ledger> = Effect.gen(function* () {
  const ledger = yield* Ledger
  const before = yield* daysAgo(ledger, resultDays)
  while ((yield* ledger.dropCommandResults(before, atOnce)) === atOnce) yield* Effect.sleep(restMs)
}).pipe(
  Effect.catch((error) => Effect.logWarning(`old results of commands are removed later: ${error.message}`)),
  Effect.andThen(Effect.sleep(lookForResultsEveryMs)),
  Effect.forever
)

/** Of questions to the record, what the database keeps whatever is set. */
export const readDaysMin = 30

const reads = Metric.gauge("lowtide_audit_reads", {
  description: "Questions asked of the record that are kept, at most: from the lowest id to the highest"
})

/** Counts the questions that were asked of the record, and removes those older than so many days, for as long as it runs. */
export const retainReads = (days: number | undefined): Effect.Effect<never, never, Ledger> =>
  Effect.gen(function* () {
    const ledger = yield* Ledger
    if (days !== undefined) {
      const before = yield* daysAgo(ledger, days)
      while ((yield* ledger.dropReads(before, atOnce)) === atOnce) yield* Effect.sleep(restMs)
    }
    yield* Metric.update(reads, yield* ledger.countReads)
  }).pipe(
    Effect.catch((error) => Effect.logWarning(`old questions to the record are removed later: ${error.message}`)),
    Effect.andThen(Effect.sleep(lookEveryMs)),
    Effect.forever
  )

/**
 * Removes rows of the wire journal that are older than so many days, for as long as it runs: whole seals, and only after the
 * log says so, so that who verifies the journal can tell what was removed from what is missing.
 */
export const retainWireJournal = (
  reign: Pick<Reign, "read" | "submit">,
  days: number
): Effect.Effect<never, never, Ledger> =>
  Effect.suspend(() => {
    let sinceSeq = 1
    return Effect.gen(function* () {
      const ledger = yield* Ledger
      const old = yield* newestSeal(ledger, sinceSeq, yield* daysAgo(ledger, days))
      if (old !== undefined) {
        const { untilId, until } = old.seal
        // Of one that was recorded before, this records nothing.
        yield* reign.submit("allocator", "system", { _tag: "RecordWireDrop", untilId, before: until })
        sinceSeq = old.seq
      }
      const untilId = (yield* reign.read(({ fleet }) => fleet.wireDrop))?.untilId
      if (untilId === undefined) return
      while ((yield* ledger.dropWire(untilId, atOnce)) === atOnce) yield* Effect.sleep(restMs)
    }).pipe(
      Effect.catch((error) => Effect.logWarning(`old rows of the wire journal are removed later: ${error.message}`)),
      Effect.andThen(Effect.sleep(lookEveryMs)),
      Effect.forever
    )
  })

/** The newest seal, of those from an event on, whose rows are all older than a moment. */
const newestSeal = Effect.fnUntraced(function* (ledger: Ledger["Service"], sinceSeq: number, before: string) {
  let found: { readonly seq: number; readonly seal: WireSealState } | undefined
  for (let from = sinceSeq; ; ) {
    const stream = streamOf.wireSeals()
    const events = yield* ledger.events({ stream, sinceSeq: from, limit: sealsAtOnce, order: "asc" })
    for (const event of events) {
      const seal = (yield* Effect.fromResult(readEvent(event))).after
      if (seal?._tag !== "WireSeal" || seal.until > before) return found
      found = { seq: event.seq, seal }
      from = event.seq + 1
    }
    if (events.length < sealsAtOnce) return found
  }
})

/** Seals that are read at once. */
const sealsAtOnce = 200
