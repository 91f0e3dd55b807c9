import { DeliverPolicy, jetstream } from "@nats-io/jetstream"
import { Effect, Queue, Schedule, Stream } from "effect"
import { Bus, busCall } from "./connection.ts"
import type { StoredMessage } from "./read-stream.ts"

/** Messages read ahead of a busy reader. */
const readAhead = 500

/**
 * Follows a stream for ever from a sequence on. A server that was wiped begins again at 1: then everything it has is new.
 */
export const followStream = (
  stream: string,
  filter: string,
  fromSequence: number
): Stream.Stream<StoredMessage, never, Bus> =>
  Stream.callback<StoredMessage, never, Bus>(
    Effect.fnUntraced(function* (queue) {
      let next = fromSequence
      yield* Effect.gen(function* () {
        const messages = yield* openConsumer(stream, filter, next)
        yield* busCall(`follow ${stream}`, async () => {
          for await (const message of messages) {
            next = message.seq + 1
            const storedAtMs = message.info.timestampNanos / 1e6
            await Effect.runPromise(
              Queue.offer(queue, {
                subject: message.subject,
                text: message.string(),
                sequence: message.seq,
                storedAtMs
              })
            )
          }
          throw new Error("the consumer ended")
        }).pipe(Effect.onExit(() => Effect.promise(async () => void (await messages.close()))))
      }).pipe(
        Effect.tapError((error) => Effect.logDebug(`${stream} is followed again: ${error.message}`)),
        Effect.retry(
          Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("5 seconds")]).pipe(Schedule.jittered)
        ),
        Effect.forkScoped
      )
      return yield* Effect.never
    }),
    { bufferSize: readAhead, strategy: "suspend" }
  )

const openConsumer = (stream: string, filter: string, fromSequence: number) =>
  Effect.gen(function* () {
    const { connection } = yield* Bus
    return yield* busCall(`follow ${stream}`, async () => {
      const jets = jetstream(connection)
      const { state } = await (await jets.streams.get(stream)).info()
      const start = fromSequence > state.last_seq + 1 ? 1 : Math.max(fromSequence, 1)
      const consumer = await jets.consumers.get(stream, {
        filter_subjects: filter,
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: start
      })
      return consumer.consume({ max_messages: readAhead })
    })
  })
