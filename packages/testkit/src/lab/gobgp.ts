import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import { execute } from "./execute.ts"
import {
  type GobgpNeighbor,
  type GobgpTable,
  readGobgpSessions,
  readGobgpTable,
  readGobgpUpdateCounts
} from "./gobgp-output.ts"
import { LabError } from "./lab-error.ts"
import { startReady } from "./processes.ts"
import { isIpv6, parseJson, type Router, type RouterNeighbor, type SessionFamily, sortRoutes } from "./router.ts"
import { makeService } from "./router-service.ts"

/** What a GoBGP is told. It never touches the kernel. */
export interface GobgpPlan {
  /** Its configuration and log are put there; it is made when missing. */
  readonly folder: string
  readonly asn: number
  /** Its router id, the address it listens on, and the source of its connections. */
  readonly address: string
  /** The next hop of IPv6 routes that it originates. */
  readonly address6?: string
  readonly neighbors: ReadonlyArray<RouterNeighbor>
  readonly namespace?: string
  /** The port it listens on: 179 unless set. */
  readonly port?: number
  /** The port of its own API on 127.0.0.1: 50051 unless set. In a namespace each GoBGP may use the same. */
  readonly apiPort?: number
  readonly originate?: ReadonlyArray<string>
  /** BMP stations that it reports all of its tables to. */
  readonly stations?: ReadonlyArray<{ readonly address: string; readonly port: number }>
}

/** Starts GoBGP with the given neighbours, every route accepted. */
export const startGobgp = (plan: GobgpPlan): Effect.Effect<Router, LabError, Scope.Scope> =>
  Effect.gen(function* () {
    let originated: ReadonlyArray<string> = []
    const apiPort = plan.apiPort ?? 50051
    const where = plan.namespace === undefined ? {} : { namespace: plan.namespace }
    const gobgp = (...args: ReadonlyArray<string>) => execute(["gobgp", "-p", String(apiPort), ...args], where)
    const show = (...args: ReadonlyArray<string>) =>
      Effect.flatMap(gobgp("-j", ...args), (text) => parseJson(`gobgp ${args.join(" ")}`, text))
    const configFile = join(plan.folder, "gobgp.toml")
    const addPath = (action: "add" | "del", prefix: string) =>
      gobgp("global", "rib", action, prefix, ...pathArguments(plan, prefix))
    const start = Effect.gen(function* () {
      yield* Effect.try({
        try: () => writeFileSync(configFile, renderGobgp(plan)),
        catch: (cause) => new LabError({ operation: "write gobgp.toml", detail: String(cause) })
      })
      const spec = {
        name: "gobgpd",
        command: ["gobgpd", "-f", configFile, "--api-hosts", `127.0.0.1:${apiPort}`],
        logFile: join(plan.folder, "gobgpd.log"),
        ...where
      }
      const child = yield* startReady(spec, () => Effect.as(gobgp("global"), true))
      yield* Effect.forEach(originated, (prefix) => addPath("add", prefix))
      return [child]
    })
    const service = yield* makeService(plan.folder, start)
    const neighbors = Effect.map(show("neighbor"), (json) => json as ReadonlyArray<GobgpNeighbor>)
    const table = (family: SessionFamily) =>
      Effect.map(show("global", "rib", "-a", family), (json) => readGobgpTable(json as GobgpTable))
    const originate = Effect.fnUntraced(function* (prefixes: ReadonlyArray<string>) {
      const before = originated
      originated = prefixes
      yield* Effect.forEach(
        before.filter((prefix) => !prefixes.includes(prefix)),
        (prefix) => addPath("del", prefix)
      )
      yield* Effect.forEach(
        prefixes.filter((prefix) => !before.includes(prefix)),
        (prefix) => addPath("add", prefix)
      )
    })
    yield* originate(plan.originate ?? [])
    const router: Router = {
      kind: "gobgp",
      asn: plan.asn,
      sessions: Effect.map(neighbors, readGobgpSessions),
      routes: Effect.map(Effect.all([table("ipv4"), table("ipv6")]), ([v4, v6]) => sortRoutes(new Map([...v4, ...v6]))),
      updateCounts: Effect.map(neighbors, readGobgpUpdateCounts),
      originate,
      ...service
    }
    return router
  })

/** The configuration text for a plan. Retries are short: after an error GoBGP would else idle. */
export const renderGobgp = (plan: GobgpPlan): string =>
  [
    "[global.config]",
    `  as = ${plan.asn}`,
    `  router-id = "${plan.address}"`,
    `  port = ${plan.port ?? 179}`,
    `  local-address-list = ["${plan.address}"]`,
    "[global.use-multiple-paths.config]",
    "  enabled = true",
    ...plan.neighbors.flatMap((neighbor) => neighborLines(plan, neighbor)),
    ...(plan.stations ?? []).flatMap(({ address, port }) => [
      "[[bmp-servers]]",
      "  [bmp-servers.config]",
      `    address = "${address}"`,
      `    port = ${port}`,
      '    route-monitoring-policy = "all"'
    ]),
    ""
  ].join("\n")

const neighborLines = (plan: GobgpPlan, neighbor: RouterNeighbor): ReadonlyArray<string> => [
  "[[neighbors]]",
  "  [neighbors.config]",
  `    neighbor-address = "${neighbor.address}"`,
  `    peer-as = ${neighbor.asn}`,
  ...(neighbor.password === undefined ? [] : [`    auth-password = "${neighbor.password}"`]),
  "  [neighbors.transport.config]",
  `    passive-mode = ${neighbor.passive !== false}`,
  `    local-address = "${plan.address}"`,
  ...(neighbor.port === undefined ? [] : [`    remote-port = ${neighbor.port}`]),
  "  [neighbors.timers.config]",
  `    hold-time = ${neighbor.holdTimeSeconds ?? 90}`,
  `    keepalive-interval = ${Math.max(1, Math.floor((neighbor.holdTimeSeconds ?? 90) / 3))}`,
  "    connect-retry = 1",
  "    idle-hold-time-after-reset = 1",
  ...neighbor.families.flatMap((family) => [
    "  [[neighbors.afi-safis]]",
    "    [neighbors.afi-safis.config]",
    `      afi-safi-name = "${family}-unicast"`
  ])
]

const pathArguments = (plan: GobgpPlan, prefix: string): ReadonlyArray<string> =>
  isIpv6(prefix)
    ? ["-a", "ipv6", "origin", "igp", "nexthop", plan.address6 ?? "::1"]
    : ["-a", "ipv4", "origin", "igp", "nexthop", plan.address]
