import type { ListFilter } from "@lowtide/api/parameters"
import type { ClusterMemory } from "@lowtide/domain"
import type { CommittedView } from "../../centre.ts"
import { byText } from "./reading.ts"

/** The clusters that a list is about, by name. */
export const clustersOf = (view: CommittedView, filter: ListFilter): ReadonlyArray<ClusterMemory> =>
  [...view.fleet.clusters.values()]
    .filter(({ name }) => filter.cluster === undefined || filter.cluster === name)
    .sort(byText(({ name }) => name))

/** The networks that have clusters, or had some that used addresses; by name. */
export const networkNames = ({ fleet }: CommittedView): ReadonlyArray<string> =>
  [...new Set([...fleet.networks.keys(), ...[...fleet.clusters.values()].map(({ network }) => network)])].sort()

/** Why there is no answer about this network; undefined when there is one. */
export const unknownNetwork = (view: CommittedView, network: string | undefined): string | undefined => {
  const known = networkNames(view)
  if (network === undefined || known.includes(network)) return undefined
  return `expected one of the networks [${known.join(", ")}], found ${JSON.stringify(network)}`
}

/** Why a list about this cluster has no answer; undefined when it has one. */
export const unknownCluster = (view: CommittedView, cluster: string | undefined): string | undefined => {
  if (cluster === undefined || view.fleet.clusters.has(cluster)) return undefined
  const known = [...view.fleet.clusters.keys()].sort().join(", ")
  return `expected one of the clusters [${known}], found ${JSON.stringify(cluster)}`
}
