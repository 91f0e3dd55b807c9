import { createHash } from "node:crypto"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { LowtideClient, layerClient } from "@lowtide/api"
import { generateKey, layerBus, sendCommand } from "@lowtide/bus"
import type { AgentCommand } from "@lowtide/domain/fleet/command-schema"
import { startNats, startPostgres } from "@lowtide/testkit"
import { startProcess } from "@lowtide/testkit/lab/processes"
import { manifestObject, nodeObject, serviceObject } from "@lowtide/testkit/observed"
import { Effect, Schedule } from "effect"
import { mainOf, runLowtide, testFolder } from "./processes.ts"

type Command = AgentCommand["command"]
const manifest = (kind: string, name: string, spec: unknown): Command => ({
  _tag: "ApplyManifest",
  cluster: "east",
  manifest: manifestObject(kind, name, spec)
})
const node = (name: string): Command => ({ _tag: "ObserveNode", cluster: "east", node: nodeObject(name) })
const service = (name: string): Command => ({ _tag: "ObserveService", cluster: "east", service: serviceObject(name) })

/** One command line in a process of its own, again while no allocator leads, as after each restart: exit code 7. */
const lowtide = (env: Readonly<Record<string, string>>, ...args: ReadonlyArray<string>) =>
  Effect.repeat(runLowtide(env, args), {
    until: ({ code }) => code !== 7,
    schedule: Schedule.upTo(Schedule.spaced("250 millis"), { times: 80 })
  })

it.live(
  "people retire a node, release by force, reserve, set quotas and share a pool, over restarts, with an allocator that asks for tokens",
  () =>
    Effect.gen(function* () {
      const postgres = yield* startPostgres()
      const nats = yield* startNats()
      const { folder, file } = yield* testFolder("orders")
      const holder = (name: string, kind: string, role: string) => ({
        name,
        kind,
        sha256: createHash("sha256").update(`secret-of-${name}`).digest("hex"),
        roles: [{ role }]
      })
      const tokens = {
        tokens: [
          holder("ada", "person", "operator"),
          holder("bob", "person", "admin"),
          holder("ci", "machine", "operator")
        ]
      }
      const settings = {
        DATABASE_URL: postgres.url,
        LOWTIDE_NATS_URL: nats.url,
        LOWTIDE_SIGNING_KEY_FILE: file("key.pem", generateKey().privatePem),
        LOWTIDE_SIGNING_KEY_ID: "k1",
        LOWTIDE_TOKENS_FILE: file("tokens.json", JSON.stringify(tokens)),
        LOWTIDE_HTTP_LISTEN: `unix:${join(folder, "api.sock")}`
      }
      const allocator = (name: string, more: Readonly<Record<string, string>> = {}) =>
        startProcess({
          name,
          command: [process.execPath, mainOf("allocator")],
          logFile: join(folder, `${name}.log`),
          env: { ...settings, ...more }
        })
      const first = yield* allocator("first")
      let count = 0
      const send = (command: Command) => {
        const id = `00000000-0000-4000-8000-${String(++count).padStart(12, "0")}`
        return sendCommand(command.cluster, { commandId: id, correlationId: id, command })
      }
      const server = { LOWTIDE_SERVER: `unix:${join(folder, "api.sock")}` }
      const ada = { ...server, LOWTIDE_TOKEN: "secret-of-ada" }
      const as = <A, E>(token: string, question: (api: LowtideClient["Service"]) => Effect.Effect<A, E>) =>
        LowtideClient.use(question).pipe(
          Effect.provide(layerClient({ _tag: "UnixSocket", path: join(folder, "api.sock") }, { token }))
        )
      const vip = Effect.map(
        as(ada.LOWTIDE_TOKEN, (api) => api.fleet.vips({ query: {} })),
        ({ items }) => items[0]
      )
      const leads = as(ada.LOWTIDE_TOKEN, (api) => api.health.readyz()).pipe(Effect.retry(Schedule.spaced("50 millis")))
      yield* Effect.gen(function* () {
        yield* send(manifest("IPAddressPool", "public", { addresses: ["192.0.2.0/28"] }))
        yield* send(manifest("BGPPeer", "tor", { myASN: 64496, peerASN: 64500, peerAddress: "10.1.0.1" }))
        yield* send(manifest("BGPAdvertisement", "all", {}))
        for (const name of ["n1", "n2"]) yield* send(node(name))
        yield* send(service("web"))
        yield* send({ _tag: "ForgetService", cluster: "east", namespace: "shop", name: "web" })
        yield* send({ _tag: "ForgetNode", cluster: "east", name: "n1" })
      }).pipe(Effect.provide(layerBus({ servers: [nats.url], name: "agent" })))

      assert.deepInclude(yield* vip, { phase: "withdrawing", awaiting: ["n1", "n2"] })
      const nobody = yield* lowtide(server, "node", "retire", "east/n1", "--reason", "burnt")
      assert.deepStrictEqual([nobody.code, nobody.err.includes("LT0601")], [5, true], nobody.err)
      const retired = yield* lowtide(ada, "node", "retire", "east/n1", "--reason", "burnt, replaced by n3")
      assert.strictEqual(retired.code, 0, retired.err)
      assert.match(retired.out, /person:ada .* node n1 was retired.*"burnt, replaced by n3"/)

      yield* first.kill
      const second = yield* allocator("second")
      yield* leads
      assert.deepInclude(yield* vip, { phase: "withdrawing", awaiting: ["n2"] })
      const reason = ["--reason", "looked at both routers"]
      const machine = yield* lowtide(
        { ...server, LOWTIDE_TOKEN: "secret-of-ci" },
        ...["vip", "force-release", "192.0.2.0", ...reason]
      )
      assert.deepStrictEqual([machine.code, machine.err.includes("LT0603")], [5, true], machine.err)
      const forced = yield* lowtide(ada, "vip", "force-release", "192.0.2.0", ...reason)
      assert.strictEqual(forced.code, 0, forced.err)
      assert.deepInclude(yield* vip, { phase: "quarantined", awaiting: [] })
      const { out } = yield* lowtide(ada, "who", "192.0.2.0")
      assert.match(
        out,
        /quarantined since .*because a person answers for its withdrawal, which not every node had confirmed \("looked at both routers"\) \(event \d+ by person:ada\)/
      )

      const objects = `
apiVersion: lowtide.dev/v1alpha1
kind: Reservation
metadata: {name: web}
spec: {for: {cluster: east, namespace: shop, name: web}, address: 192.0.2.9}
---
apiVersion: lowtide.dev/v1alpha1
kind: Quota
metadata: {name: shop}
spec: {cluster: east, namespace: shop, addresses: 1}
`
      const bob = { ...server, LOWTIDE_TOKEN: "secret-of-bob" }
      const applied = yield* lowtide(bob, "apply", "-f", file("fleet.yaml", objects), "--reason", "as agreed")
      assert.strictEqual(applied.code, 0, applied.err)
      assert.match(applied.out, /person:bob .* 192.0.2.9 of pool public was reserved for east shop\/web/)
      yield* second.kill
      const third = yield* allocator("third")
      yield* leads
      yield* Effect.gen(function* () {
        yield* send(service("web"))
        yield* send(service("api"))
      }).pipe(Effect.provide(layerBus({ servers: [nats.url], name: "agent" })))
      const given = yield* lowtide(ada, "get", "services")
      assert.match(given.out, /web +192\.0\.2\.9 /)
      assert.include(given.err, "LT0213")

      // A pool of the fleet: drawn from by the cluster that it selects, kept over a restart, and not deleted from under it.
      yield* Effect.gen(function* () {
        yield* send({ _tag: "RegisterCluster", cluster: "west", network: "default", labels: { region: "fra" } })
        yield* send({ _tag: "ObserveService", cluster: "west", service: serviceObject("shared") })
      }).pipe(Effect.provide(layerBus({ servers: [nats.url], name: "agent" })))
      const fleetPool = `
apiVersion: lowtide.dev/v1alpha1
kind: AddressPool
metadata: {name: public-fra, labels: {tier: prod}}
spec: {addresses: [198.51.100.0/30], clusterSelector: {matchLabels: {region: fra}}, quarantine: 24h}
`
      const poolFile = file("pool.yaml", fleetPool)
      const notAdmin = yield* lowtide(ada, "apply", "-f", poolFile)
      assert.deepStrictEqual([notAdmin.code, notAdmin.err.includes("LT0602")], [5, true], notAdmin.err)
      const made = yield* lowtide(bob, "apply", "-f", poolFile, "--reason", "one pool for all of Frankfurt")
      assert.match(made.out, /person:bob .* AddressPool public-fra of network default was created: 198\.51\.100\.0\/30/)
      assert.match(made.out, /198\.51\.100\.0 of pool public-fra was given to west shop\/shared/)
      yield* third.kill
      yield* allocator("fourth")
      yield* leads
      const pools = yield* lowtide(ada, "get", "pools", "-o", "wide", "--cluster", "west")
      assert.match(pools.out, /west +public-fra +Accepted +4 +1 .* 24h +fleet /)
      const kept = yield* lowtide(bob, "delete", "addresspool/public-fra")
      assert.include(kept.err, "LT0220")
      assert.include(kept.err, "west/shop/shared (198.51.100.0)")

      const open = { LOWTIDE_HTTP_LISTEN: "0.0.0.0:0", LOWTIDE_TOKENS_FILE: "" }
      const refused = yield* (yield* allocator("open", open)).ended
      assert.strictEqual(refused.code, 2)
      const { LOWTIDE_HTTP_LISTEN: _listen, ...wide } = { ...settings }
      const inClear = yield* (yield* allocator("clear", { ...wide, LOWTIDE_HTTP_LISTEN: "0.0.0.0:0" })).ended
      assert.strictEqual(inClear.code, 2)
      const behind = { LOWTIDE_HTTP_LISTEN: "0.0.0.0:0", LOWTIDE_HTTP_BEHIND_PROXY: "yes" }
      const asking = yield* allocator("wide", { ...wide, ...behind })
      yield* Effect.repeat(asking.log, { until: (log) => log.includes("the API listens on 0.0.0.0:0") })
      const broken = yield* (yield* allocator("broken", { LOWTIDE_TOKENS_FILE: file("bad.json", "{}") })).ended
      assert.strictEqual(broken.code, 2)
    }).pipe(Effect.scoped)
)
