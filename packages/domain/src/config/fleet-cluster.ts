/** A lowtide.dev/v1alpha1 Cluster: what a folder of manifests says about the cluster it belongs to. */
export interface FleetCluster {
  readonly name: string
  /** The routing domain of its addresses. */
  readonly network: string
  /** Canonical prefixes that its speakers may announce; empty when the manifest sets no limit. */
  readonly allowedPrefixes: ReadonlyArray<string>
}

/** The network of a cluster that names none. */
export const defaultNetwork = "default"
