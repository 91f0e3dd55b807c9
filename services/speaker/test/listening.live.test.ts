import { once } from "node:events"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { request } from "node:http"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, it } from "@effect/vitest"
import { startPeer } from "@lowtide/bgp"
import { layerBus } from "@lowtide/bus/connection"
import { ensureStreams, publishAll } from "@lowtide/bus/streams"
import { stateSubject } from "@lowtide/bus/subjects"
import { startProcess } from "@lowtide/testkit/lab/processes"
import { waitUntil } from "@lowtide/testkit/lab/wait"
import { startNats } from "@lowtide/testkit/nats"
import { Effect, Result } from "effect"
import { clusterName, HandCentre, nodeIntent, nodeName, peer, vip } from "./hand-centre.ts"

const mainFile = fileURLToPath(new URL("../src/main.ts", import.meta.url))

const slice = JSON.stringify({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: { name: "web-1", namespace: "shop", labels: { "kubernetes.io/service-name": "web" } },
  addressType: "IPv4",
  endpoints: [{ addresses: ["10.0.0.1"], nodeName, conditions: { ready: true } }]
})

const metricsAt = (socketPath: string) =>
  Effect.callback<string>((resume) => {
    request({ socketPath, path: "/metrics" }, (response) => {
      let text = ""
      response.setEncoding("utf8").on("data", (chunk) => (text += chunk))
      response.on("end", () => resume(Effect.succeed(text)))
    }).end()
  })

const untilSo = (what: string, isSo: () => boolean) => waitUntil(what, Effect.sync(isSo), { deadlineMs: 30_000 })

/** Connects to a port of ours from an address, and is closed. */
const knock = (port: number, localAddress: string) =>
  Effect.promise(async () => {
    const socket = connect({ host: "127.0.0.1", port, localAddress }).on("error", () => {})
    await once(socket.resume(), "close").catch(() => {})
  })

it.live("a speaker that listens takes its peers alone, by the password of now, and counts the others", () =>
  Effect.gen(function* () {
    const nats = yield* startNats()
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "lowtide-listening-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }))
    )
    const centre = new HandCentre()
    for (const name of ["manifests", "secrets/shop/tor"]) mkdirSync(join(folder, name), { recursive: true })
    const setPassword = (text: string) => writeFileSync(join(folder, "secrets/shop/tor/password"), text)
    setPassword("spring tide")
    writeFileSync(join(folder, "trust.json"), centre.trustText)
    writeFileSync(join(folder, "allowed.json"), centre.allowedText())
    writeFileSync(join(folder, "manifests/web.yaml"), slice)
    const socketPath = join(folder, "http.sock")
    const log = () => readFileSync(join(folder, "speaker.log"), "utf8")
    yield* Effect.gen(function* () {
      yield* ensureStreams
      const password = { from: "secret", namespace: "shop", name: "tor" } as const
      const messages = [
        // Nothing listens on the discard port: the session can only be opened by the router.
        centre.say(nodeIntent([peer({ peerPort: 9, password })])),
        centre.say(vip("198.51.100.10")),
        centre.head()
      ]
      yield* publishAll(
        messages.map(({ key, envelope }) => ({ subject: stateSubject(clusterName, key), text: envelope }))
      )
      yield* startProcess({
        name: "speaker",
        command: [process.execPath, mainFile],
        logFile: join(folder, "speaker.log"),
        env: {
          LOWTIDE_CLUSTER: clusterName,
          LOWTIDE_NODE: nodeName,
          LOWTIDE_NATS_URL: nats.url,
          LOWTIDE_STATE_DIR: join(folder, "state"),
          LOWTIDE_MANIFESTS: join(folder, "manifests"),
          LOWTIDE_SECRETS_DIR: join(folder, "secrets"),
          LOWTIDE_TRUST_FILE: join(folder, "trust.json"),
          LOWTIDE_ALLOWED_PREFIXES_FILE: join(folder, "allowed.json"),
          LOWTIDE_HTTP_LISTEN: `unix:${socketPath}`,
          LOWTIDE_BGP_LISTEN: "127.0.0.1:0, 192.0.2.9:1790"
        }
      })
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
      setPassword("neap tide")
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
      const metrics = yield* metricsAt(socketPath)
      assert.include(metrics, 'lowtide_bgp_connections_refused_total{reason="unknown-address"} 7')
      assert.include(metrics, 'lowtide_bgp_connections_refused_total{reason="no-password"} 0')
      assert.include(metrics, 'lowtide_bgp_listening{listen="127.0.0.1 0"} 1')
      assert.include(metrics, 'lowtide_bgp_listening{listen="192.0.2.9 1790"} 0')
      assert.strictEqual(log().split("a connection from 127.0.0.77 was refused").length, 2, "said once a minute")
      assert.strictEqual(log().split("LT0310").length, 2, "said once while it is so")
    }).pipe(Effect.provide(layerBus({ servers: [nats.url], name: "test" })))
  }).pipe(Effect.scoped)
)
