import type { Consumer, ConsumerMessages } from "@nats-io/jetstream"
import { Effect } from "effect"
import { type Bus, BusUnavailable, busCall, connectionLost } from "./connection.ts"
import { inOrder, openConsumer, openMessages, type StoredMessage } from "./ordered-consumer.ts"

/**
 * Reads what a stream holds under a filter, from a sequence on, in its order, until it has caught up; a filter without
 * messages ends at once. A subject that is stored anew meanwhile may come twice, the newest last. Fails when the
 * connection is lost on the way, or when the server stops sending what it says is there.
 */
export const readStored = (
  stream: string,
  filter: string,
  fromSequence = 1
): Effect.Effect<ReadonlyArray<StoredMessage>, BusUnavailable, Bus> => {
  const operation = `read ${stream} ${filter}`
  return Effect.gen(function* () {
    const consumer = yield* openConsumer(stream, filter, fromSequence)
    const { num_pending: pending } = yield* busCall(operation, () => consumer.info(false))
    if (pending === 0) return []
    const messages = yield* openMessages(consumer)
    return yield* readUntilCaughtUp(operation, consumer, messages, pending)
  }).pipe(Effect.scoped, Effect.raceFirst(connectionLost(operation)))
}

/** After so long without a message the server is asked whether more is to come. */
const silenceMs = 1_000

/** A server that says so often in a row that there is more, and sends nothing, is given up. */
const silencesMax = 5

/**
 * Caught up is a reader after whom nothing comes, or who has had as many subjects as there were messages when it began: a
 * stream that is written all the time, and keeps one message of each, has told all that it held by then.
 */
const readUntilCaughtUp = (
  operation: string,
  consumer: Consumer,
  messages: ConsumerMessages,
  subjectsMax: number
): Effect.Effect<ReadonlyArray<StoredMessage>, BusUnavailable> => {
  const stored: Array<StoredMessage> = []
  const subjects = new Set<string>()
  const read = inOrder(operation)
  const reading = busCall(operation, async () => {
    for await (const message of messages) {
      stored.push(read(message))
      subjects.add(message.subject)
      if (message.info.pending === 0 || subjects.size >= subjectsMax) break
    }
    return stored
  })
  // A message's own count of what follows goes wrong when messages are replaced at the wrong moment.
  const listening = Effect.gen(function* () {
    for (let silences = 0, heard = -1; silences < silencesMax; ) {
      yield* Effect.sleep(silenceMs)
      silences = stored.length === heard ? silences + 1 : 0
      heard = stored.length
      if (silences > 0 && (yield* busCall(operation, () => consumer.info(false))).num_pending === 0) return stored
    }
    return yield* new BusUnavailable({
      operation,
      cause: new Error(`the server stopped sending after ${stored.length} messages, and says that there are more`)
    })
  })
  return Effect.raceFirst(reading, listening)
}
