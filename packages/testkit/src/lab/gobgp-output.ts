import type { RouterPath, RouterSession, UpdateCount } from "./router.ts"

/** One neighbour of `gobgp -j neighbor`, as far as it is read. Zero values are left out by GoBGP. */
export interface GobgpNeighbor {
  readonly conf: { readonly neighbor_address: string; readonly peer_asn: number }
  readonly state: {
    readonly session_state?: number | string
    readonly messages?: { readonly received?: { readonly update?: number | string } }
  }
  readonly timers?: { readonly state?: { readonly uptime?: { readonly seconds?: number } } }
}

/** `gobgp -j global rib`: paths by prefix, the best first. */
export type GobgpTable = Readonly<Record<string, ReadonlyArray<GobgpPath>>>

interface GobgpPath {
  readonly best?: boolean
  readonly "source-id"?: string
  readonly "neighbor-ip"?: string
  readonly attrs: ReadonlyArray<GobgpAttribute>
}

interface GobgpAttribute {
  readonly type: number
  readonly nexthop?: string
  readonly value?: unknown
  readonly as_paths?: ReadonlyArray<{ readonly asns: ReadonlyArray<number> }>
  readonly communities?: ReadonlyArray<number>
  readonly metric?: number
}

const states = ["Unknown", "Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Established"]

/** The sessions of `gobgp -j neighbor`. */
export const readGobgpSessions = (neighbors: ReadonlyArray<GobgpNeighbor>): ReadonlyArray<RouterSession> =>
  neighbors.map(({ conf, state, timers }) => {
    const name = states[Number(state.session_state ?? 0)] ?? String(state.session_state)
    const upSeconds = timers?.state?.uptime?.seconds
    return {
      neighbor: conf.neighbor_address,
      asn: conf.peer_asn,
      state: name,
      uptimeMs: name === "Established" && upSeconds !== undefined ? Date.now() - upSeconds * 1000 : undefined
    }
  })

/** UPDATE messages received in this session. */
export const readGobgpUpdateCounts = (neighbors: ReadonlyArray<GobgpNeighbor>): ReadonlyArray<UpdateCount> =>
  neighbors.map(({ conf, state }) => ({
    neighbor: conf.neighbor_address,
    updates: Number(state.messages?.received?.update ?? 0)
  }))

/** The paths of a table by prefix. */
export const readGobgpTable = (table: GobgpTable): ReadonlyMap<string, ReadonlyArray<RouterPath>> =>
  new Map(Object.entries(table).map(([prefix, paths]) => [prefix, paths.map(readPath)]))

/** Attributes by their type code: 2 AS_PATH, 3 NEXT_HOP, 4 MED, 5 LOCAL_PREF, 8 COMMUNITIES, 14 MP_REACH_NLRI, 32 LARGE_COMMUNITY. */
const readPath = (path: GobgpPath): RouterPath => {
  const attribute = (type: number) => path.attrs.find((candidate) => candidate.type === type)
  const neighbor = path["neighbor-ip"]
  return {
    nextHop: attribute(3)?.nexthop ?? attribute(14)?.nexthop ?? "",
    neighbor: neighbor === undefined || neighbor === "<nil>" ? undefined : neighbor,
    best: path.best === true,
    asPath: (attribute(2)?.as_paths ?? []).flatMap((segment) => segment.asns),
    communities: (attribute(8)?.communities ?? []).map((value) => `${value >>> 16}:${value & 0xffff}`),
    largeCommunities: readLarge(attribute(32)?.value),
    localPref: typeof attribute(5)?.value === "number" ? (attribute(5)?.value as number) : 100,
    med: attribute(4)?.metric
  }
}

const readLarge = (value: unknown): ReadonlyArray<string> =>
  Array.isArray(value)
    ? value.map((item: { ASN: number; LocalData1: number; LocalData2: number }) =>
        [item.ASN, item.LocalData1, item.LocalData2].join(":")
      )
    : []
