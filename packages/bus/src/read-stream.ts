import { Effect } from "effect"
import { type Bus, type BusUnavailable, busCall, connectionLost } from "./connection.ts"
import { type From, openConsumer, openMessages, type StoredMessage, storedMessage } from "./ordered-consumer.ts"

/**
 * Reads what a stream holds under a filter now: the newest of each subject, or everything from a sequence on. Ends
 * when it has caught up; a filter without messages ends at once. Fails when the connection is lost on the way.
 */
export const readStored = (
  stream: string,
  filter: string,
  from: From
): Effect.Effect<ReadonlyArray<StoredMessage>, BusUnavailable, Bus> => {
  const operation = `read ${stream} ${filter}`
  return Effect.gen(function* () {
    const consumer = yield* openConsumer(stream, filter, from)
    const { num_pending: pending } = yield* busCall(operation, () => consumer.info(false))
    if (pending === 0) return []
    const messages = yield* openMessages(consumer)
    return yield* busCall(operation, async () => {
      const stored: Array<StoredMessage> = []
      for await (const message of messages) {
        stored.push(storedMessage(message))
        if (message.info.pending === 0) break
      }
      return stored
    })
  }).pipe(Effect.scoped, Effect.raceFirst(connectionLost(operation)))
}
