import { createHash } from "node:crypto"
import { mkdirSync, renameSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { assert } from "@effect/vitest"
import type { RecoveryAnswer } from "@lowtide/api/recovery"
import { generateKey, readSigningKey, seal } from "@lowtide/bus"
import { execute, startNats, startPostgres } from "@lowtide/testkit"
import { startBird } from "@lowtide/testkit/lab/bird"
import { startGobgp } from "@lowtide/testkit/lab/gobgp"
import { type LabProcess, startProcess } from "@lowtide/testkit/lab/processes"
import { waitUntil } from "@lowtide/testkit/lab/wait"
import { Effect } from "effect"
import { mainOf, runLowtide, testFolder } from "./processes.ts"

/** One cluster of this run: two speakers of one node refuse each other, also those of two runs on one machine. */
export const cluster = `east-${process.pid}`
const routerAddress = "127.4.0.1"
const nodes = [
  { name: "n1", address: "127.4.0.11" },
  { name: "n2", address: "127.4.0.12" }
]
const namesOf = (count: number) => Array.from({ length: count }, (_, index) => `web-${index + 1}`)

export const serviceText = (name: string) => `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: shop}
spec: {type: LoadBalancer, ports: [{port: 80}]}
---`
export const sliceText = (name: string) => `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}-1, namespace: shop, labels: {kubernetes.io/service-name: ${name}}}
addressType: IPv4
endpoints: [{addresses: [10.0.0.1], nodeName: n1, conditions: {ready: true}}]
---`
export const poolText = (range = "198.51.100.0/24") => `
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: public, namespace: metallb-system}
spec: {addresses: [${range}]}
---`
export const advertisementText = `
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {name: all, namespace: metallb-system}
---`
export const nodesText = (names: ReadonlyArray<string> = nodes.map(({ name }) => name)) =>
  nodes
    .filter(({ name }) => names.includes(name))
    .map(
      ({ name, address }) => `
apiVersion: v1
kind: Node
metadata: {name: ${name}}
status: {addresses: [{type: InternalIP, address: ${address}}]}
---`
    )
    .join("")
const networkText = (port: number, names: ReadonlyArray<string>) => `
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: router, namespace: metallb-system}
spec: {myASN: 64496, peerASN: 64511, peerAddress: ${routerAddress}, peerPort: ${port}}
---${nodesText(names)}`

const freePort = Effect.callback<number>((resume) => {
  const server = createServer()
  server.listen(0, routerAddress, () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0)))
  })
})

/** One command line in a process of its own. */
export const lowtide = (env: Readonly<Record<string, string>>, ...args: ReadonlyArray<string>) => runLowtide(env, args)

/** What a fleet has that others do not. */
interface FleetOptions {
  /** The router is GoBGP and reports by BMP to the allocator. */
  readonly reports?: true
}

/** All of a fleet as processes of their own, a router beside them: so many Services, each announced by both nodes. */
export const startFleet = (count: number, range?: string, { reports }: FleetOptions = {}) =>
  Effect.gen(function* () {
    const { folder, file } = yield* testFolder("withdrawals")
    const postgres = yield* startPostgres()
    const nats = yield* startNats()
    const port = yield* freePort
    const routerPlan = {
      folder: join(folder, "router"),
      asn: 64511,
      address: routerAddress,
      port,
      neighbors: nodes.map(({ address }) => ({ address, asn: 64496, families: ["ipv4"] as const }))
    }
    const stationPort = yield* freePort
    const router = yield* reports
      ? startGobgp({
          ...routerPlan,
          apiPort: yield* freePort,
          stations: [{ address: routerAddress, port: stationPort }]
        })
      : startBird(routerPlan)
    const keys = { k1: generateKey(), k2: generateKey() }
    const install = generateKey()
    const allowed = { cluster, prefixes: [range ?? "198.51.100.0/24"] }
    const trustText = (...ids: ReadonlyArray<KeyId>) => {
      const intentKeys = Object.fromEntries(ids.map((id) => [id, keys[id].publicPem]))
      return JSON.stringify({ cluster, intentKeys, installKey: install.publicPem })
    }
    const holder = (name: string, kind: string, role: string) => ({
      ...{ name, kind, roles: [{ role }] },
      sha256: createHash("sha256").update(`secret-of-${name}`).digest("hex")
    })
    const tokens = {
      tokens: [holder("ada", "person", "operator"), holder("bob", "person", "admin"), holder("ci", "machine", "admin")]
    }
    const manifests = join(folder, "manifests")
    mkdirSync(manifests)
    /** Whole at once, as deployments write. */
    const write = (name: string, text: string) => renameSync(file(`${name}.new`, text), join(manifests, name))
    const nodesAre = (...names: ReadonlyArray<string>) => write("network.yaml", networkText(port, names))
    nodesAre("n1", "n2")
    write("addresses.yaml", poolText(range) + advertisementText)
    const names = namesOf(count)
    write("slices.yaml", names.map(sliceText).join(""))
    write("services.yaml", names.map(serviceText).join(""))

    const common = { LOWTIDE_CLUSTER: cluster, LOWTIDE_NATS_URL: nats.url, LOWTIDE_MANIFESTS: manifests }
    const trusting = {
      LOWTIDE_TRUST_FILE: file("trust.json", trustText("k1")),
      LOWTIDE_ALLOWED_PREFIXES_FILE: file(
        "allowed.json",
        seal(readSigningKey("install", install.privatePem), JSON.stringify(allowed))
      )
    }
    const start = (name: string, service: string, env: Readonly<Record<string, string>>) =>
      startProcess({
        name,
        command: [process.execPath, mainOf(service)],
        logFile: join(folder, `${name}.log`),
        env
      })
    /** By whose signatures nodes and agent go from now on. */
    const believe = (...ids: ReadonlyArray<KeyId>) =>
      renameSync(file("trust.json.new", trustText(...ids)), trusting.LOWTIDE_TRUST_FILE)
    const startAllocator = ({ databaseUrl = postgres.url, keyId = "k1" }: AllocatorOptions = {}) =>
      start("allocator", "allocator", {
        DATABASE_URL: databaseUrl,
        LOWTIDE_NATS_URL: nats.url,
        LOWTIDE_SIGNING_KEY_FILE: file(`${keyId}.pem`, keys[keyId].privatePem),
        LOWTIDE_SIGNING_KEY_ID: keyId,
        LOWTIDE_TRUST_FILE: file("allocator-trust.json", trustText("k1", "k2")),
        LOWTIDE_TOKENS_FILE: file("tokens.json", JSON.stringify(tokens)),
        LOWTIDE_HTTP_LISTEN: `unix:${join(folder, "api.sock")}`,
        ...(reports && {
          LOWTIDE_BMP_LISTEN: `${routerAddress}:${stationPort}`,
          LOWTIDE_BMP_ROUTERS: "127.0.0.0/8"
        })
      })
    const allocator = yield* startAllocator()
    yield* start("agent", "agent", {
      ...common,
      LOWTIDE_STATUSES: join(folder, "statuses"),
      LOWTIDE_TRUST_FILE: trusting.LOWTIDE_TRUST_FILE,
      LOWTIDE_HTTP_LISTEN: `unix:${join(folder, "agent.sock")}`
    })
    const speakers = yield* Effect.forEach(nodes, ({ name, address }) =>
      start(name, "speaker", {
        ...common,
        ...trusting,
        LOWTIDE_NODE: name,
        LOWTIDE_STATE_DIR: join(folder, `state-${name}`),
        LOWTIDE_LOCAL_ADDRESS: address,
        LOWTIDE_NEXT_HOP_IPV6: "2001:db8::11",
        // GoBGP takes no next hop of a loopback network.
        ...(reports && { LOWTIDE_NEXT_HOP_IPV4: address.replace(/^127\.4\.0/, "192.0.2") }),
        LOWTIDE_HTTP_LISTEN: `unix:${join(folder, `${name}.sock`)}`
      })
    )
    const server = { LOWTIDE_SERVER: `unix:${join(folder, "api.sock")}` }
    const as = (name: string) => ({ ...server, LOWTIDE_TOKEN: `secret-of-${name}` })
    // GoBGP's own client waits a second for it, which a busy machine may be too slow for.
    const routes = Effect.map(Effect.retry(router.routes, { times: 30 }), (found) =>
      found.map(({ paths }) => paths.length)
    )
    const hasRoutes = (count: number) =>
      waitUntil(
        `${count} routes of two paths`,
        Effect.map(routes, (found) => found.length === count && found.every((paths) => paths === 2)),
        { deadlineMs: 60_000 + count * 50 }
      )

    yield* hasRoutes(count)
    const limit = (blastRadius: string) =>
      Effect.gen(function* () {
        const fleet = "apiVersion: lowtide.dev/v1alpha1\nkind: Fleet\nmetadata: {name: prod}\n"
        const path = file("fleet.yaml", `${fleet}spec: {blastRadius: ${blastRadius}}\n`)
        const applied = yield* lowtide(as("bob"), "apply", "-f", path)
        assert.strictEqual(applied.code, 0, applied.err)
      })
    return {
      ...{ folder, write, nodesAre, believe, as, limit },
      ...{ postgres, nats, router, allocator, startAllocator, speakers, routes, hasRoutes }
    }
  })

/** A key that intents are signed with. */
type KeyId = "k1" | "k2"

interface AllocatorOptions {
  readonly databaseUrl?: string
  readonly keyId?: KeyId
}

export type LoopbackFleet = Effect.Success<ReturnType<typeof startFleet>>

/** PostgreSQL and NATS have nothing any more; another allocator begins. */
export const loseAll = (
  { postgres, nats, startAllocator, ...fleet }: LoopbackFleet,
  { allocator = fleet.allocator, ...next }: AllocatorOptions & { readonly allocator?: LabProcess } = {}
) =>
  Effect.gen(function* () {
    yield* allocator.kill
    yield* nats.kill
    yield* nats.wipe
    yield* Effect.promise(() => execute(postgres.url, "drop schema public, audit cascade; create schema public"))
    yield* nats.restart
    return yield* startAllocator(next)
  })

/** Waits until everything is published anew in this incarnation. */
export const untilOver = ({ as }: LoopbackFleet, incarnation: number) =>
  waitUntil(
    `incarnation ${incarnation} is recovered`,
    Effect.map(lowtide(as("ada"), "recover", "-o", "json"), ({ code, out }) => {
      const recovery = code === 0 ? (JSON.parse(out) as RecoveryAnswer).recovery : null
      return (
        recovery?.incarnation === incarnation &&
        recovery.phase === "recovered" &&
        recovery.frozen.length === 0 &&
        recovery.republishing.length === 0
      )
    }),
    { deadlineMs: 600_000 }
  )
