import { type RouterPath, type RouterRoute, sortRoutes } from "./router.ts"

/** One BGP protocol of `show protocols all`, with times in the form `iso long ms`. */
export interface BirdProtocol {
  readonly neighbor: string
  readonly asn: number
  readonly state: string
  /** When the protocol changed its state, in milliseconds since 1970. */
  readonly sinceMs: number
  /** Routes announced and withdrawn by the neighbour in this session, both families. */
  readonly updates: number
}

/** Reads `show protocols all`; protocols other than BGP are left out. */
export const parseBirdProtocols = (text: string): ReadonlyArray<BirdProtocol> =>
  text
    .split(/\n(?=\S)/)
    .filter((block) => /^\S+ +BGP /.test(block))
    .map((block) => ({
      neighbor: /Neighbor address: (\S+)/.exec(block)?.[1] ?? "",
      asn: Number(/Neighbor AS: +(\d+)/.exec(block)?.[1]),
      state: /BGP state: +(\S+)/.exec(block)?.[1] ?? "",
      sinceMs: Date.parse((/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?/.exec(block)?.[0] ?? "").replace(" ", "T")),
      updates: [...block.matchAll(/Import (?:updates|withdraws): +(\d+)/g)].reduce(
        (sum, match) => sum + Number(match[1]),
        0
      )
    }))

/** Reads `show route all`: the BGP paths and the router's own static routes. `neighborOf` maps a protocol's name to its neighbour. */
export const parseBirdRoutes = (
  text: string,
  neighborOf: (protocol: string) => string | undefined
): ReadonlyArray<RouterRoute> => {
  const byPrefix = new Map<string, Array<ParsedPath>>()
  let prefix = ""
  for (const block of text.split(/\n(?=\S|\s+(?:unicast|unreachable|blackhole|prohibit) \[)/)) {
    const head = /^(\S*) +(?:unicast|unreachable|blackhole|prohibit) \[(\S+) .*?\] +(\* )?/.exec(block)
    if (head === null) continue
    prefix = head[1] || prefix
    const path = parsePath(block, neighborOf(head[2] ?? ""), head[3] !== undefined)
    if (path !== undefined) byPrefix.set(prefix, [...(byPrefix.get(prefix) ?? []), path])
  }
  return sortRoutes(new Map([...byPrefix].map(([key, paths]) => [key, markEqual(paths)])))
}

interface ParsedPath extends RouterPath {
  readonly origin: string
}

const parsePath = (block: string, neighbor: string | undefined, isBest: boolean): ParsedPath | undefined => {
  const field = (name: string) => new RegExp(`BGP\\.${name}: (.*)`).exec(block)?.[1]
  if (neighbor === undefined && !block.includes("Type: static")) return undefined
  const nextHop = field("next_hop")?.split(" ")[0]
  const med = field("med")
  return {
    nextHop: nextHop ?? "",
    neighbor,
    best: isBest,
    asPath: (field("as_path") ?? "").split(/[^\d]+/).flatMap((asn) => (asn === "" ? [] : [Number(asn)])),
    communities: tuples(field("community")),
    largeCommunities: tuples(field("large_community")),
    localPref: Number(field("local_pref") ?? 100),
    med: med === undefined ? undefined : Number(med),
    origin: field("origin") ?? ""
  }
}

/** `(64496,100) (64496, 1, 2)` as `64496:100` and `64496:1:2`. */
const tuples = (text: string | undefined): ReadonlyArray<string> =>
  [...(text ?? "").matchAll(/\(([\d, ]+)\)/g)].map((match) => (match[1] ?? "").split(/, */).join(":"))

/** BIRD marks one path; those that `merge paths` joins to it are equal in all that goes before the tie-breakers. */
const markEqual = (paths: ReadonlyArray<ParsedPath>): ReadonlyArray<RouterPath> => {
  const best = paths.find((path) => path.best)
  return paths.map(({ origin, ...path }) => ({
    ...path,
    best:
      path.best ||
      (best !== undefined &&
        best.neighbor !== undefined &&
        path.neighbor !== undefined &&
        path.localPref === best.localPref &&
        path.asPath.length === best.asPath.length &&
        origin === best.origin &&
        (path.med ?? 0) === (best.med ?? 0))
  }))
}
