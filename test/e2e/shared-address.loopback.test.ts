import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { LowtideClient, layerClient } from "@lowtide/api"
import { generateKey, layerBus, readSigningKey, seal, sendCommand } from "@lowtide/bus"
import type { AgentCommand } from "@lowtide/domain/fleet/command-schema"
import { startNats, startPostgres } from "@lowtide/testkit"
import { bestNextHops, startBird } from "@lowtide/testkit/lab/index"
import { startProcess } from "@lowtide/testkit/lab/processes"
import { waitUntil } from "@lowtide/testkit/lab/wait"
import { manifestObject, nodeObject, serviceObject } from "@lowtide/testkit/observed"
import { Effect } from "effect"
import { mainOf, startAllocator, testFolder } from "./processes.ts"

/** Of each run their own: two speakers of one node refuse each other, also those of two runs on one machine. */
const sites = [
  { cluster: `east-${process.pid}`, node: "e1", source: "127.0.8.2", priority: 10 },
  { cluster: `west-${process.pid}`, node: "w1", source: "127.0.8.3", priority: 20 }
] as const
type Site = (typeof sites)[number]
const [east, west] = sites
const address = "192.0.2.4"
const routerAddress = "127.0.8.1"
const routerPort = 20_000 + (process.pid % 20_000)

type Command = AgentCommand["command"]
const manifest = ({ cluster }: Site, kind: string, name: string, spec: unknown): Command => ({
  _tag: "ApplyManifest",
  cluster,
  manifest: manifestObject(kind, name, spec)
})

const slice = (nodeName: string): string =>
  JSON.stringify({
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "web-1", namespace: "shop", labels: { "kubernetes.io/service-name": "web" } },
    addressType: "IPv4",
    endpoints: [{ addresses: ["10.0.0.1"], nodeName, conditions: { ready: true } }]
  })

it.live("a router takes the address of the preferred cluster, and of the other one when that is lost", () =>
  Effect.gen(function* () {
    const postgres = yield* startPostgres()
    const nats = yield* startNats()
    const files = yield* testFolder("shared")
    const { folder, file } = files
    const router = yield* startBird({
      folder: join(folder, "router"),
      asn: 64511,
      address: routerAddress,
      port: routerPort,
      neighbors: sites.map(({ source }) => ({
        ...{ address: source, asn: 64496, families: ["ipv4"] as const, passive: true, holdTimeSeconds: 9 }
      }))
    })
    const [intents, install] = [generateKey(), generateKey()]
    const socketPath = join(folder, "api.sock")
    yield* startAllocator(files, { databaseUrl: postgres.url, natsUrl: nats.url, privatePem: intents.privatePem })
    const startSpeaker = ({ cluster, node }: Site) => {
      const own = join(folder, cluster)
      mkdirSync(join(own, "manifests"), { recursive: true })
      file(`${cluster}/manifests/web.json`, slice(node))
      const trust = { cluster, intentKeys: { k1: intents.publicPem }, installKey: install.publicPem }
      const allowed = { cluster, prefixes: ["192.0.2.0/24"] }
      return startProcess({
        name: `speaker ${node}`,
        command: [process.execPath, mainOf("speaker")],
        logFile: join(folder, `${node}.log`),
        env: {
          LOWTIDE_CLUSTER: cluster,
          LOWTIDE_NODE: node,
          LOWTIDE_NATS_URL: nats.url,
          LOWTIDE_STATE_DIR: join(own, "state"),
          LOWTIDE_MANIFESTS: join(own, "manifests"),
          LOWTIDE_TRUST_FILE: file(`${cluster}/trust.json`, JSON.stringify(trust)),
          LOWTIDE_ALLOWED_PREFIXES_FILE: file(
            `${cluster}/allowed.json`,
            seal(readSigningKey("install", install.privatePem), JSON.stringify(allowed))
          ),
          LOWTIDE_HTTP_LISTEN: `unix:${join(own, "http.sock")}`
        }
      })
    }
    const eastern = yield* startSpeaker(east)
    yield* startSpeaker(west)
    let count = 0
    const id = () => `00000000-0000-4000-8000-${String(++count).padStart(12, "0")}`
    const send = (command: Command) => {
      const commandId = id()
      return sendCommand(command.cluster, { commandId, correlationId: commandId, command })
    }
    const api = <A, E>(question: (client: LowtideClient["Service"]) => Effect.Effect<A, E>) =>
      LowtideClient.use(question).pipe(Effect.provide(layerClient({ _tag: "UnixSocket", path: socketPath })))
    const shared = (members: ReadonlyArray<Site>) =>
      api((client) =>
        client.orders.apply({
          payload: {
            commandId: id(),
            object: {
              apiVersion: "lowtide.dev/v1alpha1",
              kind: "SharedAddress",
              metadata: { name: "any" },
              spec: {
                addresses: [address],
                members: members.map(({ cluster, priority }) => ({ cluster, namespace: "shop", name: "web", priority }))
              }
            }
          }
        })
      )
    yield* Effect.gen(function* () {
      for (const site of sites) {
        const { cluster, node, source } = site
        yield* send({ _tag: "RegisterCluster", cluster, network: "default" })
        yield* send(manifest(site, "IPAddressPool", "public", { addresses: ["192.0.2.0/29"] }))
        const peer = { myASN: 64496, peerASN: 64511, peerAddress: routerAddress, peerPort: routerPort, holdTime: "9s" }
        yield* send(manifest(site, "BGPPeer", "router", { ...peer, sourceAddress: source }))
        yield* send(manifest(site, "BGPAdvertisement", "all", {}))
        yield* send({ _tag: "ObserveNode", cluster, node: nodeObject(node, { addresses: [source] }) })
      }
      yield* shared(sites)
      for (const { cluster } of sites) yield* send({ _tag: "ObserveService", cluster, service: serviceObject("web") })
    }).pipe(Effect.provide(layerBus({ servers: [nats.url], name: "agent" })))
    const paths = Effect.map(router.routes, (routes) => ({
      from: (routes.find(({ prefix }) => prefix === `${address}/32`)?.paths ?? [])
        .map(({ neighbor }) => neighbor)
        .sort()
        .join(),
      best: bestNextHops(routes, `${address}/32`).join()
    }))
    const has = (expected: { readonly from: string; readonly best: string }) =>
      waitUntil(
        JSON.stringify(expected),
        Effect.map(paths, (found) => JSON.stringify(found) === JSON.stringify(expected)),
        { deadlineMs: 60_000 }
      )
    yield* has({ from: "127.0.8.2,127.0.8.3", best: "127.0.8.2" })
    const { sentence } = yield* api((client) => client.audit.holder({ params: { address }, query: {} }))
    assert.include(sentence, `is held by ${east.cluster} shop/web since`)
    assert.include(sentence, `is held by ${west.cluster} shop/web since`)
    const { items } = yield* api((client) => client.fleet.sharedAddresses({ query: {} }))
    assert.deepStrictEqual(
      items.flatMap(({ members }) => members.map(({ cluster, state }) => `${cluster} ${state}`)),
      sites.map(({ cluster }) => `${cluster} Held`)
    )
    yield* eastern.kill
    yield* has({ from: "127.0.8.3", best: "127.0.8.3" })
    yield* startSpeaker(east)
    yield* has({ from: "127.0.8.2,127.0.8.3", best: "127.0.8.2" })
    // Out of the sharing: withdrawn in its own cluster alone.
    yield* shared([east])
    yield* has({ from: "127.0.8.2", best: "127.0.8.2" })
  }).pipe(Effect.scoped)
)
