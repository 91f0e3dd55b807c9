import { formatPrefix, parseIpAddress, parsePrefix } from "@lowtide/net"
import { Effect, Result } from "effect"
import { LabError } from "./lab-error.ts"
import type { LabProcess } from "./processes.ts"

/** The address families of a session. */
export type SessionFamily = "ipv4" | "ipv6"

/** A neighbour that a router expects. Unless `passive` is false the router waits for it to connect. */
export interface RouterNeighbor {
  readonly address: string
  readonly asn: number
  readonly families: ReadonlyArray<SessionFamily>
  /** Where to connect to when not passive: 179 unless set. */
  readonly port?: number
  readonly passive?: boolean
  /** 90 s unless set; the lower of both sides' values counts (RFC 4271 §4.2). */
  readonly holdTimeSeconds?: number
  readonly password?: string
  /** Whether BFD runs with it, at 300 ms x 3 over one hop. BIRD alone does it. */
  readonly bfd?: boolean
}

/** One neighbour as a router sees it. `state` is the state of RFC 4271 §8.2.2 by its usual name. */
export interface RouterSession {
  readonly neighbor: string
  readonly asn: number
  readonly state: string
  /** How long the session has been Established; undefined when it is not. */
  readonly uptimeMs: number | undefined
}

/** One path in a router's BGP table. */
export interface RouterPath {
  readonly nextHop: string
  /** The neighbour it came from; undefined for the router's own. */
  readonly neighbor: string | undefined
  /** Whether it is in the set that traffic takes: the best path, or as good as it for ECMP. */
  readonly best: boolean
  readonly asPath: ReadonlyArray<number>
  /** As `64496:100`; well-known ones by number as well. */
  readonly communities: ReadonlyArray<string>
  /** As `64496:1:2`. */
  readonly largeCommunities: ReadonlyArray<string>
  readonly localPref: number
  readonly med: number | undefined
}

/** One prefix of a router's BGP table, with every path that was accepted. */
export interface RouterRoute {
  readonly prefix: string
  readonly paths: ReadonlyArray<RouterPath>
}

/**
 * What a neighbour has told the router, counted by the router itself: it rises with every UPDATE that announces or withdraws.
 * FRR and GoBGP count messages, BIRD counts routes and starts again from 0 with each session.
 */
export interface UpdateCount {
  readonly neighbor: string
  readonly updates: number
}

/** A real router under test, by one shape whichever program it is. Reading a router that is not running fails. */
export interface Router {
  readonly kind: "bird" | "frr" | "gobgp"
  readonly asn: number
  readonly sessions: Effect.Effect<ReadonlyArray<RouterSession>, LabError>
  /** The BGP table, sorted by prefix text and next hop. */
  readonly routes: Effect.Effect<ReadonlyArray<RouterRoute>, LabError>
  readonly updateCounts: Effect.Effect<ReadonlyArray<UpdateCount>, LabError>
  /** Makes the router announce these prefixes, and no others, to its neighbours with itself as next hop. */
  readonly originate: (prefixes: ReadonlyArray<string>) => Effect.Effect<void, LabError>
  /** SIGKILL to all of its processes. Routes in the kernel stay. */
  readonly kill: Effect.Effect<void>
  /** Ends it in order. */
  readonly stop: Effect.Effect<void>
  /** Starts it again, with the configuration it had; ends it first when it runs. Answers when it can be read. */
  readonly restart: Effect.Effect<void, LabError>
  readonly processes: Effect.Effect<ReadonlyArray<LabProcess>>
}

/** The next hops that traffic to the prefix takes, sorted; none when the prefix is not in the table. */
export const bestNextHops = (routes: ReadonlyArray<RouterRoute>, prefix: string): ReadonlyArray<string> =>
  (routes.find((route) => route.prefix === prefix)?.paths ?? [])
    .filter((path) => path.best)
    .map((path) => path.nextHop)
    .sort()

/** The canonical text of a prefix or, for a host route, of an address without its length. */
export const canonicalPrefix = (text: string): string => {
  const host = Result.getOrUndefined(parseIpAddress(text))
  const whole = host === undefined ? text : `${text}/${host.family === 4 ? 32 : 128}`
  return Result.match(parsePrefix(whole), { onFailure: () => text, onSuccess: formatPrefix })
}

/** Whether a prefix's text is of IPv6. */
export const isIpv6 = (text: string): boolean => text.includes(":")

/** Sorts routes by prefix and their paths by next hop, and drops prefixes without a path. */
export const sortRoutes = (paths: ReadonlyMap<string, ReadonlyArray<RouterPath>>): ReadonlyArray<RouterRoute> =>
  [...paths]
    .filter(([, found]) => found.length > 0)
    .map(([prefix, found]) => ({ prefix, paths: found.toSorted((a, b) => (a.nextHop < b.nextHop ? -1 : 1)) }))
    .sort((left, right) => (left.prefix < right.prefix ? -1 : 1))

/** Parses JSON that a router printed. */
export const parseJson = (operation: string, text: string): Effect.Effect<unknown, LabError> =>
  Effect.try({
    try: (): unknown => JSON.parse(text),
    catch: () => new LabError({ operation, detail: `expected JSON, found ${JSON.stringify(text.slice(0, 200))}` })
  })
