import { codes } from "@lowtide/domain/config/codes"
import { connect, type NatsConnection } from "@nats-io/transport-node"
import { Context, Deferred, Effect, Fiber, Layer, Schedule, Schema, type Scope, Stream, SubscriptionRef } from "effect"
import { type BusOptions, connectionOptions } from "./connection-options.ts"

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
export const busCall = <A>(
  operation: string,
  call: (signal: AbortSignal) => Promise<A>
): Effect.Effect<A, BusUnavailable> =>
  Effect.tryPromise({ try: call, catch: (cause) => new BusUnavailable({ operation, cause }) })

/**
 * The connection to NATS. It is there from the start whether or not a server is, and returns by itself: `connected`
 * says which, and counts each return, since whoever listens has then to look for what it missed.
 */
export class Bus extends Context.Service<
  Bus,
  {
    /** Waits for the first connection; afterwards it is there at once, also while the server is away. */
    readonly connection: Effect.Effect<NatsConnection>
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

/** Without a first connection for this long, it is said. */
const noticeMs = 3_000

/**
 * Connects in the background, for ever: the Layer is there at once, with or without a server, and `connection` waits for
 * the first one. A server that refuses the credentials is asked again, since they may be given to it later.
 */
export const layerBus = (options: BusOptions): Layer.Layer<Bus> =>
  Layer.effect(
    Bus,
    Effect.gen(function* () {
      const first = yield* Deferred.make<NatsConnection>()
      const connected = yield* SubscriptionRef.make({ up: false, times: 0 })
      yield* Effect.gen(function* () {
        const connection = yield* connectFirst(options)
        yield* Deferred.succeed(first, connection)
        yield* SubscriptionRef.set(connected, { up: true, times: 1 })
        yield* followStatus(connection, connected, options.name)
      }).pipe(Effect.forkScoped)
      return Bus.of({ connection: Deferred.await(first), connected })
    })
  )

const connectFirst = (options: BusOptions): Effect.Effect<NatsConnection, never, Scope.Scope> =>
  Effect.gen(function* () {
    const servers = options.servers.join(", ")
    const waiting = yield* Effect.logError(
      `LT0502 no connection to NATS at ${servers} yet; state is kept, retrying. Fix: ${codes.LT0502.fix}`
    ).pipe(Effect.delay(noticeMs), Effect.forkChild)
    const connection = yield* Effect.acquireRelease(
      busCall("connect", () => connect(connectionOptions(options))).pipe(
        Effect.tapError((error) => Effect.logError(`LT0502 ${servers}: ${error.message}; state is kept, retrying`)),
        Effect.retry(Schedule.spaced("2 seconds")),
        Effect.orDie
      ),
      (connection) => Effect.ignore(busCall("close", () => connection.close())),
      { interruptible: true }
    )
    yield* Fiber.interrupt(waiting)
    return connection
  })

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
