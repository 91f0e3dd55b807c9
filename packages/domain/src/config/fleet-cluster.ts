import type { RawObject } from "./raw.ts"
import { type ObjectReader, parseAt, show } from "./reader.ts"
import type { Labels } from "./selectors.ts"
import { canonicalPrefix, classSyntax, nameSyntax, parseClass, parseName, prefixSyntax } from "./syntax.ts"

/** A lowtide.dev/v1alpha1 Cluster: what a folder of manifests says about the cluster it belongs to. */
export interface FleetCluster {
  readonly name: string
  /** The routing domain of its addresses. */
  readonly network: string
  /** Canonical prefixes that its speakers may announce; empty when the manifest sets no limit. */
  readonly allowedPrefixes: ReadonlyArray<string>
  /** What the fleet's pools select clusters by. */
  readonly labels: Labels
  /** The one class of Services that is served. */
  readonly loadBalancerClass?: string
}

/** The network of a cluster that names none. */
export const defaultNetwork = "default"

/** Reads a Cluster of lowtide.dev/v1alpha1. */
export const readFleetCluster = (reader: ObjectReader, raw: RawObject): FleetCluster => {
  const spec = reader.fields("spec", raw.spec)
  const network = spec.parsed("network", nameSyntax, parseName) ?? defaultNetwork
  const seen = new Set<string>()
  const allowedPrefixes = spec.items("allowedPrefixes").flatMap(({ path, value }) => {
    if (typeof value !== "string") {
      reader.report("LT0105", path, "text", show(value))
      return []
    }
    const prefix = parseAt(reader, path, value, prefixSyntax, canonicalPrefix)
    if (prefix === undefined) return []
    if (seen.has(prefix)) reader.report("LT0114", path, "each prefix once", `${prefix} again`)
    return seen.has(prefix) || !seen.add(prefix) ? [] : [prefix]
  })
  const loadBalancerClass = spec.parsed("loadBalancerClass", classSyntax, parseClass)
  spec.reportUnknown()
  const labels = reader.fields("metadata", { labels: raw.labels }).texts("labels")
  return {
    ...{ name: raw.name, network, allowedPrefixes, labels },
    ...(loadBalancerClass === undefined ? {} : { loadBalancerClass })
  }
}
