import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, it } from "@effect/vitest"
import { startCollector } from "@lowtide/bgp"
import { type StationEvent, startStation } from "@lowtide/bmp"
import { layerBus } from "@lowtide/bus/connection"
import { ensureStreams, publishAll } from "@lowtide/bus/streams"
import { stateSubject } from "@lowtide/bus/subjects"
import { parsePrefix } from "@lowtide/net"
import { startProcess } from "@lowtide/testkit/lab/processes"
import { waitUntil } from "@lowtide/testkit/lab/wait"
import { startNats } from "@lowtide/testkit/nats"
import { Effect, Result, Scope } from "effect"
import { clusterName, HandCentre, nodeIntent, nodeName, peer, vip } from "./hand-centre.ts"

const mainFile = fileURLToPath(new URL("../src/main.ts", import.meta.url))

const slice = JSON.stringify({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: { name: "web-1", namespace: "shop", labels: { "kubernetes.io/service-name": "web" } },
  addressType: "IPv4",
  endpoints: [{ addresses: ["10.0.0.1"], nodeName, conditions: { ready: true } }]
})

const untilSo = (what: string, isSo: () => boolean) => waitUntil(what, Effect.sync(isSo), { deadlineMs: 30_000 })

it.live("a speaker tells a station its sessions and what it sends", () =>
  Effect.gen(function* () {
    const nats = yield* startNats()
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "lowtide-bmp-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }))
    )
    const events: Array<StationEvent> = []
    const station = yield* startStation({
      ...{ host: "127.0.0.1", port: 0, isAllowed: () => true, routersMax: 4, nowMs: Date.now },
      limits: { routesMax: 1_000, peersMax: 16, isWanted: () => true },
      onEvent: (event) => events.push(event)
    })
    const router = yield* startCollector({
      ...{ host: "127.0.0.1", port: 0, localAsn: 64511, routerId: "203.0.113.1", holdTimeSeconds: 9 },
      families: [4, 6]
    })
    const centre = new HandCentre()
    mkdirSync(join(folder, "manifests"))
    writeFileSync(join(folder, "trust.json"), centre.trustText)
    writeFileSync(join(folder, "allowed.json"), centre.allowedText())
    writeFileSync(join(folder, "manifests/web.yaml"), slice)
    const log = () => readFileSync(join(folder, "speaker.log"), "utf8")
    const asked = Result.getOrThrow(parsePrefix("198.51.100.10/32"))
    yield* Effect.gen(function* () {
      yield* ensureStreams
      const messages = [
        centre.say(nodeIntent([peer({ peerPort: router.port })])),
        centre.say(vip("198.51.100.10")),
        centre.head()
      ]
      yield* publishAll(
        messages.map(({ key, envelope }) => ({ subject: stateSubject(clusterName, key), text: envelope }))
      )
      const life = yield* Scope.make()
      yield* Scope.provide(
        startProcess({
          name: "speaker",
          command: [process.execPath, mainFile],
          logFile: join(folder, "speaker.log"),
          env: {
            LOWTIDE_CLUSTER: clusterName,
            LOWTIDE_NODE: nodeName,
            LOWTIDE_NATS_URL: nats.url,
            LOWTIDE_STATE_DIR: join(folder, "state"),
            LOWTIDE_MANIFESTS: join(folder, "manifests"),
            LOWTIDE_TRUST_FILE: join(folder, "trust.json"),
            LOWTIDE_ALLOWED_PREFIXES_FILE: join(folder, "allowed.json"),
            LOWTIDE_HTTP_LISTEN: `unix:${join(folder, "http.sock")}`,
            LOWTIDE_BMP_STATIONS: `127.0.0.1:${station.port}`
          }
        }),
        life
      )
      const table = () => station.routers()[0]?.view.peers[0]?.views.get("adj-rib-out-post")?.table
      yield* untilSo("the route is reported", () => table()?.get(asked) !== undefined)
      assert.strictEqual(station.routers()[0]?.view.name, `${clusterName}/${nodeName}`)
      assert.match(log(), new RegExp(`the BMP station 127\\.0\\.0\\.1:${station.port} is told of sessions`))
      yield* Scope.close(life, { _tag: "Success" } as never)
      yield* untilSo("its end is noticed", () => events.some(({ _tag }) => _tag === "RouterLost"))
    }).pipe(Effect.provide(layerBus({ servers: [nats.url], name: "test" })))
  }).pipe(Effect.scoped)
)
