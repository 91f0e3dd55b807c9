import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { generateKey, readSigningKey, seal } from "@lowtide/bus"
import { startNats, startPostgres } from "@lowtide/testkit"
import { startBird } from "@lowtide/testkit/lab/bird"
import { startProcess } from "@lowtide/testkit/lab/processes"
import { waitUntil } from "@lowtide/testkit/lab/wait"
import { Effect } from "effect"

const root = join(import.meta.dirname, "../..")
const mainOf = (service: string) => join(root, "services", service, "src/main.ts")

/** One cluster of this run: two speakers of one node refuse each other, also those of two runs on one machine. */
const cluster = `east-${process.pid}`
const routerAddress = "127.4.0.1"
const nodes = [
  { name: "n1", address: "127.4.0.11" },
  { name: "n2", address: "127.4.0.12" }
]
const namesOf = (count: number) => Array.from({ length: count }, (_, index) => `web-${index + 1}`)

const serviceText = (name: string) => `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: shop}
spec: {type: LoadBalancer, ports: [{port: 80}]}
---`
const sliceText = (name: string) => `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}-1, namespace: shop, labels: {kubernetes.io/service-name: ${name}}}
addressType: IPv4
endpoints: [{addresses: [10.0.0.1], nodeName: n1, conditions: {ready: true}}]
---`
const poolText = `
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: public, namespace: metallb-system}
spec: {addresses: [198.51.100.0/24]}
---`
const advertisementText = `
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {name: all, namespace: metallb-system}
---`
const nodesText = nodes
  .map(
    ({ name, address }) => `
apiVersion: v1
kind: Node
metadata: {name: ${name}}
status: {addresses: [{type: InternalIP, address: ${address}}]}
---`
  )
  .join("")
const networkText = (port: number) => `
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: router, namespace: metallb-system}
spec: {myASN: 64496, peerASN: 64511, peerAddress: ${routerAddress}, peerPort: ${port}}
---${nodesText}`

const freePort = Effect.callback<number>((resume) => {
  const server = createServer()
  server.listen(0, routerAddress, () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0)))
  })
})

/** One command line in a process of its own. */
const lowtide = (env: Readonly<Record<string, string>>, ...args: ReadonlyArray<string>) =>
  Effect.promise(
    () =>
      new Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>((resolve) => {
        const child = spawn(process.execPath, [mainOf("cli"), ...args], { env: { ...env, NO_COLOR: "1" } })
        let out = ""
        let err = ""
        child.stdout.on("data", (chunk) => (out += chunk))
        child.stderr.on("data", (chunk) => (err += chunk))
        child.on("close", (code) => resolve({ code, out, err }))
      })
  )

/** All of a fleet as processes of their own, a router beside them: so many Services, each announced by both nodes. */
const startFleet = (count: number) =>
  Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "lowtide-withdrawals-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }))
    )
    const file = (name: string, text: string) => {
      writeFileSync(join(folder, name), text)
      return join(folder, name)
    }
    const postgres = yield* startPostgres()
    const nats = yield* startNats()
    const port = yield* freePort
    const router = yield* startBird({
      folder: join(folder, "bird"),
      asn: 64511,
      address: routerAddress,
      port,
      neighbors: nodes.map(({ address }) => ({ address, asn: 64496, families: ["ipv4"] }))
    })
    const intents = generateKey()
    const install = generateKey()
    const allowed = { cluster, prefixes: ["198.51.100.0/24"] }
    const trust = { cluster, intentKeys: { k1: intents.publicPem }, installKey: install.publicPem }
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
    write("network.yaml", networkText(port))
    write("addresses.yaml", poolText + advertisementText)
    const names = namesOf(count)
    write("slices.yaml", names.map(sliceText).join(""))
    write("services.yaml", names.map(serviceText).join(""))

    const common = { LOWTIDE_CLUSTER: cluster, LOWTIDE_NATS_URL: nats.url, LOWTIDE_MANIFESTS: manifests }
    const trusting = {
      LOWTIDE_TRUST_FILE: file("trust.json", JSON.stringify(trust)),
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
    yield* start("allocator", "allocator", {
      DATABASE_URL: postgres.url,
      LOWTIDE_NATS_URL: nats.url,
      LOWTIDE_SIGNING_KEY_FILE: file("key.pem", intents.privatePem),
      LOWTIDE_SIGNING_KEY_ID: "k1",
      LOWTIDE_TOKENS_FILE: file("tokens.json", JSON.stringify(tokens)),
      LOWTIDE_HTTP_LISTEN: `unix:${join(folder, "api.sock")}`
    })
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
        LOWTIDE_HTTP_LISTEN: `unix:${join(folder, `${name}.sock`)}`
      })
    )
    const server = { LOWTIDE_SERVER: `unix:${join(folder, "api.sock")}` }
    const as = (name: string) => ({ ...server, LOWTIDE_TOKEN: `secret-of-${name}` })
    const routes = Effect.map(router.routes, (found) => found.map(({ paths }) => paths.length))
    const hasRoutes = (count: number) =>
      waitUntil(
        `${count} routes of two paths`,
        Effect.map(routes, (found) => found.length === count && found.every((paths) => paths === 2)),
        { deadlineMs: 60_000 }
      )

    yield* hasRoutes(count)
    const limit = (blastRadius: string) =>
      Effect.gen(function* () {
        const fleet = "apiVersion: lowtide.dev/v1alpha1\nkind: Fleet\nmetadata: {name: prod}\n"
        const path = file("fleet.yaml", `${fleet}spec: {blastRadius: ${blastRadius}}\n`)
        const applied = yield* lowtide(as("bob"), "apply", "-f", path)
        assert.strictEqual(applied.code, 0, applied.err)
      })
    return { write, as, routes, hasRoutes, speakers, limit }
  })

it.live(
  "sixty Services that are deleted at once stay announced until a second person approves; then no speaker holds them back",
  () =>
    Effect.gen(function* () {
      const { write, as, routes, hasRoutes, speakers, limit } = yield* startFleet(60)
      yield* limit("{maxWithdrawRoutes: 0, per: 10m}")
      write("services.yaml", serviceText("web-1"))
      yield* waitUntil(
        "an order of 59 addresses",
        Effect.map(lowtide(as("ada"), "get", "approvals"), ({ out }) => /w-1 .* 59 +agent:.* pending/.test(out)),
        { deadlineMs: 60_000 }
      )
      const services = yield* lowtide(as("ada"), "get", "services")
      assert.match(services.out, /web-2 .* Held /)
      assert.match(services.out, /web-1 .* Announced /)
      const web2 = /web-2 +(198\.51\.100\.\d+)/.exec(services.out)?.[1] ?? ""
      const vips = yield* lowtide(as("ada"), "get", "vips")
      assert.match(vips.out, new RegExp(`${web2.replaceAll(".", "\\.")} +held .* w-1 `))
      const who = yield* lowtide(as("ada"), "who", web2)
      assert.include(who.out, "Its withdrawal waits for a second person to approve w-1")
      assert.deepStrictEqual((yield* routes).length, 60)
      const findings = yield* lowtide(as("ada"), "get", "findings")
      assert.include(findings.out, "LT0620")

      const reason = ["--reason", "shop was shut down, CHG-955"]
      const machine = yield* lowtide(as("ci"), "approve", "w-1", ...reason)
      assert.deepStrictEqual([machine.code, machine.err.includes("LT0603")], [5, true], machine.err)
      const unknown = yield* lowtide(as("ada"), "approve", "w-2", ...reason)
      assert.strictEqual(unknown.code, 3, unknown.err)
      assert.deepStrictEqual((yield* routes).length, 60)

      write("services.yaml", serviceText("web-1") + serviceText("web-2"))
      yield* waitUntil(
        "one of them is back",
        Effect.map(lowtide(as("ada"), "get", "approvals"), ({ out }) => /w-1 .* 58 +agent:/.test(out)),
        { deadlineMs: 60_000 }
      )
      const approved = yield* lowtide(as("ada"), "approve", "w-1", ...reason)
      assert.strictEqual(approved.code, 0, approved.err)
      assert.match(approved.out, /person:ada .*order w-1 was approved: 58 addresses/)
      yield* hasRoutes(2)
      for (const speaker of speakers) assert.notInclude(yield* speaker.log, "LT0406")
      const after = yield* lowtide(as("ada"), "get", "approvals")
      assert.notInclude(after.out, "w-1")
      yield* waitUntil(
        "every node has confirmed",
        Effect.map(lowtide(as("ada"), "get", "vips", "-o", "json"), ({ out }) => !out.includes('"withdrawing"')),
        { deadlineMs: 60_000 }
      )
    }).pipe(Effect.scoped)
)

it.live(
  "what nobody ordered stays in the router's table, held by the speakers' brakes, until a person releases them",
  () =>
    Effect.gen(function* () {
      const { write, as, routes, hasRoutes, speakers, limit } = yield* startFleet(30)
      const unlimited = "maxWithdrawPercent: 100, maxWithdrawRoutes: 1000"
      yield* limit(`{${unlimited}, perCluster: {${unlimited}}}`)
      const held = Effect.map(lowtide(as("ada"), "get", "nodes", "-o", "json"), ({ out }) =>
        (
          JSON.parse(out) as { readonly items: ReadonlyArray<{ readonly brake: { readonly held: number } | null }> }
        ).items.map(({ brake }) => brake?.held ?? 0)
      )
      // The centre takes the Advertisement's end for what it is: thirty signed intents without a route.
      write("addresses.yaml", poolText)
      yield* waitUntil(
        "both nodes hold back what is more than nine",
        Effect.map(held, (counts) => counts.length === 2 && counts.every((count) => count === 21)),
        { deadlineMs: 60_000 }
      )
      yield* hasRoutes(21)
      for (const speaker of speakers) assert.include(yield* speaker.log, "LT0406")
      const services = yield* lowtide(as("ada"), "get", "services", "-o", "json")
      const { items } = JSON.parse(services.out) as {
        readonly items: ReadonlyArray<{ readonly candidates: ReadonlyArray<string> }>
      }
      assert.deepStrictEqual(new Set(items.map(({ candidates }) => candidates.length)), new Set([0]))

      const reason = ["--reason", "moves to the other routers, CHG-958"]
      const one = yield* lowtide(as("ada"), "brake", "release", "--cluster", cluster, "--node", "n1", ...reason)
      assert.strictEqual(one.code, 0, one.err)
      yield* waitUntil(
        "n2 alone announces what is held",
        Effect.map(routes, (found) => found.length === 21 && found.every((paths) => paths === 1)),
        { deadlineMs: 60_000 }
      )
      const all = yield* lowtide(as("ada"), "brake", "release", "--cluster", cluster, ...reason)
      assert.strictEqual(all.code, 0, all.err)
      yield* hasRoutes(0)
      yield* waitUntil(
        "no node holds anything back",
        Effect.map(held, (counts) => counts.every((count) => count === 0)),
        { deadlineMs: 60_000 }
      )
      // Put back, it is announced as before: a brake keeps nothing from being said.
      write("addresses.yaml", poolText + advertisementText)
      yield* hasRoutes(30)
    }).pipe(Effect.scoped)
)

it.live(
  "sixty addresses whose Advertisement is deleted keep their routes until a second person approves, or it is put back",
  () =>
    Effect.gen(function* () {
      const { write, as, hasRoutes, speakers } = yield* startFleet(60)
      const waits = (pattern: RegExp) =>
        waitUntil(
          `${pattern}`,
          Effect.map(lowtide(as("ada"), "get", "approvals", "-o", "wide"), ({ out }) => pattern.test(out)),
          { deadlineMs: 60_000 }
        )
      const reason = ["--reason", "shop is served by the other site now, CHG-961"]

      // Within the standard budget is neither all of a cluster nor a half of it.
      write("addresses.yaml", poolText)
      yield* waits(/w-1 .* 60 +agent:.* pending .*BGPAdvertisement\/all deleted/)
      const held = yield* lowtide(as("ada"), "get", "findings")
      assert.include(held.out, "LT0620")
      assert.include(held.out, "LT0621")
      write("addresses.yaml", poolText + advertisementText)
      yield* waitUntil(
        "nothing waits",
        Effect.map(lowtide(as("ada"), "get", "approvals"), ({ out }) => !out.includes("w-1")),
        { deadlineMs: 60_000 }
      )
      assert.notInclude((yield* lowtide(as("ada"), "get", "findings")).out, "LT0621")

      write("addresses.yaml", poolText)
      yield* waits(/w-2 .* 60 +agent:.* pending/)
      const machine = yield* lowtide(as("ci"), "approve", "w-2", ...reason)
      assert.deepStrictEqual([machine.code, machine.err.includes("LT0603")], [5, true], machine.err)
      const rejected = yield* lowtide(as("bob"), "reject", "w-2", ...reason)
      assert.strictEqual(rejected.code, 0, rejected.err)
      assert.match(rejected.out, /order w-2 was rejected: 60 addresses of cluster .* stay announced/)
      const finding = yield* lowtide(as("ada"), "get", "findings")
      assert.match(finding.out, /LT0621/)

      // What the Advertisement needs stays with it.
      write("network.yaml", nodesText)
      yield* waits(/w-3 .* 60 +agent:.* pending .*BGPPeer\/router deleted/)
      const peers = yield* lowtide(as("ada"), "get", "peers")
      assert.match(peers.out, /router .*Established/i)
      yield* hasRoutes(60)
      // Without it the peer takes nothing any more, so that nothing of it waits.
      const approved = yield* lowtide(as("ada"), "approve", "w-2", ...reason)
      assert.strictEqual(approved.code, 0, approved.err)
      yield* hasRoutes(0)
      for (const speaker of speakers) assert.notInclude(yield* speaker.log, "LT0406")
      const done = yield* lowtide(as("ada"), "get", "approvals")
      assert.notMatch(done.out, /w-\d/)
    }).pipe(Effect.scoped)
)
