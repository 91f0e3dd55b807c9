/**
 * `path`: a Service is written into a cluster's folder, and its route comes up in the kernel table of the cluster's router:
 * 200 changes one by one with BIRD as router, then with FRR. Times are milliseconds. Every process is a real one; the hops
 * between are read from the trace of each change, which all processes of one machine write by one clock. `beyond-watch` is
 * what the aim is about: from the moment the agent had read the file to the first next hop in the kernel, commit included.
 * The baseline is one durable single-row commit on the same PostgreSQL, in the same run.
 */
import { spawn } from "node:child_process"
import { appendFileSync, cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { LowtideClient, layerClient } from "@lowtide/api"
import { sqlSession, startPostgres } from "@lowtide/testkit"
import { inNamespace } from "@lowtide/testkit/lab/index"
import { Effect, Queue } from "effect"
import { type Fleet, sampleClusters, sampleFolder } from "../../scripts/demo/fleet.ts"
import { newService, runningFleetOn, services } from "../e2e/fleet-scope.ts"

const changesCount = Number(process.argv[2] ?? 200)

/** One change as it went, in milliseconds since 1970 or, for `hops`, between steps. */
interface Measured {
  readonly writtenMs: number
  readonly firstInKernelMs: number
  readonly allInKernelMs: number
  readonly readMs: number
  readonly hops: ReadonlyMap<string, number>
}

/** A route that appeared in, or changed in, a kernel's table. */
interface KernelEvent {
  readonly atMs: number
  readonly prefix: string
  readonly nextHopCount: number
}

const main = Effect.gen(function* () {
  const commits = yield* singleCommits
  process.stderr.write("the sample fleet starts\n")
  const samples = yield* samplesWithRoom
  const fleet = yield* runningFleetOn({ ground: "namespaces", hasBird: true, samples })
  for (const cluster of fleet.site.clusters) {
    process.stderr.write(`${changesCount} changes with ${cluster.router.kind} as router\n`)
    const events = yield* kernelEvents(cluster.routerNamespace ?? "")
    const measured: Array<Measured> = []
    for (let change = 0; change < changesCount; change++) {
      measured.push(yield* measureChange(fleet, cluster.plan.name, cluster.nodes.length, change, events))
    }
    printFigures(cluster.router.kind, measured, commits)
  }
})

/** The samples with a pool that is asked first and has room for every change: nothing that goes gives its address back in time. */
const samplesWithRoom = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "lowtide-bench-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  ),
  (folder) => {
    cpSync(sampleFolder, folder, { recursive: true })
    for (const { name } of sampleClusters) {
      appendFileSync(join(folder, name, "cluster.yaml"), `    - ${roomPrefix}\n`) // the list of allowed prefixes ends the file
      writeFileSync(join(folder, name, "metallb", "room.yaml"), roomText)
    }
    return folder
  }
)

const roomPrefix = "198.18.0.0/16"

const roomText = `apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: room, namespace: metallb-system, labels: {scope: world, tier: gold}}
spec: {addresses: [${roomPrefix}], serviceAllocation: {priority: 1, namespaces: [shop]}}
`

/** What `ip monitor` tells of a namespace's routes, with the time at which it told. */
const kernelEvents = Effect.fnUntraced(function* (namespace: string) {
  const queue = yield* Queue.unbounded<KernelEvent>()
  const [file = "", ...args] = inNamespace(namespace, ["ip", "-o", "monitor", "route"])
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => spawn(file, args, { stdio: ["ignore", "pipe", "inherit"] })),
    (process) => Effect.sync(() => process.kill())
  )
  createInterface({ input: child.stdout }).on("line", (line) => {
    const prefix = /^(?:nexthop |replace )?(\d+\.\d+\.\d+\.\d+)(?:\/32)? /.exec(line)?.[1]
    if (prefix === undefined || line.startsWith("Deleted")) return
    const nextHopCount = Math.max(1, line.split("nexthop via").length - 1)
    Queue.offerUnsafe(queue, { atMs: Date.now(), prefix, nextHopCount })
  })
  return queue
})

const measureChange = Effect.fnUntraced(function* (
  fleet: Fleet,
  cluster: string,
  nodeCount: number,
  change: number,
  events: Queue.Queue<KernelEvent>
) {
  const name = `path-${change}`
  yield* Queue.clear(events)
  const writtenMs = Date.now()
  writeFileSync(join(fleet.manifests, cluster, `${name}.yaml`), newService(name, `${cluster}-1`))
  let firstInKernelMs: number | undefined
  let allInKernelMs: number | undefined
  while (allInKernelMs === undefined) {
    const event = yield* Queue.take(events).pipe(
      Effect.timeoutOrElse({ duration: routeDeadline, orElse: () => noRoute(fleet, cluster, name) })
    )
    firstInKernelMs ??= event.atMs
    if (event.nextHopCount >= nodeCount) allInKernelMs = event.atMs
  }
  const hops = yield* traceHops(fleet, cluster, name)
  return {
    writtenMs,
    firstInKernelMs: firstInKernelMs ?? allInKernelMs,
    allInKernelMs,
    readMs: hops.readMs,
    hops: hops.hops
  }
})

/** A route that has not come by then will not come. */
const routeDeadline = "30 seconds"

const noRoute = (fleet: Fleet, cluster: string, name: string) =>
  Effect.flatMap(services(fleet), (items) => {
    const found = items.find((item) => item.cluster === cluster && item.name === name)
    return Effect.fail(
      new Error(`${cluster}/shop/${name}: expected a route within ${routeDeadline}, found ${JSON.stringify(found)}`)
    )
  })

/** The steps of the newest change, each at its first time anywhere, once every one of them is known. */
const traceHops = (fleet: Fleet, cluster: string, name: string) =>
  Effect.gen(function* () {
    const client = yield* LowtideClient
    const times = new Map<string, number>()
    for (let look = 0; look < 500 && !isComplete(times); look++) {
      times.clear()
      const trace = yield* client.audit.traceIn({ params: { cluster, namespace: "shop", name }, query: {} })
      for (const { step, time } of trace.hops) {
        if (time === null) continue
        const atMs = Date.parse(time)
        times.set(step, Math.min(atMs, times.get(step) ?? atMs))
      }
      if (!isComplete(times)) yield* Effect.sleep("20 millis")
    }
    const steps = ["received", "committed", "published", "node-received", "node-saved", "peer-written"]
    const hops = new Map<string, number>()
    for (const [index, step] of steps.entries()) {
      const before = times.get(steps[index - 1] ?? "received")
      const at = times.get(step)
      if (index > 0 && before !== undefined && at !== undefined) hops.set(step, at - before)
    }
    return { readMs: times.get("received") ?? 0, hops }
  }).pipe(Effect.provide(layerClient({ _tag: "Url", url: fleet.apiUrl })))

const isComplete = (times: ReadonlyMap<string, number>): boolean => times.has("peer-written") && times.has("node-saved")

/** Milliseconds of durable single-row commits, one after another. */
const singleCommits = Effect.scoped(
  Effect.gen(function* () {
    const server = yield* startPostgres()
    const client = yield* sqlSession(server.socketUrl)
    return yield* Effect.promise(async () => {
      await client.query("create table single (id int primary key, text text)")
      const latencies: Array<number> = []
      for (let id = 0; id < 300; id++) {
        const startedMs = performance.now()
        await client.query({
          name: "single",
          text: "insert into single values ($1, $2)",
          values: [id, "x".repeat(600)]
        })
        latencies.push(performance.now() - startedMs)
      }
      return latencies
    })
  })
)

const printFigures = (router: string, measured: ReadonlyArray<Measured>, commits: ReadonlyArray<number>): void => {
  const series = new Map<string, ReadonlyArray<number>>([
    ["written-to-received", measured.map(({ writtenMs, readMs }) => readMs - writtenMs)],
    ...[...new Set(measured.flatMap(({ hops }) => [...hops.keys()]))].map(
      (step) => [`to-${step}`, measured.flatMap(({ hops }) => hops.get(step) ?? [])] as const
    ),
    ["beyond-watch", measured.map(({ readMs, firstInKernelMs }) => firstInKernelMs - readMs)],
    ["beyond-watch-all-nodes", measured.map(({ readMs, allInKernelMs }) => allInKernelMs - readMs)],
    ["total", measured.map(({ writtenMs, firstInKernelMs }) => firstInKernelMs - writtenMs)]
  ])
  for (const [figure, values] of series) {
    for (const share of [0.5, 0.99]) {
      const value = quantile(values, share)
      const baseline = quantile(commits, share)
      console.log(
        JSON.stringify({
          bench: "path",
          figure: `${router} ${figure} p${share * 100}`,
          value: round(value),
          unit: "ms",
          baseline: round(baseline),
          baselineName: `one durable single-row commit, p${share * 100}`,
          ratio: round(value / baseline)
        })
      )
    }
  }
}

const quantile = (values: ReadonlyArray<number>, share: number): number => {
  const sorted = [...values].sort((left, right) => left - right)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

const round = (value: number): number => Math.round(value * 100) / 100

NodeRuntime.runMain(Effect.scoped(main))
