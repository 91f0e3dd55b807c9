import { type NatsServer, startNats } from "@lowtide/testkit"
import { jetstreamManager } from "@nats-io/jetstream"
import { Effect, Layer, Schedule } from "effect"
import { Bus, layerBus } from "../src/index.ts"

/** A server and a connection of ours to it, both of the test's scope. */
export const withBus = <A, E>(test: (server: NatsServer) => Effect.Effect<A, E, Bus>) =>
  Effect.gen(function* () {
    const server = yield* startNats()
    const bus = yield* Layer.build(layerBus({ servers: [server.url], name: "test" }))
    return yield* Effect.provideContext(test(server), bus)
  }).pipe(Effect.scoped)

/** How long a test waits for what has to come. */
export const deadlineMs = 20_000

/** Waits until the look answers true; says what was seen last when it never does. */
export const until = <E, R>(what: string, look: Effect.Effect<boolean, E, R>) =>
  look.pipe(
    Effect.flatMap((isSo) => (isSo ? Effect.void : Effect.fail("not yet"))),
    Effect.retry(Schedule.spaced("20 millis")),
    Effect.timeoutOrElse({ duration: deadlineMs, orElse: () => Effect.die(new Error(`expected ${what}`)) })
  )

/** Consumers that the server has of a stream. */
export const consumersOf = (stream: string) =>
  Effect.gen(function* () {
    const connection = yield* (yield* Bus).connection
    return yield* Effect.promise(async () => {
      const manager = await jetstreamManager(connection)
      return (await manager.streams.info(stream)).state.consumer_count
    })
  })
