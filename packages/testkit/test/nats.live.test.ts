import { createConnection } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { jetstream, jetstreamManager } from "@nats-io/jetstream"
import { connect, type NatsConnection } from "@nats-io/transport-node"
import { Effect } from "effect"
import { type NatsServer, startNats } from "../src/index.ts"

const connection = (server: NatsServer, credentials: { user?: string; pass?: string } = {}) =>
  Effect.acquireRelease(
    Effect.promise(() => connect({ servers: server.url, maxReconnectAttempts: 0, ...credentials })),
    (nats) => Effect.promise(() => nats.close().catch(() => undefined))
  )

const store = (nats: NatsConnection) =>
  Effect.promise(async () => {
    const manager = await jetstreamManager(nats)
    await manager.streams.add({ name: "KEPT", subjects: ["kept.>"] })
    await jetstream(nats).publish("kept.one", "1")
  })

const streams = (server: NatsServer) =>
  Effect.gen(function* () {
    const nats = yield* connection(server)
    return yield* Effect.promise(async () => {
      const manager = await jetstreamManager(nats)
      const found: Array<readonly [string, number]> = []
      for await (const stream of manager.streams.list()) found.push([stream.config.name, stream.state.messages])
      return found
    })
  }).pipe(Effect.scoped)

describe("startNats", () => {
  it.live("keeps streams over a SIGKILL and loses them by a wipe", () =>
    Effect.gen(function* () {
      const server = yield* startNats()
      yield* connection(server).pipe(Effect.flatMap(store), Effect.scoped)
      const before = yield* server.pid
      yield* server.kill
      yield* server.restart
      assert.notStrictEqual(yield* server.pid, before)
      assert.deepStrictEqual(yield* streams(server), [["KEPT", 1]])

      assert.include((yield* Effect.flip(server.wipe)).message, "expected a stopped server")
      yield* server.stop
      yield* server.wipe
      yield* server.restart
      assert.deepStrictEqual(yield* streams(server), [])
    }).pipe(Effect.scoped)
  )

  it.live("applies the users it is given", () =>
    Effect.gen(function* () {
      const server = yield* startNats({ configuration: 'authorization { users: [{ user: "a", password: "pw" }] }' })
      yield* connection(server, { user: "a", pass: "pw" })
      const refused = yield* Effect.exit(Effect.scoped(connection(server, { user: "a", pass: "no" })))
      assert.include(String(refused).toLowerCase(), "authorization")
    }).pipe(Effect.scoped)
  )

  it.live("says why it did not start, and leaves nothing behind when its scope closes", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(startNats({ configuration: "no_such_setting: 1" }))
      assert.include(error.message, "no_such_setting")
      const port = yield* Effect.scoped(Effect.map(startNats(), (server) => server.port))
      const code = yield* Effect.promise(
        () =>
          new Promise<string>((resolve) => {
            createConnection(port, "127.0.0.1")
              .on("error", (refused: NodeJS.ErrnoException) => resolve(refused.code ?? ""))
              .on("connect", () => resolve("connected"))
          })
      )
      assert.strictEqual(code, "ECONNREFUSED")
    }).pipe(Effect.scoped)
  )
})
