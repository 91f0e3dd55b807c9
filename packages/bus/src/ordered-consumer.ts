import { type Consumer, type ConsumerMessages, DeliverPolicy, type JsMsg, jetstream } from "@nats-io/jetstream"
import { Effect, type Scope } from "effect"
import { Bus, type BusUnavailable, busCall } from "./connection.ts"

/** One stored message. `sequence` is its place in its stream. */
export interface StoredMessage {
  readonly subject: string
  readonly text: string
  readonly sequence: number
  readonly storedAtMs: number
}

/** Messages asked for ahead of the reader. */
const readAhead = 500

/** How long the server is given to forget a consumer; it does so by itself after five minutes. */
const deleteMs = 1_000

/**
 * A consumer of our own for one reading, taken off the server when the scope closes. It begins at a sequence also where
 * the newest message of each subject is wanted, which is all that such a stream keeps: nats-server 2.9, asked for the last
 * of each subject, delivers one message many times and others not at all when they are replaced while it delivers.
 */
export const openConsumer = (
  stream: string,
  filter: string,
  fromSequence: number
): Effect.Effect<Consumer, BusUnavailable, Bus | Scope.Scope> =>
  Effect.gen(function* () {
    const connection = yield* (yield* Bus).connection
    return yield* Effect.acquireRelease(
      busCall(`read ${stream} ${filter}`, () =>
        jetstream(connection).consumers.get(stream, {
          filter_subjects: filter,
          deliver_policy: DeliverPolicy.StartSequence,
          opt_start_seq: fromSequence
        })
      ),
      (consumer) => busCall("delete consumer", () => consumer.delete()).pipe(Effect.timeout(deleteMs), Effect.ignore),
      { interruptible: true } // a request that a lost connection took with it would be waited for
    )
  })

/** How long an open reading is given to end; a lost connection may have taken its end with it. */
const closeMs = 1_000

/** The consumer's messages, without end, until the scope closes. */
export const openMessages = (consumer: Consumer): Effect.Effect<ConsumerMessages, BusUnavailable, Scope.Scope> =>
  Effect.acquireRelease(
    busCall("consume", () => consumer.consume({ max_messages: readAhead })),
    (messages) =>
      Effect.ignore(
        Effect.timeout(
          busCall("close", () => messages.close()),
          closeMs
        )
      )
  )

export const storedMessage = (message: JsMsg): StoredMessage => ({
  subject: message.subject,
  text: message.string(),
  sequence: message.seq,
  storedAtMs: message.info.timestampNanos / 1e6
})
