import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { LowtideClient, layerClient } from "@lowtide/api"
import { waitUntil } from "@lowtide/testkit/lab/index"
import { Effect, Exit } from "effect"
import { type Fleet, type FleetOptions, sampleClusters, sampleFolder, startFleet } from "../../scripts/demo/fleet.ts"
import { checkRouters } from "../../scripts/demo/verify.ts"

/** The sample fleet, up and verified, in the scope of a test, on the ground that is asked for. */
export const runningFleetOn = Effect.fnUntraced(function* (
  on: Pick<FleetOptions, "ground" | "hasBird"> & Partial<Pick<FleetOptions, "samples">>
) {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "lowtide-e2e-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const fleet = yield* startFleet({
    folder,
    runFolder: folder,
    samples: sampleFolder,
    ...on,
    clusters: sampleClusters,
    apiPort: 0,
    say: () => {}
  })
  yield* Effect.addFinalizer((exit) => (Exit.isSuccess(exit) ? Effect.void : sayLogs(fleet)))
  yield* waitUntil("the routers have every route", isSettled(fleet), { deadlineMs: 120_000 })
  return fleet
})

/** What every process of the fleet said last, for whoever reads of a test that failed. */
const sayLogs = ({ logs }: Fleet) =>
  Effect.sync(() => {
    for (const name of readdirSync(logs).sort()) {
      const lines = readFileSync(join(logs, name), "utf8").trimEnd().split("\n")
      process.stderr.write(`${name} ends with\n${lines.slice(-20).join("\n")}\n\n`)
    }
  })

/** The sample fleet with BIRD and FRR, every node in a network namespace of its own. */
export const runningFleet = runningFleetOn({ ground: "namespaces", hasBird: true })

/** What the API says of every Service. */
export const services = (fleet: Fleet) =>
  Effect.gen(function* () {
    return (yield* (yield* LowtideClient).fleet.services({ query: {} })).items
  }).pipe(Effect.provide(layerClient({ _tag: "Url", url: fleet.apiUrl })))

/** Whether every router has just the routes that it should. */
export const isSettled = (fleet: Fleet): Effect.Effect<boolean> =>
  services(fleet).pipe(
    Effect.flatMap((items) =>
      Effect.map(
        checkRouters(fleet.site, items),
        (checks) => items.length >= 39 && checks.every(({ differences }) => differences.length === 0)
      )
    ),
    Effect.orElseSucceed(() => false)
  )

/** The routers' tables, a text for each. */
export const tables = (fleet: Fleet) =>
  Effect.forEach(fleet.site.clusters, ({ router }) =>
    Effect.map(router.nextHops, (hops) => JSON.stringify([...hops].sort()))
  )

/** A process of the fleet, by its name. */
export const component = (fleet: Fleet, name: string) => {
  const found = fleet.components.get(name)
  if (found === undefined)
    throw new Error(`expected a component ${name}, found ${[...fleet.components.keys()].join(", ")}`)
  return found
}

/** The next hops of a prefix in a cluster's router, or `no route`. */
export const hopsOf = (fleet: Fleet, cluster: string, prefix: string) =>
  Effect.gen(function* () {
    const site = fleet.site.clusters.find(({ plan }) => plan.name === cluster)
    return site === undefined ? "no cluster" : ((yield* site.router.nextHops).get(prefix)?.join(" ") ?? "no route")
  })

/** A Service of namespace shop with one endpoint. */
export const newService = (name: string, node: string, { policy = "Cluster", ready = true } = {}) => `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: shop}
spec: {type: LoadBalancer, externalTrafficPolicy: ${policy}, selector: {app: ${name}}, ports: [{port: 80, protocol: TCP}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}-1, namespace: shop, labels: {kubernetes.io/service-name: ${name}}}
addressType: IPv4
endpoints: [{addresses: [10.1.1.99], nodeName: ${node}, conditions: {ready: ${ready}}}]
ports: [{port: 80}]
`

/** Whether a Service of east has its route, over every node: policy Cluster. */
export const getsRoute = (fleet: Fleet, name: string) =>
  services(fleet).pipe(
    Effect.flatMap((items) => {
      const address = items.find((item) => item.cluster === "east" && item.name === name)?.addresses[0]?.address
      return address === undefined ? Effect.succeed("no address") : hopsOf(fleet, "east", `${address}/32`)
    }),
    Effect.map((hops) => hops === "10.1.0.11 10.1.0.12 10.1.0.13"),
    Effect.orElseSucceed(() => false)
  )
