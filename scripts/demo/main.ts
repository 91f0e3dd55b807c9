import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { LowtideClient, layerClient } from "@lowtide/api"
import type { ServiceView } from "@lowtide/api/services"
import { capability, cleanStale, LabError, systemPath, tcpRequest } from "@lowtide/testkit/lab/index"
import { Cause, Effect, Exit, Fiber, type Scope } from "effect"
import { checkApiPort } from "./api-port.ts"
import { superviseComponent } from "./component.ts"
import { type Fleet, sampleClusters, sampleFolder, startFleet } from "./fleet.ts"
import { type DemoOptions, demoHelp, parseOptions } from "./options.ts"
import { fleetTable } from "./table.ts"
import { checkRouters, type RouterCheck } from "./verify.ts"

const projectFolder = fileURLToPath(new URL("../..", import.meta.url))
const keptFolder = join(projectFolder, ".lowtide/demo")
const pointerFile = join(projectFolder, ".lowtide/demo.json")

/** How long everything may take until the routers have it. */
const settleDeadlineMs = 120_000

const startTime = Date.now()
const say = (line: string): void => {
  process.stderr.write(`${((Date.now() - startTime) / 1000).toFixed(1).padStart(6)} s  ${line}\n`)
}

interface Settled {
  readonly services: ReadonlyArray<ServiceView>
  readonly checks: ReadonlyArray<RouterCheck>
  readonly secondsToFirstRoute: number | null
  readonly secondsToAllRoutes: number | null
}

/** Looks at the routers until they have everything, or the deadline passes. */
const settle = (fleet: Fleet): Effect.Effect<Settled, LabError> =>
  Effect.gen(function* () {
    let secondsToFirstRoute: number | null = null
    const seconds = () => Math.round(Date.now() - fleet.startedAtMs) / 1000
    for (;;) {
      const services = yield* readServices(fleet)
      const checks = yield* checkRouters(fleet.site, services)
      if (secondsToFirstRoute === null && checks.some(({ found }) => found.size > 0)) {
        secondsToFirstRoute = seconds()
        say("the first route is in a router")
      }
      const expectedCount = countServices(fleet)
      const areHeard = checks.every(({ unheard }) => unheard.length === 0)
      const isComplete =
        areHeard &&
        services.length >= expectedCount &&
        checks.every(({ differences, expected }) => differences.length === 0 && expected.size > 0)
      if (isComplete) return { services, checks, secondsToFirstRoute, secondsToAllRoutes: seconds() }
      if (Date.now() - fleet.startedAtMs > settleDeadlineMs) {
        return { services, checks, secondsToFirstRoute, secondsToAllRoutes: null }
      }
      yield* Effect.sleep("50 millis")
    }
  })

/** LoadBalancer Services in the manifests: the API has to know them all before its answer counts. */
const countServices = (fleet: Fleet): number =>
  fleet.site.clusters.reduce((sum, { facts }) => sum + facts.loadBalancerCount, 0)

const readServices = (fleet: Fleet): Effect.Effect<ReadonlyArray<ServiceView>> =>
  Effect.gen(function* () {
    const client = yield* LowtideClient
    return (yield* client.fleet.services({ query: {} })).items
  }).pipe(
    Effect.provide(layerClient({ _tag: "Url", url: fleet.apiUrl })),
    Effect.orElseSucceed(() => [])
  )

/** One real TCP connection through each router to a VIP of its cluster. */
const tryTraffic = (fleet: Fleet, { services }: Settled) =>
  Effect.forEach(fleet.site.clusters, ({ plan, client, facts }) =>
    Effect.gen(function* () {
      const service = services.find(
        ({ cluster, namespace, name, announcing }) =>
          cluster === plan.name && announcing.length > 0 && facts.tcpPortOf.has(`${namespace}/${name}`)
      )
      const address = service?.addresses[0]?.address
      const port = facts.tcpPortOf.get(`${service?.namespace}/${service?.name}`)
      if (client === undefined || service === undefined || address === undefined || port === undefined) return []
      const node = yield* tcpRequest(client, address, port).pipe(Effect.catch((error) => Effect.succeed(error.message)))
      return [{ cluster: plan.name, address, port, answeredBy: node, ok: service.announcing.includes(node) }]
    })
  ).pipe(Effect.map((answers) => answers.flat()))

const summarise = (fleet: Fleet, settled: Settled, traffic: Effect.Success<ReturnType<typeof tryTraffic>>) => {
  const { services, checks, secondsToFirstRoute, secondsToAllRoutes } = settled
  const differences = [
    ...checks.flatMap(({ cluster, differences, unheard }) => [
      ...differences.map((text) => `${cluster}: ${text}`),
      ...unheard.map((service) => `${cluster}: ${service}: its nodes do not say that they announce it`)
    ]),
    ...services
      .filter(({ addresses }) => addresses.length === 0)
      .map(
        ({ cluster, namespace, name, refusal }) =>
          `${cluster}: ${namespace}/${name} has no address: ${refusal?.message ?? "no answer"}`
      ),
    ...traffic
      .filter(({ ok }) => !ok)
      .map(({ cluster, address, answeredBy }) => `${cluster}: TCP to ${address}: ${answeredBy}`)
  ]
  const vips = new Set(
    services.flatMap(({ network, addresses }) => addresses.map(({ address }) => `${network} ${address}`))
  )
  return {
    ok:
      secondsToAllRoutes !== null &&
      differences.length === 0 &&
      traffic.every(({ ok }) => ok) &&
      (fleet.site.kind === "loopback" || traffic.length === fleet.site.clusters.length),
    ground: fleet.site.kind,
    services: services.length,
    vips: vips.size,
    routers: Object.fromEntries(
      checks.map(({ cluster, router, expected, found }) => [
        cluster,
        { router, routesExpected: expected.size, routesFound: found.size }
      ])
    ),
    secondsToFirstRoute,
    secondsToAllRoutes,
    traffic,
    differences
  }
}

const run = (options: DemoOptions) =>
  Effect.gen(function* () {
    yield* checkApiPort(options.apiPort)
    const cleaned = yield* cleanStale
    if (cleaned.length > 0) say(`removed what a demo that was killed had left: ${cleaned.join(", ")}`)
    const can = options.loopback ? ({ ok: false, reason: "--loopback was given" } as const) : yield* capability
    const hasBird = isOnPath("bird")
    if (!can.ok) sayLoopback(can.reason, hasBird)
    const runFolder = yield* temporaryFolder
    const folder = options.once ? runFolder : yield* keptFolderAnew(options.folder)
    const databaseUrl = process.env.DATABASE_URL
    const fleet = yield* startFleet({
      folder,
      runFolder,
      ground: can.ok ? "namespaces" : "loopback",
      hasBird,
      samples: sampleFolder,
      clusters: sampleClusters,
      apiPort: options.apiPort,
      say,
      ...(databaseUrl === undefined || databaseUrl === "" ? {} : { databaseUrl })
    })
    if (!options.once && options.folder === undefined) yield* pointTo(fleet)
    say("waiting for the routers to learn every route")
    const settled = yield* settle(fleet)
    const summary = summarise(fleet, settled, yield* tryTraffic(fleet, settled))
    if (options.once) return yield* finishOnce(options, settled, summary)
    yield* present(fleet, settled, summary)
    return yield* Effect.scoped(stayUp(fleet))
  })

const folderPrefix = "lowtide-demo-"

/** For what only processes look at; it goes with the demo, and with the next one if this one is killed. */
const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => {
    removeAbandoned()
    const folder = mkdtempSync(join(tmpdir(), folderPrefix))
    writeFileSync(join(folder, "demo.pid"), String(process.pid))
    return folder
  }),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** Tells a folder that a demo made from one that holds what somebody needs. */
const folderMark = ".lowtide-demo"

/** The folder that people look at, begun anew, unless a demo runs in it. */
const keptFolderAnew = (wanted: string | undefined): Effect.Effect<string, LabError> =>
  Effect.suspend(() => {
    const folder = wanted === undefined ? keptFolder : resolve(wanted)
    const pid = wanted === undefined ? runningDemo() : undefined
    if (pid !== undefined) {
      const detail = `one runs already, pid ${pid}; end it with Ctrl-C there, or use --once, which needs nothing of it`
      return Effect.fail(new LabError({ operation: "start the demo", detail }))
    }
    const isOurs = existsSync(join(folder, folderMark))
    if (existsSync(folder) && readdirSync(folder).length > 0 && !isOurs && wanted !== undefined) {
      const detail = `expected ${folder} to be missing, empty or of a demo before, found files of somebody else's; name another folder`
      return Effect.fail(new LabError({ operation: "start the demo", detail }))
    }
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
    writeFileSync(
      join(folder, folderMark),
      "Made by `npm run demo`, which deletes this folder when it is begun again.\n"
    )
    return Effect.succeed(folder)
  })

/** Removes the folders of demos whose process is gone. */
const removeAbandoned = (): void => {
  for (const name of readdirSync(tmpdir()).filter((name) => name.startsWith(folderPrefix))) {
    const folder = join(tmpdir(), name)
    try {
      const pid = readFileSync(join(folder, "demo.pid"), "utf8")
      if (!existsSync(`/proc/${pid}`)) rmSync(folder, { recursive: true, force: true })
    } catch {} // another user's, or one that is being made
  }
}

/** The pid of a demo that runs in the kept folder. */
const runningDemo = (): number | undefined => {
  try {
    const { pid } = JSON.parse(readFileSync(pointerFile, "utf8")) as { readonly pid: number }
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("demo") ? pid : undefined
  } catch {
    return undefined
  }
}

/** Lets the CLI find the API by itself from this folder. */
const pointTo = ({ apiUrl: api, checkpointKeys }: Fleet): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => writeFileSync(pointerFile, JSON.stringify({ api, checkpointKeys, pid: process.pid }))),
    () => Effect.sync(() => rmSync(pointerFile, { force: true }))
  )

const finishOnce = (options: DemoOptions, settled: Settled, summary: ReturnType<typeof summarise>) =>
  Effect.sync(() => {
    if (options.json) process.stdout.write(`${JSON.stringify(summary)}\n`)
    else process.stdout.write(`${fleetTable(settled.services, settled.checks)}\n\n${summaryText(summary)}\n`)
    for (const difference of summary.differences) say(`difference: ${difference}`)
    process.exitCode = summary.ok ? 0 : 1
  })

const summaryText = ({
  ok,
  services,
  vips,
  routers,
  secondsToFirstRoute,
  secondsToAllRoutes
}: ReturnType<typeof summarise>) =>
  [
    `${services} Services, ${vips} VIPs`,
    ...Object.entries(routers).map(
      ([cluster, { router, routesExpected, routesFound }]) =>
        `${cluster} (${router}): ${routesFound} of ${routesExpected} routes`
    ),
    `first route after ${secondsToFirstRoute ?? "-"} s, all after ${secondsToAllRoutes ?? "-"} s`,
    ok ? "every router has just what it should" : "the routers differ from what should be there"
  ].join("; ")

const present = (fleet: Fleet, settled: Settled, summary: ReturnType<typeof summarise>) =>
  Effect.gen(function* () {
    const pids = yield* Effect.forEach(fleet.components.values(), ({ name, pid }) =>
      Effect.map(pid, (value) => `${name} ${value}`)
    )
    const first = settled.services.find(({ addresses, announcing }) => addresses.length > 0 && announcing.length > 0)
    const address = first?.addresses[0]?.address ?? ""
    process.stdout.write(
      `${[
        fleetTable(settled.services, settled.checks),
        "",
        summaryText(summary),
        ...summary.traffic.map(
          ({ cluster, address, port, answeredBy }) =>
            `TCP through the router of ${cluster} to ${address} port ${port}: answered by ${answeredBy}`
        ),
        ...summary.differences.map((text) => `DIFFERENCE ${text}`),
        "",
        `API      ${fleet.apiUrl}/openapi.json`,
        `Edit     ${fleet.manifests}  (its effect shows within a second)`,
        `Status   ${fleet.statuses}`,
        `Logs     ${fleet.logs}`,
        "",
        "Try, from this folder in another terminal:",
        "  npx lowtide get services",
        `  npx lowtide who ${address}`,
        `  npx lowtide trace service/${first?.cluster}/${first?.namespace}/${first?.name}`,
        `  npx lowtide history service/${first?.cluster}/${first?.namespace}/${first?.name}`,
        "  npx lowtide get peers",
        ...nodeCommand(fleet),
        ...routerCommands(fleet),
        "Kill allocator, NATS, Postgres or agents with kill -9: no route changes. A killed speaker's routes leave until it is back.",
        "What was killed is started again after 3 seconds. Their pids:",
        `  ${pids.join("  ")}`,
        "",
        "Ctrl-C ends it all."
      ].join("\n")}\n`
    )
  })

/** As at a node, with everything else away. */
const nodeCommand = (fleet: Fleet): ReadonlyArray<string> =>
  fleet.site.clusters
    .flatMap(({ nodes }) => nodes)
    .slice(0, 1)
    .map(({ name }) => `  npx lowtide node status --socket ${join(fleet.site.folder, "state", name, "control.sock")}`)

const routerCommands = (fleet: Fleet): ReadonlyArray<string> =>
  fleet.site.clusters.flatMap(({ plan, routerNamespace }) => {
    const folder = join(fleet.site.folder, `${plan.name}-router`)
    if (plan.router === "bird") return [`  birdc -s ${folder}/bird.ctl show route`]
    return routerNamespace === undefined
      ? []
      : [`  ip -n ${routerNamespace} route  # the kernel of ${plan.name}'s router`]
  })

/** Keeps the fleet up and tells what changes in the routers. */
const stayUp = (fleet: Fleet): Effect.Effect<never, LabError, Scope.Scope> =>
  Effect.gen(function* () {
    for (const component of fleet.components.values()) yield* Effect.forkScoped(superviseComponent(component, say))
    const before = new Map<string, ReadonlyMap<string, ReadonlyArray<string>>>()
    for (;;) {
      for (const { plan, router } of fleet.site.clusters) {
        const now = yield* router.nextHops.pipe(Effect.orElseSucceed(() => before.get(plan.name) ?? new Map()))
        const last = before.get(plan.name)
        if (last !== undefined) sayChanges(plan.name, last, now)
        before.set(plan.name, now)
      }
      yield* Effect.sleep("200 millis")
    }
  })

const sayChanges = (
  cluster: string,
  before: ReadonlyMap<string, ReadonlyArray<string>>,
  now: ReadonlyMap<string, ReadonlyArray<string>>
): void => {
  for (const prefix of new Set([...before.keys(), ...now.keys()])) {
    const [old, current] = [before.get(prefix)?.join(" ") ?? "no route", now.get(prefix)?.join(" ") ?? "no route"]
    if (old !== current) say(`router of ${cluster}: ${prefix}: ${old} -> ${current}`)
  }
}

const isOnPath = (command: string): boolean => systemPath.split(":").some((folder) => existsSync(join(folder, command)))

const sayLoopback = (reason: string, hasBird: boolean): void => {
  say(`no network namespaces: ${reason}`)
  say(
    `so: loopback addresses and high ports, ${hasBird ? "BIRD" : "a BGP listener of Lowtide's own"} as the router of both clusters`
  )
  say(`left out: ${hasBird ? "" : "BIRD, "}FRR, BFD, sessions over IPv6, routes in a kernel, TCP through the router`)
}

const main = (): void => {
  const options = parseOptions(process.argv.slice(2))
  if (options === "help") return void process.stdout.write(demoHelp)
  if ("fault" in options) {
    process.stderr.write(`error: ${options.fault}; see npm run demo -- --help\n`)
    process.exitCode = 2
    return
  }
  const fiber = Effect.runFork(
    Effect.scoped(run(options)).pipe(
      Effect.catch((error: LabError) =>
        Effect.sync(() => {
          process.stderr.write(`error: ${error.message}\n`)
          process.exitCode = 1
        })
      )
    )
  )
  const stop = () => {
    say("stopping")
    Effect.runFork(Fiber.interrupt(fiber))
  }
  process.once("SIGINT", stop)
  process.once("SIGTERM", stop)
  fiber.addObserver((exit) => process.exit(exitCodeOf(exit, options)))
}

/** What a shell gives a command that was interrupted: 128 and SIGINT's number. */
const interruptedExitCode = 130

/** Ctrl-C is how the demo ends, and how a verification does not; a defect is never taken for a success. */
const exitCodeOf = (exit: Exit.Exit<unknown, unknown>, { once }: DemoOptions): number => {
  if (Exit.isSuccess(exit)) return Number(process.exitCode ?? 0)
  if (Cause.hasInterruptsOnly(exit.cause)) return once ? interruptedExitCode : 0
  process.stderr.write(`error: a fault of the demo itself: ${Cause.pretty(exit.cause)}\n`)
  return 1
}

main()
