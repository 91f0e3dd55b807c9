import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { startCollector } from "@lowtide/bgp"
import { generateKey, readSigningKey, seal } from "@lowtide/bus"
import { readStatusAddresses } from "@lowtide/kube"
import { startNats, startPostgres } from "@lowtide/testkit"
import { startProcess } from "@lowtide/testkit/lab/processes"
import { waitUntil } from "@lowtide/testkit/lab/wait"
import { Effect } from "effect"
import { mainOf, testFolder } from "./processes.ts"

/** One of each run: two speakers of one node refuse each other, also those of two runs on one machine. */
const cluster = `migration-${process.pid}`
const nodes = ["n1", "n2"]

/** What MetalLB gave, in no order of Lowtide's own; the oldest Service has none yet. */
const given = { front: "192.0.2.9", shop: "192.0.2.1", mail: "192.0.2.14" }

const service = (name: string, created: string, address?: string): object => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: "shop", uid: `uid-${name}`, creationTimestamp: created },
  spec: { type: "LoadBalancer", clusterIP: "10.0.9.1", selector: { app: name }, ports: [{ port: 80 }] },
  ...(address === undefined ? {} : { status: { loadBalancer: { ingress: [{ ip: address }] } } })
})

const slice = (name: string): object => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: { name: `${name}-1`, namespace: "shop", labels: { "kubernetes.io/service-name": name } },
  addressType: "IPv4",
  endpoints: nodes.map((nodeName) => ({ addresses: ["10.0.0.1"], nodeName, conditions: { ready: true } }))
})

const configuration = (peerPort: number): ReadonlyArray<object> => [
  ...nodes.map((name, index) => ({
    apiVersion: "v1",
    kind: "Node",
    metadata: { name },
    status: { addresses: [{ type: "InternalIP", address: `203.0.113.1${index}` }] }
  })),
  {
    apiVersion: "metallb.io/v1beta1",
    kind: "IPAddressPool",
    metadata: { name: "public", namespace: "metallb-system" },
    spec: { addresses: ["192.0.2.0/28"] }
  },
  {
    apiVersion: "metallb.io/v1beta2",
    kind: "BGPPeer",
    metadata: { name: "router", namespace: "metallb-system" },
    spec: { myASN: 64496, peerASN: 64511, peerAddress: "127.0.0.1", peerPort, holdTime: "9s" }
  },
  {
    apiVersion: "metallb.io/v1beta1",
    kind: "BGPAdvertisement",
    metadata: { name: "all", namespace: "metallb-system" },
    spec: {}
  }
]

it.live("Services that MetalLB gave addresses keep them, and the router never has another route for one", () =>
  Effect.gen(function* () {
    const postgres = yield* startPostgres()
    const nats = yield* startNats()
    const { folder, file } = yield* testFolder("migration")
    const seen = new Set<string>()
    const router = yield* startCollector(
      { host: "127.0.0.1", port: 0, localAsn: 64511, routerId: "203.0.113.1", holdTimeSeconds: 9, families: [4] },
      () => {
        for (const prefix of Object.keys(table())) seen.add(prefix)
      }
    )
    const table = (): Readonly<Record<string, number>> => {
      const counts: Record<string, number> = {}
      for (const { routes } of router.peers())
        for (const prefix of routes.keys()) counts[prefix] = (counts[prefix] ?? 0) + 1
      return counts
    }
    mkdirSync(join(folder, "manifests"))
    const names = ["early", ...Object.keys(given)]
    const objects = [
      service("early", "2026-01-01T00:00:00Z"),
      ...Object.entries(given).map(([name, address]) => service(name, "2026-02-01T00:00:00Z", address)),
      ...names.map(slice),
      ...configuration(router.port)
    ]
    const items = { apiVersion: "v1", kind: "List", items: objects }
    file("manifests/all.json", JSON.stringify(items))
    const [intents, install] = [generateKey(), generateKey()]
    const trust = { cluster, intentKeys: { k1: intents.publicPem }, installKey: install.publicPem }
    const allowed = JSON.stringify({ cluster, prefixes: ["192.0.2.0/24"] })
    const common = {
      LOWTIDE_CLUSTER: cluster,
      LOWTIDE_NATS_URL: nats.url,
      LOWTIDE_MANIFESTS: join(folder, "manifests"),
      LOWTIDE_TRUST_FILE: file("trust.json", JSON.stringify(trust))
    }
    const start = (name: string, main: string, env: Readonly<Record<string, string>>) =>
      startProcess({ name, command: [process.execPath, mainOf(main)], logFile: join(folder, `${name}.log`), env })
    yield* start("allocator", "allocator", {
      DATABASE_URL: postgres.url,
      LOWTIDE_NATS_URL: nats.url,
      LOWTIDE_SIGNING_KEY_FILE: file("key.pem", intents.privatePem),
      LOWTIDE_SIGNING_KEY_ID: "k1",
      LOWTIDE_HTTP_LISTEN: `unix:${join(folder, "api.sock")}`
    })
    for (const node of nodes) {
      yield* start(node, "speaker", {
        ...common,
        LOWTIDE_NODE: node,
        LOWTIDE_STATE_DIR: join(folder, node),
        LOWTIDE_ALLOWED_PREFIXES_FILE: file(
          "allowed.json",
          seal(readSigningKey("install", install.privatePem), allowed)
        ),
        LOWTIDE_HTTP_LISTEN: `unix:${join(folder, `${node}.sock`)}`
      })
    }
    yield* start("agent", "agent", {
      ...common,
      LOWTIDE_STATUSES: join(folder, "statuses"),
      LOWTIDE_HTTP_LISTEN: `unix:${join(folder, "agent.sock")}`
    })
    const wanted = ["192.0.2.0", ...Object.values(given)].map((address) => `${address}/32`).sort()
    yield* waitUntil(
      `routes ${wanted.join(", ")} from every node`,
      Effect.sync(() => {
        const counts = table()
        return wanted.every((prefix) => counts[prefix] === nodes.length)
      }),
      { deadlineMs: 60_000 }
    )
    assert.deepStrictEqual([...seen].sort(), wanted, "what the router ever had")
    const statuses = join(folder, "statuses")
    yield* waitUntil(
      "statuses as they were",
      Effect.sync(() =>
        Object.entries(given).every(
          ([name, address]) => readStatusAddresses(statuses, { namespace: "shop", name }).join() === address
        )
      ),
      { deadlineMs: 20_000 }
    )
  }).pipe(Effect.scoped)
)
