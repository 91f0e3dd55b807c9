import type { ListFilter } from "@lowtide/api/parameters"
import type { ClusterMemory } from "@lowtide/domain"
import { didYouMean } from "@lowtide/domain/words"
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
  return `expected one of the networks [${namesText(known)}], found ${JSON.stringify(network)}${didYouMean(network, known)}`
}

/** Why a list about this cluster has no answer, or has none as of the time `at`; undefined when it has one. */
export const unknownCluster = (view: CommittedView, cluster: string | undefined, at?: string): string | undefined => {
  if (cluster === undefined || view.fleet.clusters.has(cluster)) return undefined
  const known = [...view.fleet.clusters.keys()].sort()
  const those = at === undefined ? "one of the clusters" : `one of the clusters that were known at ${at},`
  return `expected ${those} [${namesText(known)}], found ${JSON.stringify(cluster)}${didYouMean(cluster, known)}`
}

/** Why there is no answer about a Service of which nothing was ever written, or nothing by the time `at`. */
export const unknownService = (
  { fleet }: CommittedView,
  { cluster, namespace, name }: { readonly cluster?: string; readonly namespace: string; readonly name: string },
  at?: string
): string => {
  const found = `${namespace}/${name}`
  const clusters = [...fleet.clusters.values()].filter((one) => cluster === undefined || one.name === cluster)
  const near = didYouMean(found, new Set(clusters.flatMap(({ services }) => [...services.keys()])))
  return `service: expected one that the log ${at === undefined ? "knows" : `knew at ${at}`}, found ${cluster === undefined ? "" : `${cluster}/`}${found}${near}`
}

/** Names that a line has room for. */
const namesMax = 20

const namesText = (names: ReadonlyArray<string>): string =>
  names.length > namesMax
    ? `${names.slice(0, namesMax).join(", ")}, ... of ${names.length}`
    : names.join(", ") || "none"
