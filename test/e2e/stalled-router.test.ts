import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { LowtideClient, layerClient } from "@lowtide/api"
import { generateKey, layerBus, readSigningKey, seal, sendCommand } from "@lowtide/bus"
import type { AgentCommand } from "@lowtide/domain/fleet/command-schema"
import { startNats, startPostgres } from "@lowtide/testkit"
import { ipBatch, makeLab, setSysctls } from "@lowtide/testkit/lab/namespaces"
import { logHas, startProcess, startReady } from "@lowtide/testkit/lab/processes"
import { startRelay } from "@lowtide/testkit/lab/relay"
import { waitUntil } from "@lowtide/testkit/lab/wait"
import { manifestObject, nodeObject, serviceObject } from "@lowtide/testkit/observed"
import { Effect } from "effect"

const root = join(import.meta.dirname, "../..")
const mainOf = (service: string) => join(root, "services", service, "src/main.ts")

/** One of each run: two speakers of one node refuse each other, also those of two runs on one machine. */
const cluster = `stalled-${process.pid}`
const holdSeconds = 4
const ports = { collects: 1790, stalls: 1791 }

type Command = AgentCommand["command"]
const manifest = (kind: string, name: string, spec: unknown, more: object = {}): Command => ({
  _tag: "ApplyManifest",
  cluster,
  manifest: manifestObject(kind, name, spec, more)
})
const asking = (name: string, address: string): Command => ({
  _tag: "ObserveService",
  cluster,
  service: serviceObject(name, { requestedAddresses: [address] })
})

const slice = (service: string): string =>
  JSON.stringify({
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: `${service}-1`, namespace: "shop", labels: { "kubernetes.io/service-name": service } },
    addressType: "IPv4",
    endpoints: [{ addresses: ["10.0.0.1"], nodeName: "n1", conditions: { ready: true } }]
  })

it.live(
  "addresses that a Service left are nobody's while a router that does not read may have them, nor for its hold time after",
  () =>
    Effect.gen(function* () {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "lowtide-stalled-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }))
      )
      const file = (name: string, text: string) => {
        writeFileSync(join(folder, name), text)
        return join(folder, name)
      }
      const postgres = yield* startPostgres()
      const lab = yield* makeLab()
      const namespace = yield* lab.addNamespace("node")
      const nats = yield* startNats({ namespace, host: "127.0.0.1", port: 4222 })
      const natsPort = yield* startRelay({ namespace, port: 4222, name: "nats", logFolder: folder })
      const natsUrl = `nats://127.0.0.1:${natsPort}`
      const [intents, install] = [generateKey(), generateKey()]
      const socketPath = join(folder, "api.sock")
      yield* startProcess({
        name: "allocator",
        command: [process.execPath, mainOf("allocator")],
        logFile: join(folder, "allocator.log"),
        env: {
          DATABASE_URL: postgres.url,
          LOWTIDE_NATS_URL: natsUrl,
          LOWTIDE_SIGNING_KEY_FILE: file("key.pem", intents.privatePem),
          LOWTIDE_SIGNING_KEY_ID: "k1",
          LOWTIDE_HTTP_LISTEN: `unix:${socketPath}`
        }
      })
      mkdirSync(join(folder, "manifests"))
      for (const service of ["web", "gone", "next"]) file(`manifests/${service}.json`, slice(service))
      const trust = { cluster, intentKeys: { k1: intents.publicPem }, installKey: install.publicPem }
      const allowed = { cluster, prefixes: ["192.0.2.0/24"] }
      const speaker = yield* startProcess({
        name: "speaker",
        namespace,
        command: [process.execPath, mainOf("speaker")],
        logFile: join(folder, "speaker.log"),
        env: {
          LOWTIDE_CLUSTER: cluster,
          LOWTIDE_NODE: "n1",
          LOWTIDE_NATS_URL: nats.url,
          LOWTIDE_STATE_DIR: join(folder, "state"),
          LOWTIDE_MANIFESTS: join(folder, "manifests"),
          LOWTIDE_TRUST_FILE: file("trust.json", JSON.stringify(trust)),
          LOWTIDE_ALLOWED_PREFIXES_FILE: file(
            "allowed.json",
            seal(readSigningKey("install", install.privatePem), JSON.stringify(allowed))
          ),
          LOWTIDE_HTTP_LISTEN: `unix:${join(folder, "speaker.sock")}`
        }
      })
      const startRouter = (mode: keyof typeof ports) =>
        startReady(
          {
            name: mode,
            namespace,
            command: [
              process.execPath,
              join(import.meta.dirname, "stalled-router-main.ts"),
              ...[mode, String(ports[mode]), String(holdSeconds)]
            ],
            logFile: join(folder, `${mode}.log`)
          },
          logHas("ready"),
          60_000
        )
      let count = 0
      const send = (command: Command) => {
        const id = `00000000-0000-4000-8000-${String(++count).padStart(12, "0")}`
        return sendCommand(cluster, { commandId: id, correlationId: id, command })
      }
      const vips = Effect.gen(function* () {
        const { items } = yield* (yield* LowtideClient).fleet.vips({ query: {} })
        return new Map(
          items.map(({ address, phase, holders }) => [address, `${phase}, ${holders.map(({ name }) => name).join()}`])
        )
      }).pipe(Effect.provide(layerClient({ _tag: "UnixSocket", path: socketPath })))
      /** Of both addresses, until so long after a moment. */
      const areKept = (sinceMs: number) =>
        waitUntil(
          "the hold time has passed",
          Effect.gen(function* () {
            const found = yield* vips
            if (Date.now() - sinceMs >= holdSeconds * 1_000) return true
            assert.strictEqual(found.get("192.0.2.1"), "withdrawing, web")
            assert.strictEqual(found.get("192.0.2.2"), "withdrawing, gone")
            return false
          }),
          { deadlineMs: 60_000, intervalMs: 200 }
        )

      yield* Effect.gen(function* () {
        const pool = { addresses: ["192.0.2.0/24"] }
        yield* send(manifest("IPAddressPool", "public", pool, { annotations: { "lowtide.dev/quarantine": "0s" } }))
        yield* waitUntil("the speaker has joined", logHas("sync live")(speaker), { deadlineMs: 60_000 })
        // From here on a connection of the namespace holds a few thousand octets that nobody reads, and no more.
        yield* ipBatch(["link set lo mtu 1500"], namespace)
        const smallest = "4096 4096 4096"
        yield* setSysctls(namespace, [
          ["ipv4/tcp_wmem", smallest],
          ["ipv4/tcp_rmem", smallest]
        ])
        const reading = yield* startRouter("collects")
        const stalling = yield* startRouter("stalls")
        const hears = (line: string) =>
          waitUntil(
            line,
            Effect.map(reading.log, (log) => log.trimEnd().split("\n").at(-1) === line),
            { deadlineMs: 60_000 }
          )

        for (const [name, peerPort] of Object.entries(ports)) {
          const peer = { myASN: 64496, peerASN: 64511, peerAddress: "127.0.0.1", holdTime: `${holdSeconds}s` }
          yield* send(manifest("BGPPeer", name, { ...peer, peerPort }))
        }
        const communities = (last: number) => Array.from({ length: last }, (_, index) => `large:64496:1:${index}`)
        const advertised = (last: number) => manifest("BGPAdvertisement", "all", { communities: communities(last) })
        yield* send(advertised(0))
        yield* send({ _tag: "ObserveNode", cluster, node: nodeObject("n1", { addresses: ["203.0.113.10"] }) })
        yield* send(asking("web", "192.0.2.1"))
        yield* send(asking("gone", "192.0.2.2"))
        yield* hears("has 192.0.2.1/32 192.0.2.2/32; 0 communities")
        yield* waitUntil(
          "the other session is up",
          Effect.map(
            Effect.flatMap(LowtideClient, (api) => api.fleet.peers({ query: {} })),
            ({ items }) =>
              items.flatMap(({ sessions }) => sessions).filter(({ state }) => state === "Established").length === 2
          ).pipe(Effect.provide(layerClient({ _tag: "UnixSocket", path: socketPath }))),
          { deadlineMs: 60_000 }
        )

        yield* stalling.signal("SIGUSR2")
        yield* waitUntil("it reads no more", logHas("stalled")(stalling))
        // Some 20,000 octets, of which none is read.
        for (let last = 81; last <= 100; last++) {
          yield* send(advertised(last))
          yield* hears(`has 192.0.2.1/32 192.0.2.2/32; ${last} communities`)
        }
        yield* send({ _tag: "ForgetService", cluster, namespace: "shop", name: "gone" })
        yield* send(asking("web", "192.0.2.9"))
        yield* send(asking("next", "192.0.2.2"))
        yield* waitUntil(
          "the router that reads has the new address, and neither of the old ones",
          Effect.gen(function* () {
            assert.notStrictEqual((yield* vips).get("192.0.2.2"), "assigned, next")
            return (yield* reading.log).trimEnd().endsWith("has 192.0.2.9/32; 100 communities")
          }),
          { deadlineMs: 60_000 }
        )
        yield* areKept(Date.now())

        const endedAtMs = Date.now()
        yield* stalling.kill
        yield* areKept(endedAtMs)
        yield* waitUntil(
          "the address that was deleted is given on, and the one before the move is free",
          Effect.map(vips, (found) => found.get("192.0.2.2") === "assigned, next" && !found.has("192.0.2.1")),
          { deadlineMs: 60_000 }
        )
        yield* hears("has 192.0.2.2/32 192.0.2.9/32; 100 communities")
      }).pipe(Effect.provide(layerBus({ servers: [natsUrl], name: "agent" })))
    }).pipe(Effect.scoped)
)
