import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { adoptSocket } from "../src/transport.ts"

/** A connection over the loopback: our socket, and that of the peer. */
const connection = Effect.acquireRelease(
  Effect.promise(async () => {
    const server = createServer().listen(0, "127.0.0.1")
    await once(server, "listening")
    const ours = connect((server.address() as AddressInfo).port, "127.0.0.1")
    const [[peers]] = (await Promise.all([once(server, "connection"), once(ours, "connect")])) as [[Socket], unknown]
    peers.on("error", () => undefined)
    return { server, ours, peers }
  }),
  ({ server, ours, peers }) =>
    Effect.sync(() => {
      ours.destroy()
      peers.destroy()
      server.close()
    })
)

describe("transport", () => {
  it.live("what a peer says before it resets the connection is heard, though a write finds the end first", () =>
    Effect.gen(function* () {
      const { ours, peers } = yield* connection
      const heard: Array<string> = []
      const closed = Promise.withResolvers<string>()
      const transport = adoptSocket(ours, {
        onBytes: (bytes) => heard.push(String(bytes)),
        onDrain: () => undefined,
        onClosed: closed.resolve
      })
      // All in one turn: the loopback has delivered both before we write, and nothing was read yet.
      peers.write("NOTIFICATION")
      peers.resetAndDestroy()
      transport.write(new TextEncoder().encode("UPDATE"))
      transport.write(new TextEncoder().encode("UPDATE"))
      assert.strictEqual(yield* Effect.promise(() => closed.promise), "reset by the peer")
      assert.deepStrictEqual(heard, ["NOTIFICATION"])
    }).pipe(Effect.scoped)
  )
})
