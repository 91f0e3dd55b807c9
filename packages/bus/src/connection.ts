import { codes } from "@lowtide/domain/config/codes"
import { connect, type NatsConnection } from "@nats-io/transport-node"
import { Context, Effect, Fiber, Layer, Schema, Stream, SubscriptionRef } from "effect"

/** NATS did not answer, or said no. */
export class BusUnavailable extends Schema.TaggedError<BusUnavailable>()("BusUnavailable", {
  operation: Schema.String,
  cause: Schema.Defect()
}) {
  override get message() {
    return `NATS: ${this.operation}: ${this.cause instanceof Error ? this.cause.message : String(this.cause)}`
  }
}

/** One call to NATS; what it throws is `BusUnavailable`. */
export const busCall = <A>(operation: string, call: () => Promise<A>): Effect.Effect<A, BusUnavailable> =>
  Effect.tryPromise({ try: call, catch: (cause) => new BusUnavailable({ operation, cause }) })

/**
 * The connection to NATS. It is there from the start whether or not a server is, and returns by itself: `connected`
 * says which, and counts each return, since whoever listens has then to look for what it missed.
 */
export class Bus extends Context.Service<
  Bus,
  {
    readonly connection: NatsConnection
    readonly connected: SubscriptionRef.SubscriptionRef<{ readonly up: boolean; readonly times: number }>
  }
>()("@lowtide/bus/Bus") {}

/**
 * Fails once the present connection is lost; never succeeds. Race a consumer with it: one that outlives its connection
 * waits for ever when the server comes back without its streams.
 */
export const connectionLost = (operation: string): Effect.Effect<never, BusUnavailable, Bus> =>
  Effect.gen(function* () {
    const { connected } = yield* Bus
    const { times } = yield* SubscriptionRef.get(connected)
    yield* SubscriptionRef.changes(connected).pipe(
      Stream.takeWhile((now) => now.up && now.times === times),
      Stream.runDrain
    )
    return yield* new BusUnavailable({ operation, cause: new Error("the connection was lost") })
  })

/** Where NATS is and who connects. */
export interface BusOptions {
  /** `nats://127.0.0.1:4222`; several, for a cluster. */
  readonly servers: ReadonlyArray<string>
  /** Shown by the server for this connection. */
  readonly name: string
  readonly user?: string
  readonly password?: string
}

/** Without a first connection for this long, it is said. */
const noticeMs = 3_000

/** Tries for ever; the Layer is ready at the first connection, and may be interrupted before. */
export const layerBus = (options: BusOptions): Layer.Layer<Bus, BusUnavailable> =>
  Layer.effect(
    Bus,
    Effect.gen(function* () {
      const waiting = yield* Effect.logError(
        `LT0502 no connection to NATS at ${options.servers.join(", ")} yet; state is kept, retrying. Fix: ${codes.LT0502.fix}`
      ).pipe(Effect.delay(noticeMs), Effect.forkScoped)
      const connection = yield* Effect.acquireRelease(
        busCall("connect", () =>
          connect({
            servers: [...options.servers],
            name: options.name,
            maxReconnectAttempts: -1,
            reconnectTimeWait: 250,
            reconnectJitter: 100,
            waitOnFirstConnect: true,
            pingInterval: 5_000,
            maxPingOut: 2,
            ...(options.user === undefined ? {} : { user: options.user }),
            ...(options.password === undefined ? {} : { pass: options.password })
          })
        ),
        (connection) => Effect.ignore(busCall("close", () => connection.close())),
        { interruptible: true }
      )
      yield* Fiber.interrupt(waiting)
      const connected = yield* SubscriptionRef.make({ up: true, times: 1 })
      yield* Effect.forkScoped(followStatus(connection, connected, options.name))
      return Bus.of({ connection, connected })
    })
  )

const followStatus = Effect.fnUntraced(function* (
  connection: NatsConnection,
  connected: SubscriptionRef.SubscriptionRef<{ readonly up: boolean; readonly times: number }>,
  name: string
) {
  const statuses = connection.status()[Symbol.asyncIterator]()
  for (;;) {
    const next = yield* Effect.promise(() => statuses.next())
    if (next.done) return
    switch (next.value.type) {
      case "disconnect":
        yield* Effect.logWarning(
          `LT0502 ${name} lost its connection to NATS at ${next.value.server}; state is kept, retrying`
        )
        yield* SubscriptionRef.update(connected, ({ times }) => ({ up: false, times }))
        break
      case "reconnect":
        yield* Effect.logInfo(`NATS: ${name} is connected to ${next.value.server} again`)
        yield* SubscriptionRef.update(connected, ({ times }) => ({ up: true, times: times + 1 }))
        break
      case "error":
        yield* Effect.logError(`NATS: ${next.value.error.message}`)
        break
      default:
        break
    }
  }
})
