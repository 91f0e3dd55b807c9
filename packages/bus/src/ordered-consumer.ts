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

/** Where to begin: with the newest message of each subject, or with everything from a sequence on. */
export type From = { readonly _tag: "LastPerSubject" } | { readonly _tag: "Sequence"; readonly sequence: number }

/** Messages asked for ahead of the reader. */
const readAhead = 500

/** How long the server is given to forget a consumer; it does so by itself after five minutes. */
const deleteMs = 1_000

/** A consumer of our own for one reading, taken off the server when the scope closes. */
export const openConsumer = (
  stream: string,
  filter: string,
  from: From
): Effect.Effect<Consumer, BusUnavailable, Bus | Scope.Scope> =>
  Effect.gen(function* () {
    const connection = yield* (yield* Bus).connection
    return yield* Effect.acquireRelease(
      busCall(`read ${stream} ${filter}`, () =>
        jetstream(connection).consumers.get(stream, {
          filter_subjects: filter,
          ...(from._tag === "LastPerSubject"
            ? { deliver_policy: DeliverPolicy.LastPerSubject }
            : { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: from.sequence })
        })
      ),
      (consumer) => busCall("delete consumer", () => consumer.delete()).pipe(Effect.timeout(deleteMs), Effect.ignore),
      { interruptible: true } // a request that a lost connection took with it would be waited for
    )
  })

/** The consumer's messages, without end, until the scope closes. */
export const openMessages = (consumer: Consumer): Effect.Effect<ConsumerMessages, BusUnavailable, Scope.Scope> =>
  Effect.acquireRelease(
    busCall("consume", () => consumer.consume({ max_messages: readAhead })),
    (messages) => Effect.promise(async () => void (await messages.close()))
  )

export const storedMessage = (message: JsMsg): StoredMessage => ({
  subject: message.subject,
  text: message.string(),
  sequence: message.seq,
  storedAtMs: message.info.timestampNanos / 1e6
})
