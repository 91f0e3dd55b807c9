import { addressBits, parseAddressRange, rangeSize } from "@lowtide/net"
import { Result } from "effect"
import { type Advertisement, advertisementAnnotations } from "./advertisement.ts"
import { type Backend, notInFrrK8s } from "./backend.ts"
import type { Candidate, Report, Stands } from "./judge.ts"
import { known, meeting } from "./judge-peers.ts"
import type { NodeObject } from "./node.ts"
import type { Peer } from "./peer.ts"
import type { AddressPool } from "./pool.ts"
import { anySelectorMatches } from "./selectors.ts"
import { canonicalCommunity } from "./syntax.ts"

/** What advertisements are judged against: only what takes effect itself, beside the names of what does not. */
export interface AdvertisementContext {
  readonly nodes: ReadonlyArray<NodeObject>
  readonly pools: ReadonlyArray<AddressPool>
  readonly peers: ReadonlyArray<Peer>
  readonly communities: Readonly<Record<string, string>>
  /** Whether there is one of this name, though it may take no effect. */
  readonly isThere: (kind: "IPAddressPool" | "BGPPeer", name: string) => boolean
  readonly backend: Backend
  readonly report: Report
  readonly stands: Stands
}

/** The LOCAL_PREF of a route to an internal peer that has none of its own; routers assume it as well. */
export const localPrefUnset = 100

/** What makes a router prefer one of two routes to a prefix; `unset` is what a route without it has. */
export const preferences = [
  { name: "localPref", field: "spec.localPref", unset: localPrefUnset },
  { name: "med", field: `metadata.annotations[${advertisementAnnotations.med}]`, unset: 0 },
  { name: "asPathPrepend", field: `metadata.annotations[${advertisementAnnotations.asPathPrepend}]`, unset: 0 }
] as const

/** Those of which two advertisements have another each. */
export const differingPreferences = (
  left: Pick<Advertisement, (typeof preferences)[number]["name"]>,
  right: Pick<Advertisement, (typeof preferences)[number]["name"]>
): ReadonlyArray<(typeof preferences)[number]> =>
  preferences.filter(({ name, unset }) => (left[name] ?? unset) !== (right[name] ?? unset))

/** The advertisements that take effect, with names that exist and communities resolved. */
export const judgeAdvertisements = (
  candidates: ReadonlyArray<Candidate<"BGPAdvertisement">>,
  context: AdvertisementContext
): ReadonlyArray<Advertisement> => {
  const kept: Array<Advertisement> = []
  for (const candidate of candidates) {
    const resolved = resolve(candidate, context)
    if (resolved === undefined || !aggregatesFit(candidate, resolved, context)) continue
    const other = kept.find((before) => preferencesClash(before, resolved, context))
    if (other === undefined) kept.push(resolved)
    for (const { name, field } of other === undefined ? [] : differingPreferences(other, resolved)) {
      context.report(candidate, "LT0128", {
        field,
        expected: `${other?.[name] ?? "nothing"}, as advertisement ${other?.name} has it${context.stands("BGPAdvertisement", other?.name ?? "")}`,
        found: String(resolved[name] ?? "nothing")
      })
    }
  }
  return kept
}

/** The pools that an advertisement covers. */
export const coveredPools = (
  advertisement: Pick<Advertisement, "pools" | "poolSelectors">,
  pools: ReadonlyArray<AddressPool>
): ReadonlyArray<AddressPool> =>
  advertisement.pools.length === 0 && advertisement.poolSelectors.length === 0
    ? pools
    : pools.filter(
        (pool) =>
          advertisement.pools.includes(pool.name) || anySelectorMatches(advertisement.poolSelectors, pool.labels)
      )

/**
 * Leaves out names that do not exist. When that leaves a list empty the advertisement is refused: an empty list would
 * mean every pool, or every peer.
 */
const resolve = (
  candidate: Candidate<"BGPAdvertisement">,
  { pools, peers, communities, isThere, backend, report }: AdvertisementContext
): Advertisement | undefined => {
  const { value } = candidate
  for (const setting of backend === "frr-k8s" ? (["med", "asPathPrepend"] as const) : []) {
    if (value[setting] === undefined) continue
    const { code, ...facts } = notInFrrK8s(advertisementAnnotations[setting], String(value[setting]))
    report(candidate, code, facts)
  }
  const poolNames = new Set(pools.map((pool) => pool.name))
  const peerNames = new Set(peers.map((peer) => peer.name))
  for (const [index, name] of value.pools.entries()) {
    const field = `spec.ipAddressPools[${index}]`
    if (poolNames.has(name)) continue
    const found = isThere("IPAddressPool", name) ? refused(name, "pool") : { found: name }
    report(candidate, "LT0124", { field, expected: known(poolNames), ...found })
  }
  for (const [index, name] of value.peers.entries()) {
    const field = `spec.peers[${index}]`
    if (peerNames.has(name)) continue
    const found = isThere("BGPPeer", name) ? refused(name, "peer") : { found: name }
    report(candidate, "LT0125", { field, expected: known(peerNames), ...found })
  }
  const existingPools = value.pools.filter((name) => poolNames.has(name))
  const existingPeers = value.peers.filter((name) => peerNames.has(name))
  const literals = resolveCommunities(candidate, communities, report)
  if (literals === undefined) return undefined
  if (value.pools.length > 0 && existingPools.length === 0 && value.poolSelectors.length === 0) return undefined
  if (value.peers.length > 0 && existingPeers.length === 0) return undefined
  return { ...value, pools: existingPools, peers: existingPeers, communities: literals }
}

/** Who reads that a name is unknown looks for a slip in it; here what it names is what is wrong. */
const refused = (name: string, noun: string) => ({
  found: `${name}, which is refused`,
  fix: `Mend ${noun} ${name}: its own finding says why it is refused`
})

/** An alias wins over a well-known name of the same spelling: the operator chose it. */
const resolveCommunities = (
  candidate: Candidate<"BGPAdvertisement">,
  communities: Readonly<Record<string, string>>,
  report: Report
): ReadonlyArray<string> | undefined => {
  const literals = new Set<string>()
  let isComplete = true
  for (const [index, text] of candidate.value.communities.entries()) {
    const alias = Object.hasOwn(communities, text) ? communities[text] : undefined
    const literal = alias ?? Result.getOrUndefined(canonicalCommunity(text))
    if (literal !== undefined) literals.add(literal)
    else {
      isComplete = false
      const field = `spec.communities[${index}]`
      report(candidate, "LT0126", { field, expected: known(Object.keys(communities)), found: text })
    }
  }
  return isComplete ? [...literals].sort() : undefined
}

/** Every range of every pool must fill at least one block of the aggregation length. */
const aggregatesFit = (
  candidate: Candidate<"BGPAdvertisement">,
  advertisement: Advertisement,
  { pools, report }: AdvertisementContext
): boolean => {
  for (const pool of coveredPools(advertisement, pools)) {
    for (const text of pool.ranges) {
      const range = Result.getOrThrow(parseAddressRange(text))
      const lengthBits = range.family === 4 ? advertisement.aggregationLength : advertisement.aggregationLengthV6
      const blockSize = 1n << BigInt(addressBits(range.family) - lengthBits)
      const firstBlock = ((range.first + blockSize - 1n) / blockSize) * blockSize
      if (rangeSize(range) >= blockSize && firstBlock + blockSize - 1n <= range.last) continue
      report(candidate, "LT0129", {
        field: range.family === 4 ? "spec.aggregationLength" : "spec.aggregationLengthV6",
        expected: `a length of which ${text} of pool ${pool.name} fills a block`,
        found: `/${lengthBits}`
      })
      return false
    }
  }
  return true
}

/** Whether some route would have two preferences. With serviceSelectors it depends on the Service, and is left to it. */
const preferencesClash = (left: Advertisement, right: Advertisement, context: AdvertisementContext): boolean => {
  if (left.serviceSelectors.length > 0 || right.serviceSelectors.length > 0) return false
  if (differingPreferences(left, right).length === 0) return false
  if (left.peers.length > 0 && right.peers.length > 0 && !left.peers.some((name) => right.peers.includes(name)))
    return false
  if (meeting(left, right, context.nodes) === undefined) return false
  const rights = new Set(coveredPools(right, context.pools))
  return coveredPools(left, context.pools).some(
    (pool) =>
      rights.has(pool) &&
      ((left.aggregationLength === right.aggregationLength && hasFamily(pool, 4)) ||
        (left.aggregationLengthV6 === right.aggregationLengthV6 && hasFamily(pool, 6)))
  )
}

/** Whether the pool has addresses of the IP version. */
export const hasFamily = (pool: AddressPool, family: 4 | 6): boolean =>
  pool.ranges.some((range) => range.includes(":") === (family === 6))
