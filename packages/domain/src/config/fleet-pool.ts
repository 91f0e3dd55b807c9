import { formatAddressRange, parseAddressRange, parsePrefix, prefixCovers, rangeOverlap } from "@lowtide/net"
import { Result } from "effect"
import { type AddressPool, readPoolSpec } from "./pool.ts"
import type { RawObject } from "./raw.ts"
import type { Fields } from "./reader.ts"
import { readSelector } from "./selector-reader.ts"
import { type LabelSelector, type Labels, selectorMatches } from "./selectors.ts"
import { nameSyntax, parseName, parseQuarantineMs, quarantineSyntax } from "./syntax.ts"

/** A pool of the whole fleet, an AddressPool: every cluster that it selects may draw from it as from one of its own. */
export interface FleetPool {
  readonly name: string
  /** The routing domain of its addresses; clusters of another one are never selected. */
  readonly network: string
  /** Over the labels of clusters. One without parts selects none. */
  readonly clusterSelector: LabelSelector
  /**
   * Retain: what would take the pool, or a part of it, from who has addresses there is refused. Retire: it is carried out,
   * and they keep what they have until they leave.
   */
  readonly deletionPolicy: "Retain" | "Retire"
  /** What it is to a cluster. */
  readonly pool: AddressPool
}

/** The label that every cluster has, whatever is written: its name. */
export const clusterNameLabel = "lowtide.dev/cluster"

/** Reads the spec of an AddressPool. */
export const readFleetPool = (raw: RawObject, spec: Fields, defaultNetwork: string): FleetPool => {
  const network = spec.parsed("network", nameSyntax, parseName) ?? defaultNetwork
  const clusterSelector = readSelector(spec.nested("clusterSelector"))
  const deletionPolicy = spec.oneOf("deletionPolicy", ["Retain", "Retire"]) ?? "Retain"
  const quarantineMs = spec.parsed("quarantine", quarantineSyntax, parseQuarantineMs)
  const pool: AddressPool = {
    ...{ name: raw.name, namespace: "", ofFleet: true as const, ...readPoolSpec(spec) },
    labels: spec.reader.fields("metadata", { labels: raw.labels }).texts("labels"),
    ...(quarantineMs === undefined ? {} : { quarantineMs })
  }
  return { name: raw.name, network, clusterSelector, deletionPolicy, pool }
}

/** Whether the pool selects a cluster: by its labels and its name. An empty selector selects none, whatever it may mean elsewhere. */
export const selectsCluster = (
  { clusterSelector: selector }: Pick<FleetPool, "clusterSelector">,
  { name, labels }: { readonly name: string; readonly labels: Labels }
): boolean =>
  Object.keys(selector.matchLabels).length + selector.matchExpressions.length > 0 &&
  selectorMatches(selector, { ...labels, [clusterNameLabel]: name })

/** The parts of the ranges that lie in some of the prefixes, in the order of the ranges; all of them where there are no prefixes. */
export const rangesWithin = (ranges: ReadonlyArray<string>, prefixes: ReadonlyArray<string>): ReadonlyArray<string> => {
  if (prefixes.length === 0) return ranges
  const parsed = prefixes.map((text) => ({ text, prefix: Result.getOrThrow(parsePrefix(text)) }))
  // Of two prefixes one may lie in the other, which would give its addresses twice.
  const apart = parsed
    .filter(({ text, prefix }) => !parsed.some((other) => other.text !== text && prefixCovers(other.prefix, prefix)))
    .map(({ text }) => Result.getOrThrow(parseAddressRange(text)))
  return ranges.flatMap((text) => {
    const range = Result.getOrThrow(parseAddressRange(text))
    const parts = apart.flatMap((prefix) => rangeOverlap(range, prefix) ?? [])
    return parts.sort((left, right) => (left.first < right.first ? -1 : 1)).map(formatAddressRange)
  })
}
