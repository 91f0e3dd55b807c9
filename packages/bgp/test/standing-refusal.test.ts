import { createServer, type Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ceaseWithText, notification, type PeerEvent, type PeerOptions, startPeer } from "../src/index.ts"
import { encodeMessage, keepalive } from "../src/wire/message.ts"
import { type BgpNotification, hardReset } from "../src/wire/notification.ts"
import { until } from "./live.ts"

const context = { fourOctetAs: false, isInternal: false }

const peerOptions: PeerOptions = {
  ...{ name: "tor-a", host: "127.0.0.1", port: 179, localAsn: 64496, peerAsn: 64501, routerId: "192.0.2.2" },
  ...{ holdTimeSeconds: 90, connectRetrySeconds: 0.05, families: [4] }
}

/** A router that has one session, ends it so, and closes every connection after that without a word, as FRR and BIRD do. */
const routerThatEnds = (cease: BgpNotification) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly port: number; readonly close: () => void }>((resume) => {
      const sockets = new Set<Socket>()
      const server = createServer((socket) => {
        sockets.add(socket.on("error", () => {}))
        if (sockets.size > 1) return socket.destroy()
        const open = {
          _tag: "Open",
          version: 4,
          asn: 64501,
          holdTimeSeconds: 90,
          routerId: 1,
          capabilities: []
        } as const
        for (const message of [open, keepalive]) socket.write(encodeMessage(message, context))
        let heard = 0
        socket.on("data", (bytes: Buffer) => {
          heard += bytes.length
          if (heard > 60) socket.end(encodeMessage(cease, context)) // an OPEN and the first messages of a session
        })
      })
      server.listen({ host: "127.0.0.1", port: 0 }, () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        const close = () => {
          sockets.forEach((socket) => void socket.destroy())
          server.close()
        }
        resume(Effect.succeed({ port, close }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )

/** How the first attempt failed after the router had ended its session so. */
const failedAfter = (cease: BgpNotification) =>
  Effect.gen(function* () {
    const { port } = yield* routerThatEnds(cease)
    const events: Array<PeerEvent> = []
    yield* startPeer({ ...peerOptions, port }, (event) => events.push(event))
    const failures = () =>
      events.flatMap((event) => (event._tag === "ConnectFailed" && event.reason.includes("by the peer") ? event : []))
    yield* until("a connection that is closed in silence", () => failures().length > 0)
    assert.isTrue(events.some(({ _tag }) => _tag === "SessionEnded"))
    return failures()[0]!
  })

describe("a router that closes connections in silence, after it ended a session on purpose", () => {
  it.live.each([
    [notification(6, 1), /6\/1 Maximum Number of Prefixes Reached sent by the peer; it accepts fewer prefixes/],
    [ceaseWithText(2, "CHG-7"), /6\/2 Administrative Shutdown sent by the peer with the text "CHG-7"$/],
    [notification(6, 3), /6\/3 Peer De-configured sent by the peer; it no longer has us as a neighbour/],
    [
      hardReset(ceaseWithText(2, "CHG-8")),
      /6\/9 Hard Reset \(6\/2 Administrative Shutdown\) sent by the peer with the text "CHG-8"$/
    ]
  ] as const)("still refuses us for what it said then: %o", ([cease, said]) =>
    Effect.gen(function* () {
      const { reason, notification } = yield* failedAfter(cease)
      assert.match(
        reason,
        /^peer tor-a \(127\.0\.0\.1\) takes no session \(it closes the TCP connection: .* since NOTIFICATION /
      )
      assert.match(reason, said)
      assert.deepInclude(notification, { code: 6, subcode: cease.subcode, direction: "received" })
    })
  )

  it.live("refuses us for another cause, where it only began anew", () =>
    Effect.gen(function* () {
      const { reason, notification } = yield* failedAfter(ceaseWithText(4, "reload"))
      assert.match(reason, /most often it has no neighbour configured with our address$/)
      assert.isUndefined(notification)
    })
  )
})
