import { Effect, type Scope } from "effect"
import { askBird, startBirdDaemon, writeBird } from "./bird-daemon.ts"
import { parseBirdProtocols, parseBirdRoutes } from "./bird-output.ts"
import type { LabError } from "./lab-error.ts"
import { isIpv6, type Router, type RouterNeighbor, type SessionFamily } from "./router.ts"
import { makeService } from "./router-service.ts"

/** What a BIRD is told. With a `namespace` it fills that namespace's kernel tables, unless `kernel` is false. */
export interface BirdPlan {
  /** Its configuration, socket and log are put there; it is made when missing. */
  readonly folder: string
  readonly asn: number
  /** Its router id, and the address that it listens on without a namespace. */
  readonly address: string
  readonly neighbors: ReadonlyArray<RouterNeighbor>
  readonly namespace?: string
  /** The port it listens on: 179 unless set. Without a namespace it must be a free high port. */
  readonly port?: number
  readonly kernel?: boolean
  readonly originate?: ReadonlyArray<string>
  /** The next hops of what it originates, instead of its own address. GoBGP and FRR take none of 127.0.0.0/8. */
  readonly nextHops?: { readonly [family in SessionFamily]?: string }
}

/**
 * Starts BIRD 2 with the given neighbours, both families, every route accepted, equal paths merged into one kernel route.
 * Without a namespace it needs no right at all: it listens on `address` (one of 127.0.0.0/8) and a high port, speaks to
 * neighbours on loopback addresses, and leaves the kernel alone.
 */
export const startBird = (plan: BirdPlan): Effect.Effect<Router, LabError, Scope.Scope> =>
  Effect.gen(function* () {
    let originated = plan.originate ?? []
    const command = (text: string) => askBird(plan, text)
    const write = Effect.suspend(() => writeBird(plan, renderBird(plan, originated)))
    const service = yield* makeService(
      plan.folder,
      Effect.map(Effect.andThen(write, startBirdDaemon(plan)), (child) => [child])
    )
    const protocols = Effect.map(command("show protocols all"), parseBirdProtocols)
    const neighborOf = (protocol: string) => plan.neighbors[Number(/^peer(\d+)$/.exec(protocol)?.[1])]?.address
    const router: Router = {
      kind: "bird",
      asn: plan.asn,
      sessions: Effect.map(protocols, (found) =>
        found.map((protocol) => ({
          neighbor: protocol.neighbor,
          asn: protocol.asn,
          state: protocol.state,
          uptimeMs: protocol.state === "Established" ? Date.now() - protocol.sinceMs : undefined
        }))
      ),
      routes: Effect.map(command("show route all"), (text) => parseBirdRoutes(text, neighborOf)),
      updateCounts: Effect.map(protocols, (found) => found.map(({ neighbor, updates }) => ({ neighbor, updates }))),
      originate: Effect.fnUntraced(function* (prefixes) {
        originated = prefixes
        yield* write
        yield* command("configure soft")
      }),
      ...service
    }
    return router
  })

/** The configuration text for a plan. */
export const renderBird = (plan: BirdPlan, originated: ReadonlyArray<string>): string =>
  [
    `router id ${plan.address};`,
    "timeformat protocol iso long ms;",
    "timeformat route iso long ms;",
    "protocol device { scan time 2; }",
    ...(plan.neighbors.some(({ bfd }) => bfd)
      ? ['protocol bfd { interface "*" { interval 300 ms; multiplier 3; }; }']
      : []),
    ...(plan.namespace === undefined || plan.kernel === false ? [] : [kernelOf("ipv4"), kernelOf("ipv6")]),
    staticOf(
      "ipv4",
      originated.filter((prefix) => !isIpv6(prefix))
    ),
    staticOf("ipv6", originated.filter(isIpv6)),
    ...plan.neighbors.map((neighbor, index) => neighborOf(plan, neighbor, index)),
    ""
  ].join("\n")

/** `merge paths` makes one kernel route of the paths that are equal; only what BGP brought goes there. */
const kernelOf = (family: SessionFamily): string =>
  `protocol kernel kernel_${family} { merge paths yes limit 64; scan time 10; ${family} { import none; export where source = RTS_BGP; }; }`

const staticOf = (family: SessionFamily, prefixes: ReadonlyArray<string>): string =>
  [
    `protocol static originated_${family} { ${family};`,
    ...prefixes.map((prefix) => `  route ${prefix} blackhole;`),
    "}"
  ].join("\n")

/** Retries are short: after an error BIRD would else refuse the neighbour for a minute. */
const neighborOf = (plan: BirdPlan, neighbor: RouterNeighbor, index: number): string => {
  const isLoopback = plan.namespace === undefined
  const port = neighbor.port === undefined ? "" : ` port ${neighbor.port}`
  const local = isLoopback ? `local ${plan.address} port ${plan.port ?? 179}` : `local port ${plan.port ?? 179}`
  return [
    `protocol bgp peer${index} {`,
    `  ${local} as ${plan.asn};`,
    `  neighbor ${neighbor.address}${port} as ${neighbor.asn};`,
    isLoopback ? "  multihop; strict bind yes;" : "  direct;",
    `  passive ${neighbor.passive === false ? "no" : "yes"};`,
    `  hold time ${neighbor.holdTimeSeconds ?? 90};`,
    "  connect delay time 1; connect retry time 2; error wait time 1, 2; error forget time 1;",
    ...(neighbor.bfd ? ["  bfd on;"] : []),
    ...(neighbor.password === undefined ? [] : [`  password "${neighbor.password}";`]),
    ...neighbor.families.map(
      (family) => `  ${family} { import all; export where source = RTS_STATIC; next hop ${nextHopOf(plan, family)}; };`
    ),
    "}"
  ].join("\n")
}

const nextHopOf = (plan: BirdPlan, family: SessionFamily): string => {
  const address = plan.nextHops?.[family]
  return address === undefined ? "self" : `address ${address}`
}
