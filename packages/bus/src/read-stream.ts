import { DeliverPolicy, jetstream } from "@nats-io/jetstream"
import { Effect } from "effect"
import { Bus, type BusUnavailable, busCall } from "./connection.ts"

/** One stored message. `sequence` is its place in its stream. */
export interface StoredMessage {
  readonly subject: string
  readonly text: string
  readonly sequence: number
  readonly storedAtMs: number
}

/** Messages asked for at once while reading a stream through. */
const readAhead = 500

/**
 * Reads what a stream holds under a filter now: the newest of each subject, or everything from a sequence on. Ends
 * when it has caught up; a filter without messages ends at once.
 */
export const readStored = (
  stream: string,
  filter: string,
  from: { readonly _tag: "LastPerSubject" } | { readonly _tag: "Sequence"; readonly sequence: number }
): Effect.Effect<ReadonlyArray<StoredMessage>, BusUnavailable, Bus> =>
  Effect.gen(function* () {
    const { connection } = yield* Bus
    return yield* busCall(`read ${stream} ${filter}`, async () => {
      const consumer = await jetstream(connection).consumers.get(stream, {
        filter_subjects: filter,
        ...(from._tag === "LastPerSubject"
          ? { deliver_policy: DeliverPolicy.LastPerSubject }
          : { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: from.sequence })
      })
      const stored: Array<StoredMessage> = []
      if ((await consumer.info(false)).num_pending === 0) {
        await consumer.delete()
        return stored
      }
      const messages = await consumer.consume({ max_messages: readAhead })
      for await (const message of messages) {
        stored.push({
          subject: message.subject,
          text: message.string(),
          sequence: message.seq,
          storedAtMs: message.info.timestampNanos / 1e6
        })
        if (message.info.pending === 0) break
      }
      await messages.close()
      await consumer.delete().catch(() => false)
      return stored
    })
  })
