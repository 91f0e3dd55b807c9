import { jetstream } from "@nats-io/jetstream"
import { Effect, Schedule, Stream } from "effect"
import { Bus, BusUnavailable, busCall, connectionLost } from "./connection.ts"
import { inOrder, openConsumer, openMessages, type StoredMessage } from "./ordered-consumer.ts"

/**
 * Follows a stream for ever from a sequence on. A stream that was made anew begins again at 1: then everything it has is
 * new. That is seen while following, and at the start when the stream is not as far as `fromSequence`.
 */
export const followStream = (
  stream: string,
  filter: string,
  fromSequence: number
): Stream.Stream<StoredMessage, never, Bus> =>
  Stream.suspend(() => {
    const operation = `follow ${stream}`
    const place = { next: fromSequence, created: undefined as string | undefined }
    const once = Stream.unwrap(
      Effect.gen(function* () {
        const sequence = yield* startOf(stream, place)
        const consumer = yield* openConsumer(stream, filter, sequence)
        const messages = yield* openMessages(consumer)
        const read = inOrder(operation)
        return Stream.fromAsyncIterable(messages, (cause) => new BusUnavailable({ operation, cause })).pipe(
          Stream.mapEffect((message) => busCall(operation, async () => read(message)))
        )
      })
    ).pipe(
      Stream.concat(Stream.fail(new BusUnavailable({ operation, cause: new Error("the consumer ended") }))),
      Stream.interruptWhen(connectionLost(operation))
    )
    return once.pipe(
      Stream.map((message) => {
        place.next = message.sequence + 1
        return message
      }),
      Stream.tapError((error) => Effect.logDebug(`${stream} is followed again: ${error.message}`)),
      Stream.retry(again),
      Stream.orDie
    )
  })

const again = Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("5 seconds")]).pipe(Schedule.jittered)

/** Where to go on in the stream as it is now; notes which stream that is. */
const startOf = Effect.fnUntraced(function* (
  stream: string,
  place: { readonly next: number; created: string | undefined }
) {
  const connection = yield* (yield* Bus).connection
  const { created, state } = yield* busCall(`follow ${stream}`, async () =>
    (await jetstream(connection).streams.get(stream)).info()
  )
  const isAnother = place.created !== undefined && place.created !== created
  place.created = created
  return isAnother || place.next > state.last_seq + 1 ? 1 : Math.max(place.next, 1)
})
