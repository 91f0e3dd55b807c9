import { formatCommunity, parseCommunity } from "@lowtide/net"
import { Result } from "effect"
import type { RouterPath, RouterSession, UpdateCount } from "./router.ts"

/** One neighbour of `show bgp neighbors json`, as far as it is read. */
export interface FrrNeighbor {
  readonly remoteAs: number
  readonly bgpState: string
  readonly bgpTimerUpMsec?: number
  readonly messageStats: { readonly updatesRecv: number }
}

/** `show bgp FAMILY unicast json detail`. FRR 8.4 prints the prefix as the first member of each list of paths. */
export interface FrrTable {
  readonly routes?: Readonly<Record<string, ReadonlyArray<FrrPath>>>
}

interface FrrPath {
  readonly aspath?: { readonly segments: ReadonlyArray<{ readonly list: ReadonlyArray<number> }> }
  readonly community?: { readonly string: string }
  readonly largeCommunity?: { readonly string: string }
  readonly locPrf?: number
  readonly metric?: number
  readonly local?: boolean
  readonly multipath?: boolean
  readonly bestpath?: { readonly overall?: boolean }
  readonly nexthops?: ReadonlyArray<{ readonly ip: string; readonly scope?: string }>
  readonly peer?: { readonly peerId: string }
}

/** The sessions of `show bgp neighbors json`. */
export const readFrrSessions = (neighbors: Readonly<Record<string, FrrNeighbor>>): ReadonlyArray<RouterSession> =>
  Object.entries(neighbors).map(([neighbor, found]) => ({
    neighbor,
    asn: found.remoteAs,
    state: found.bgpState,
    uptimeMs: found.bgpState === "Established" ? found.bgpTimerUpMsec : undefined
  }))

/** UPDATE messages received, over all sessions since bgpd started; End-of-RIB is among them. */
export const readFrrUpdateCounts = (neighbors: Readonly<Record<string, FrrNeighbor>>): ReadonlyArray<UpdateCount> =>
  Object.entries(neighbors).map(([neighbor, found]) => ({ neighbor, updates: found.messageStats.updatesRecv }))

/** The paths of a table by prefix. */
export const readFrrTable = (table: FrrTable): ReadonlyMap<string, ReadonlyArray<RouterPath>> =>
  new Map(
    Object.entries(table.routes ?? {}).map(([prefix, paths]) => [
      prefix,
      paths.filter((path) => path.peer !== undefined).map(readPath)
    ])
  )

const readPath = (path: FrrPath): RouterPath => ({
  nextHop: (path.nexthops?.find((hop) => hop.scope === "global") ?? path.nexthops?.[0])?.ip ?? "",
  neighbor: path.local === true ? undefined : path.peer?.peerId,
  best: path.bestpath?.overall === true || path.multipath === true,
  asPath: (path.aspath?.segments ?? []).flatMap((segment) => segment.list),
  communities: words(path.community?.string).map(byNumber),
  largeCommunities: words(path.largeCommunity?.string),
  localPref: path.locPrf ?? 100,
  med: path.metric
})

const words = (text: string | undefined): ReadonlyArray<string> => (text ?? "").split(" ").filter((word) => word !== "")

/** FRR prints well-known communities by name, one of them by a name of its own. */
const byNumber = (community: string): string =>
  Result.match(parseCommunity(community === "local-AS" ? "no-export-subconfed" : community), {
    onFailure: () => community,
    onSuccess: formatCommunity
  })
