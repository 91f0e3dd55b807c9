import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { isDeepStrictEqual } from "node:util"
import { assert, it } from "@effect/vitest"
import { startCollector } from "@lowtide/bgp"
import { generateKey, layerBus, readSigningKey, seal, sendCommand } from "@lowtide/bus"
import type { AgentCommand } from "@lowtide/domain/fleet/command-schema"
import { startNats, startPostgres } from "@lowtide/testkit"
import { startProcess } from "@lowtide/testkit/lab/processes"
import { waitUntil } from "@lowtide/testkit/lab/wait"
import { manifestObject, nodeObject, serviceObject } from "@lowtide/testkit/observed"
import { Effect } from "effect"
import { mainOf, startAllocator, testFolder } from "./processes.ts"

/** One of each run: two speakers of one node refuse each other, also those of two runs on one machine. */
const cluster = `move-${process.pid}`
const nodes = ["n1", "n2"]

type Command = AgentCommand["command"]
const manifest = (kind: string, name: string, spec: unknown): Command => ({
  _tag: "ApplyManifest",
  cluster,
  manifest: manifestObject(kind, name, spec)
})
const asking = (name: string, address: string): Command => ({
  _tag: "ObserveService",
  cluster,
  service: serviceObject(name, { requestedAddresses: [address] })
})
const web = (address: string): Command => asking("web", address)

/** More Services than a node's brake lets go in one minute unless it is ordered. */
const many = Array.from({ length: 14 }, (_, index) => `many-${index}`)

const slice = (service: string): string =>
  JSON.stringify({
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: `${service}-1`, namespace: "shop", labels: { "kubernetes.io/service-name": service } },
    addressType: "IPv4",
    endpoints: nodes.map((nodeName) => ({ addresses: ["10.0.0.1"], nodeName, conditions: { ready: true } }))
  })

it.live(
  "Services that move are reachable at their old addresses until the router has the new ones from every node",
  () =>
    Effect.gen(function* () {
      const postgres = yield* startPostgres()
      const nats = yield* startNats()
      const files = yield* testFolder("move")
      const { folder, file } = files
      const [intents, install] = [generateKey(), generateKey()]
      yield* startAllocator(files, { databaseUrl: postgres.url, natsUrl: nats.url, privatePem: intents.privatePem })
      const trust = { cluster, intentKeys: { k1: intents.publicPem }, installKey: install.publicPem }
      const allowed = { cluster, prefixes: ["192.0.2.0/24"] }
      mkdirSync(join(folder, "manifests"))
      for (const service of ["web", ...many]) file(`manifests/${service}.json`, slice(service))
      for (const node of nodes) {
        yield* startProcess({
          name: `speaker ${node}`,
          command: [process.execPath, mainOf("speaker")],
          logFile: join(folder, `${node}.log`),
          env: {
            LOWTIDE_CLUSTER: cluster,
            LOWTIDE_NODE: node,
            LOWTIDE_NATS_URL: nats.url,
            LOWTIDE_STATE_DIR: join(folder, node),
            LOWTIDE_MANIFESTS: join(folder, "manifests"),
            LOWTIDE_TRUST_FILE: file("trust.json", JSON.stringify(trust)),
            LOWTIDE_ALLOWED_PREFIXES_FILE: file(
              "allowed.json",
              seal(readSigningKey("install", install.privatePem), JSON.stringify(allowed))
            ),
            LOWTIDE_HTTP_LISTEN: `unix:${join(folder, `${node}.sock`)}`
          }
        })
      }
      /** How many nodes the router had each prefix from, at each change. */
      const seen: Array<Readonly<Record<string, number>>> = []
      const single: Array<Readonly<Record<string, number>>> = []
      const router = yield* startCollector(
        { host: "127.0.0.1", port: 0, localAsn: 64511, routerId: "203.0.113.1", holdTimeSeconds: 9, families: [4] },
        () => void seen.push(table())
      )
      const table = (): Readonly<Record<string, number>> => {
        const counts: Record<string, number> = {}
        for (const { routes } of router.peers())
          for (const prefix of routes.keys()) counts[prefix] = (counts[prefix] ?? 0) + 1
        return counts
      }
      const has = (expected: Readonly<Record<string, number>>) =>
        waitUntil(
          `routes ${JSON.stringify(expected)}`,
          Effect.sync(() => isDeepStrictEqual(table(), expected)),
          { deadlineMs: 40_000 }
        )
      let count = 0
      const send = (command: Command) => {
        const id = `00000000-0000-4000-8000-${String(++count).padStart(12, "0")}`
        return sendCommand(cluster, { commandId: id, correlationId: id, command })
      }
      yield* Effect.gen(function* () {
        yield* send(manifest("IPAddressPool", "public", { addresses: ["192.0.2.0/24"] }))
        const peer = { myASN: 64496, peerASN: 64511, peerAddress: "127.0.0.1", peerPort: router.port, holdTime: "9s" }
        yield* send(manifest("BGPPeer", "router", peer))
        yield* send(manifest("BGPAdvertisement", "all", {}))
        for (const [index, name] of nodes.entries()) {
          yield* send({
            _tag: "ObserveNode",
            cluster,
            node: nodeObject(name, { addresses: [`203.0.113.1${index}`] })
          })
        }
        yield* send(web("192.0.2.1"))
        yield* has({ "192.0.2.1/32": 2 })
        seen.length = 0
        yield* send(web("192.0.2.9"))
        yield* has({ "192.0.2.9/32": 2 })
        single.push(...seen)
        // All of them at once: no brake and no budget holds what is reachable at another address by now.
        const at = (first: number) => many.map((_, index) => `192.0.2.${first + index}`)
        const routes = (addresses: ReadonlyArray<string>) =>
          Object.fromEntries(["192.0.2.9", ...addresses].map((address) => [`${address}/32`, 2]))
        for (const [index, address] of at(32).entries()) yield* send(asking(`many-${index}`, address))
        yield* has(routes(at(32)))
        for (const [index, address] of at(64).entries()) yield* send(asking(`many-${index}`, address))
        yield* has(routes(at(64)))
      }).pipe(Effect.provide(layerBus({ servers: [nats.url], name: "agent" })))
      assert.isNotEmpty(single)
      for (const counts of single) {
        const [old = 0, next = 0] = [counts["192.0.2.1/32"], counts["192.0.2.9/32"]]
        assert.isTrue(
          old === 2 || next === 2,
          `no moment without all paths to one of the two: ${JSON.stringify(single)}`
        )
      }
    }).pipe(Effect.scoped)
)
