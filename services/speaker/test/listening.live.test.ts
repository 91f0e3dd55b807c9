import { once } from "node:events"
import { readFileSync } from "node:fs"
import { connect } from "node:net"
import { assert, it } from "@effect/vitest"
import { startPeer } from "@lowtide/bgp"
import { waitUntil } from "@lowtide/testkit/lab/wait"
import { Effect, Result } from "effect"
import { nodeIntent, peer, vip } from "./hand-centre.ts"
import { beginNode, get } from "./live-node.ts"

const untilSo = (what: string, isSo: () => boolean) => waitUntil(what, Effect.sync(isSo), { deadlineMs: 30_000 })

/** Connects to a port of ours from an address, and is closed. */
const knock = (port: number, localAddress: string) =>
  Effect.promise(async () => {
    const socket = connect({ host: "127.0.0.1", port, localAddress }).on("error", () => {})
    await once(socket.resume(), "close").catch(() => {})
  })

it.live("a speaker that listens takes its peers alone, by the password of now, and counts the others", () =>
  Effect.gen(function* () {
    const { nats, node, say, onBus } = yield* beginNode
    node.setPassword("spring tide")
    const password = { from: "secret", namespace: "shop", name: "tor" } as const
    // Nothing listens on the discard port: the session can only be opened by the router.
    yield* onBus(say(nodeIntent([peer({ peerPort: 9, password })]), vip("198.51.100.10")))
    const speaker = yield* node.start(nats.url, {
      LOWTIDE_SECRETS_DIR: node.secrets,
      LOWTIDE_BGP_LISTEN: "127.0.0.1:0, 192.0.2.9:1790"
    })
    const log = () => readFileSync(speaker.logFile, "utf8")
    yield* untilSo("it listens at one place and not at the other", () =>
      [/peers may connect to 127\.0\.0\.1 port \d+/, /LT0310/].every((line) => line.test(log()))
    )
    const port = Number(/peers may connect to 127\.0\.0\.1 port (\d+)/.exec(log())?.[1])
    assert.match(
      log(),
      /LT0310 cannot listen for BGP on 192\.0\.2\.9 port 1790: .*EADDRNOTAVAIL: the address is not on this node/
    )

    const dial = (key: string) =>
      startPeer(
        {
          name: "node",
          host: "127.0.0.1",
          port,
          localAsn: 64511,
          peerAsn: 64496,
          routerId: "203.0.113.1",
          holdTimeSeconds: 3,
          connectRetrySeconds: 0.2,
          families: [4],
          md5Key: () => Result.succeed(new TextEncoder().encode(key))
        },
        () => {}
      )
    yield* untilSo("the session is wanted", () => log().includes("sync live"))
    const before = yield* dial("spring tide")
    yield* untilSo("the route", () => before.status().prefixesReceived === 1)
    node.setPassword("neap tide")
    const after = yield* dial("neap tide") // beside the session that is up: let in, and then refused by the collision
    yield* untilSo("the new password is on the socket", () => after.status().lastError.received !== undefined)
    assert.strictEqual(before.status().state, "Established")
    yield* after.stop({ subcode: "none" })
    yield* before.stop({ subcode: "none" })
    const wrong = yield* dial("spring tide")
    const right = yield* dial("neap tide")
    yield* untilSo("the session by the new one", () => right.status().prefixesReceived === 1)
    assert.strictEqual(wrong.status().messages.received.Open, 0)

    for (let knocks = 0; knocks < 7; knocks++) yield* knock(port, "127.0.0.77")
    const metrics = (yield* get(node.httpSocket, "/metrics")).text
    assert.include(metrics, 'lowtide_bgp_connections_refused_total{reason="unknown-address"} 7')
    assert.include(metrics, 'lowtide_bgp_connections_refused_total{reason="no-password"} 0')
    assert.include(metrics, 'lowtide_bgp_listening{listen="127.0.0.1 0"} 1')
    assert.include(metrics, 'lowtide_bgp_listening{listen="192.0.2.9 1790"} 0')
    assert.strictEqual(log().split("a connection from 127.0.0.77 was refused").length, 2, "said once a minute")
    assert.strictEqual(log().split("LT0310").length, 2, "said once while it is so")
  }).pipe(Effect.scoped)
)
