import { type NatsServer, startNats } from "@lowtide/testkit"
import { waitUntil } from "@lowtide/testkit/lab/wait"
import { jetstreamManager } from "@nats-io/jetstream"
import { Effect } from "effect"
import { Bus, layerBus } from "../src/index.ts"

/** A server, and a connection of ours to it, which ends before the server does. */
export const withBus = <A, E>(test: (server: NatsServer) => Effect.Effect<A, E, Bus>) =>
  Effect.gen(function* () {
    const server = yield* startNats()
    return yield* Effect.provide(test(server), layerBus({ servers: [server.url], name: "test" }))
  }).pipe(Effect.scoped)

/** Waits until it is so, 20 s at most. */
export const until = <E, R>(what: string, look: Effect.Effect<boolean, E, R>) =>
  waitUntil(what, look, { deadlineMs: 20_000 })

/** Consumers that the server has of a stream. */
export const consumersOf = (stream: string) =>
  Effect.gen(function* () {
    const connection = yield* (yield* Bus).connection
    return yield* Effect.promise(async () => {
      const manager = await jetstreamManager(connection)
      return (await manager.streams.info(stream)).state.consumer_count
    })
  })
