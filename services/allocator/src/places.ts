import { codes } from "@lowtide/domain"
import { Ledger } from "@lowtide/ledger"
import { Effect, Metric } from "effect"

/** How often it is looked whether the log has room ahead: at a thousand events a second a partition lasts over an hour. */
const lookEveryMs = 10_000

const ahead = Metric.gauge("lowtide_ledger_places_ahead_events", {
  description:
    "Events that the ledger has partitions for beyond its head, in the leader; at least ten million when all is well"
})

/**
 * Makes the log's partitions ahead, for as long as this allocator leads. That they cannot be made is told of, and measured,
 * long before it matters: whatever place there is goes on being used.
 */
export const keepPlaces = (headSeq: Effect.Effect<number>): Effect.Effect<never, never, Ledger> =>
  Effect.suspend(() => {
    let isFailing = false
    return Effect.gen(function* () {
      const ledger = yield* Ledger
      const seq = yield* headSeq
      const until = yield* ledger.ensurePlaces(seq + 1).pipe(
        Effect.tap(() =>
          Effect.sync(() => {
            isFailing = false
          })
        ),
        Effect.catch((error) =>
          Effect.gen(function* () {
            const places = (yield* ledger.placesUntil(seq + 1)) - seq
            if (!isFailing) {
              const left = places > 0 ? `there is a place for ${places} more events` : codes.LT0534.title
              yield* Effect.logError(`LT0534 partitions cannot be made ahead, ${left}: ${error.message}`)
            }
            isFailing = true
            return seq + places
          })
        )
      )
      yield* Metric.update(ahead, until - seq)
    }).pipe(Effect.ignore, Effect.andThen(Effect.sleep(lookEveryMs)), Effect.forever)
  })
