import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { LowtideClient, layerClient } from "@lowtide/api"
import { Bus, generateKey, layerBus, readSigningKey, seal, sendCommand } from "@lowtide/bus"
import type { AgentCommand } from "@lowtide/domain/fleet/command-schema"
import { startNats, startPostgres } from "@lowtide/testkit"
import { makeLab } from "@lowtide/testkit/lab/namespaces"
import { logHas, startProcess, startReady } from "@lowtide/testkit/lab/processes"
import { startRelay } from "@lowtide/testkit/lab/relay"
import { waitUntil } from "@lowtide/testkit/lab/wait"
import { manifestObject, serviceObject } from "@lowtide/testkit/observed"
import { Context, Effect, Layer } from "effect"
import { mainOf, startAllocator, testFolder } from "./processes.ts"

/** One of each run: two speakers of one node refuse each other, also those of two runs on one machine. */
export const cluster = `stalled-${process.pid}`
export const holdSeconds = 4

type Command = AgentCommand["command"]
export const manifest = (kind: string, name: string, spec: unknown, more: object = {}): Command => ({
  _tag: "ApplyManifest",
  cluster,
  manifest: manifestObject(kind, name, spec, more)
})
export const asking = (name: string, address: string): Command => ({
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

interface RouterPlan {
  readonly mode: "collects" | "stalls"
  readonly host?: string
  readonly port: number
  /** The full name of a namespace; the node's unless it is given. */
  readonly within?: string
}

/**
 * A fleet of one node, in a namespace of its own: allocator and speaker as processes, the agent's part the test's. The node
 * has a pool without a quarantine, and announces what it gives out.
 */
export const startOneNode = Effect.gen(function* () {
  const files = yield* testFolder("stalled")
  const { folder, file } = files
  const postgres = yield* startPostgres()
  const lab = yield* makeLab()
  const namespace = yield* lab.addNamespace("node")
  const nats = yield* startNats({ namespace, host: "127.0.0.1", port: 4222 })
  const natsPort = yield* startRelay({ namespace, port: 4222, name: "nats", logFolder: folder })
  const natsUrl = `nats://127.0.0.1:${natsPort}`
  const bus = Context.get(yield* Layer.build(layerBus({ servers: [natsUrl], name: "agent" })), Bus)
  const [intents, install] = [generateKey(), generateKey()]
  const socketPath = join(folder, "api.sock")
  yield* startAllocator(files, { databaseUrl: postgres.url, natsUrl: natsUrl, privatePem: intents.privatePem })
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
  /** A router of AS 64511 with a mode of `stalled-router-main.ts`, in a namespace of the lab. */
  const startRouter = (name: string, { mode, host = "127.0.0.1", port, within = namespace }: RouterPlan) =>
    startReady(
      {
        name,
        namespace: within,
        command: [
          process.execPath,
          join(import.meta.dirname, "stalled-router-main.ts"),
          ...[mode, host, String(port), String(holdSeconds)]
        ],
        logFile: join(folder, `${name}.log`)
      },
      logHas("ready"),
      60_000
    )
  const peer = (name: string, peerPort: number, peerAddress = "127.0.0.1") =>
    send(
      manifest("BGPPeer", name, { myASN: 64496, peerASN: 64511, holdTime: `${holdSeconds}s`, peerAddress, peerPort })
    )
  let count = 0
  const send = (command: Command) => {
    const id = `00000000-0000-4000-8000-${String(++count).padStart(12, "0")}`
    return Effect.provideService(sendCommand(cluster, { commandId: id, correlationId: id, command }), Bus, bus)
  }
  const api = layerClient({ _tag: "UnixSocket", path: socketPath })
  /** By address: its phase, and who holds it or did last. */
  const vips = Effect.gen(function* () {
    const { items } = yield* (yield* LowtideClient).fleet.vips({ query: {} })
    return new Map(
      items.map(({ address, phase, holders }) => [address, `${phase}, ${holders.map(({ name }) => name).join()}`])
    )
  }).pipe(Effect.provide(api))
  /** How many sessions are up. */
  const sessions = Effect.flatMap(LowtideClient, (client) => client.fleet.peers({ query: {} })).pipe(
    Effect.map(
      ({ items }) => items.flatMap((item) => item.sessions).filter(({ state }) => state === "Established").length
    ),
    Effect.provide(api)
  )
  yield* send(
    manifest(
      "IPAddressPool",
      "public",
      { addresses: ["192.0.2.0/24"] },
      { annotations: { "lowtide.dev/quarantine": "0s" } }
    )
  )
  yield* waitUntil("the speaker has joined", logHas("sync live")(speaker), { deadlineMs: 60_000 })
  return { lab, namespace, send, vips, sessions, startRouter, peer }
})
