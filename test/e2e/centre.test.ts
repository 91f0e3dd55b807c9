import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { reportCluster } from "@lowtide/agent/report"
import { writeStatuses } from "@lowtide/agent/statuses"
import { layerAllocator } from "@lowtide/allocator/allocator"
import { Centre } from "@lowtide/allocator/centre"
import { generateKey, layerBus, readKeyRing, readSigningKey } from "@lowtide/bus"
import { clusterSourceFolder } from "@lowtide/kube"
import { ledgerPostgres, migrate } from "@lowtide/ledger"
import { startNats, startPostgres } from "@lowtide/testkit"
import { Effect, Layer, Schedule } from "effect"

const manifests = `
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: public, namespace: metallb-system}
spec: {addresses: [192.0.2.0/24]}
---
apiVersion: v1
kind: Node
metadata: {name: east-1}
status: {addresses: [{type: InternalIP, address: 10.1.0.11}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {type: LoadBalancer, ports: [{port: 80}], selector: {app: web}}
`

const eventually = <A>(probe: Effect.Effect<A | undefined, unknown>) =>
  probe.pipe(
    Effect.filterOrFail((value) => value !== undefined),
    Effect.retry({ schedule: Schedule.spaced("20 millis"), times: 500 }),
    Effect.map((value) => value as A)
  )

it.live("a Service in a folder gets an address, which its status and the ledger say", () =>
  Effect.gen(function* () {
    const postgres = yield* startPostgres()
    const nats = yield* startNats()
    const keys = generateKey()
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "lowtide-e2e-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
    )
    const statuses = join(folder, "status")
    const cluster = join(folder, "east")
    mkdirSync(cluster)
    writeFileSync(join(cluster, "all.yaml"), manifests)
    const bus = layerBus({ servers: [nats.url], name: "test" })
    const live = layerAllocator(readSigningKey("k1", keys.privatePem), Effect.orDie(migrate(postgres.url))).pipe(
      Layer.provideMerge(bus),
      Layer.provideMerge(ledgerPostgres(postgres.url))
    )
    yield* Effect.gen(function* () {
      const centre = yield* Centre
      yield* Effect.forkScoped(reportCluster("east").pipe(Effect.provide(clusterSourceFolder(cluster))))
      yield* Effect.forkScoped(writeStatuses("east", readKeyRing({ k1: keys.publicPem }), statuses))
      const vip = yield* eventually(centre.read(({ fleet }) => fleet.vip("default", "192.0.2.0")))
      assert.strictEqual(vip.holders[0]?.name, "web")
      const status = yield* eventually(
        Effect.try(() => readFileSync(join(statuses, "Service/shop/web.yaml"), "utf8")).pipe(
          Effect.map((text) => (text.includes("192.0.2.0") ? text : undefined))
        )
      )
      assert.include(status, "ip: 192.0.2.0")
    }).pipe(Effect.provide(live))
  }).pipe(Effect.scoped)
)
