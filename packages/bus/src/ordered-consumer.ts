import {
  AckPolicy,
  type Consumer,
  type ConsumerMessages,
  DeliverPolicy,
  type JsMsg,
  jetstream,
  jetstreamManager
} from "@nats-io/jetstream"
import { nuid } from "@nats-io/transport-node"
import { Effect, type Scope } from "effect"
import { Bus, BusUnavailable, busCall } from "./connection.ts"

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
const forgetAfterNanoseconds = 300_000_000_000

/**
 * A consumer of our own for one reading, taken off the server when the scope closes. It begins at a sequence also where
 * the newest message of each subject is wanted, which is all that such a stream keeps: nats-server 2.9, asked for the last
 * of each subject, delivers one message many times and others not at all when they are replaced while it delivers.
 *
 * The library's own ordered consumer asks for the whole stream's info first, which a cluster may not have: it lists the
 * subjects of all. So the consumer is made here, and `inOrder` sees what is lost.
 */
export const openConsumer = (
  stream: string,
  filter: string,
  fromSequence: number
): Effect.Effect<Consumer, BusUnavailable, Bus | Scope.Scope> =>
  Effect.gen(function* () {
    const connection = yield* (yield* Bus).connection
    return yield* Effect.acquireRelease(
      busCall(`read ${stream} ${filter}`, async () => {
        const manager = await jetstreamManager(connection, { checkAPI: false })
        const info = await manager.consumers.add(stream, {
          name: nuid.next(),
          filter_subject: filter,
          deliver_policy: DeliverPolicy.StartSequence,
          opt_start_seq: fromSequence,
          ack_policy: AckPolicy.None,
          max_deliver: 1,
          mem_storage: true,
          num_replicas: 1,
          inactive_threshold: forgetAfterNanoseconds
        })
        return jetstream(connection).consumers.getConsumerFromInfo(info)
      }),
      (consumer) => busCall("delete consumer", () => consumer.delete()).pipe(Effect.timeout(deleteMs), Effect.ignore),
      { interruptible: true } // a request that a lost connection took with it would be waited for
    )
  })

/** How long an open reading is given to end; a lost connection may have taken its end with it. */
const closeMs = 1_000

/** The consumer's messages, without end, until the scope closes. */
export const openMessages = (consumer: Consumer): Effect.Effect<ConsumerMessages, BusUnavailable, Scope.Scope> =>
  Effect.acquireRelease(
    busCall("consume", () => consumer.consume({ max_messages: readAhead, abort_on_missing_resource: true })),
    (messages) =>
      Effect.ignore(
        Effect.timeout(
          busCall("close", () => messages.close()),
          closeMs
        )
      )
  )

/** Reads the messages of one consumer one after another; throws when one was lost on its way. */
export const inOrder = (operation: string): ((message: JsMsg) => StoredMessage) => {
  let delivered = 0
  return (message) => {
    if (message.info.deliverySequence !== ++delivered) {
      const cause = new Error(`expected message ${delivered}, found ${message.info.deliverySequence}: some were lost`)
      throw new BusUnavailable({ operation, cause })
    }
    return {
      subject: message.subject,
      text: message.string(),
      sequence: message.seq,
      storedAtMs: message.info.timestampNanos / 1e6
    }
  }
}
