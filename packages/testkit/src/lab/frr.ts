import { Effect, type Scope } from "effect"
import { askFrr, startFrrDaemons } from "./frr-daemons.ts"
import { type FrrNeighbor, type FrrTable, readFrrSessions, readFrrTable, readFrrUpdateCounts } from "./frr-output.ts"
import type { LabError } from "./lab-error.ts"
import { isIpv6, parseJson, type Router, type RouterNeighbor, type SessionFamily, sortRoutes } from "./router.ts"
import { makeService } from "./router-service.ts"

/** What an FRR is told. It always runs in a namespace and fills its kernel tables. */
export interface FrrPlan {
  /** Its configurations, sockets and logs are put there; it is made when missing. User `frr` must be able to reach it. */
  readonly folder: string
  readonly namespace: string
  readonly asn: number
  /** Its router id. */
  readonly address: string
  readonly neighbors: ReadonlyArray<RouterNeighbor>
  readonly originate?: ReadonlyArray<string>
}

/** Starts FRR's zebra and bgpd, as user `frr`, with the given neighbours, every route accepted, equal paths in one kernel route. */
export const startFrr = (plan: FrrPlan): Effect.Effect<Router, LabError, Scope.Scope> =>
  Effect.gen(function* () {
    let originated = plan.originate ?? []
    const bgpd = (...commands: ReadonlyArray<string>) => askFrr(plan, "bgpd", ...commands)
    const show = (command: string) =>
      Effect.flatMap(bgpd(command), (answers) => parseJson(command, answers.at(-1) ?? ""))
    const service = yield* makeService(
      plan.folder,
      Effect.suspend(() => startFrrDaemons(plan, { zebra: "", bgpd: renderFrr(plan, originated) })).pipe(
        Effect.map(({ zebra, bgpd: child }) => [zebra, child])
      )
    )
    const neighbors = Effect.map(
      show("show bgp neighbors json"),
      (json) => json as Readonly<Record<string, FrrNeighbor>>
    )
    const table = (family: SessionFamily) =>
      Effect.map(show(`show bgp ${family} unicast json detail`), (json) => readFrrTable(json as FrrTable))
    const router: Router = {
      kind: "frr",
      asn: plan.asn,
      sessions: Effect.map(neighbors, readFrrSessions),
      routes: Effect.map(Effect.all([table("ipv4"), table("ipv6")]), ([v4, v6]) => sortRoutes(new Map([...v4, ...v6]))),
      updateCounts: Effect.map(neighbors, readFrrUpdateCounts),
      originate: Effect.fnUntraced(function* (prefixes) {
        const changes = [
          ...originated.filter((prefix) => !prefixes.includes(prefix)).map((prefix) => networkLines(prefix, "no ")),
          ...prefixes.filter((prefix) => !originated.includes(prefix)).map((prefix) => networkLines(prefix, ""))
        ]
        originated = prefixes
        yield* bgpd("configure terminal", `router bgp ${plan.asn}`, ...changes.flat())
      }),
      ...service
    }
    return router
  })

/**
 * The configuration of bgpd. `coalesce-time 0`: each new session's first table would wait a second. The import check and
 * the policy that eBGP requires are off, or nothing would be exchanged. Only what the router originates is sent on.
 */
export const renderFrr = (plan: FrrPlan, originated: ReadonlyArray<string>): string =>
  [
    "bgp as-path access-list OWN permit ^$",
    "route-map OWN permit 10",
    " match as-path OWN",
    "exit",
    "route-map GLOBAL permit 10", // a neighbour may send a link-local next hop beside the global one (RFC 2545 §3)
    " set ipv6 next-hop prefer-global",
    "exit",
    `router bgp ${plan.asn}`,
    ` bgp router-id ${plan.address}`,
    " no bgp ebgp-requires-policy",
    " no bgp default ipv4-unicast",
    " no bgp network import-check",
    " bgp bestpath as-path multipath-relax",
    " coalesce-time 0",
    ...plan.neighbors.flatMap(neighborLines),
    ...familyLines(
      plan,
      "ipv4",
      originated.filter((prefix) => !isIpv6(prefix))
    ),
    ...familyLines(plan, "ipv6", originated.filter(isIpv6)),
    "exit",
    ""
  ].join("\n")

const neighborLines = (neighbor: RouterNeighbor): ReadonlyArray<string> => {
  const holdTime = neighbor.holdTimeSeconds ?? 90
  return [
    ` neighbor ${neighbor.address} remote-as ${neighbor.asn}`,
    ` neighbor ${neighbor.address} timers ${Math.max(1, Math.floor(holdTime / 3))} ${holdTime}`,
    ` neighbor ${neighbor.address} timers connect 1`,
    ...(neighbor.passive === false ? [] : [` neighbor ${neighbor.address} passive`]),
    ...(neighbor.port === undefined ? [] : [` neighbor ${neighbor.address} port ${neighbor.port}`]),
    ...(neighbor.password === undefined ? [] : [` neighbor ${neighbor.address} password ${neighbor.password}`])
  ]
}

const familyLines = (
  plan: FrrPlan,
  family: SessionFamily,
  originated: ReadonlyArray<string>
): ReadonlyArray<string> => [
  ` address-family ${family} unicast`,
  "  maximum-paths 64",
  ...plan.neighbors
    .filter((neighbor) => neighbor.families.includes(family))
    .flatMap(({ address }) => [
      `  neighbor ${address} activate`,
      `  neighbor ${address} route-map OWN out`,
      ...(family === "ipv6" ? [`  neighbor ${address} route-map GLOBAL in`] : [])
    ]),
  ...originated.map((prefix) => `  network ${prefix}`),
  " exit-address-family"
]

const networkLines = (prefix: string, no: "" | "no "): ReadonlyArray<string> => [
  `address-family ${isIpv6(prefix) ? "ipv6" : "ipv4"} unicast`,
  `${no}network ${prefix}`,
  "exit-address-family"
]
