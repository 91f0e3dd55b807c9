import type { ListFilter } from "@lowtide/api/parameters"
import type { ClusterMemory } from "@lowtide/domain"
import { didYouMean, isNearInLength } from "@lowtide/domain/words"
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

/** A Service by its name, in one cluster or in whichever has it. */
export interface ServiceAsked {
  readonly cluster?: string
  readonly namespace: string
  readonly name: string
}

/** Services that a misspelt name is compared with: to compare takes a thousand times as long as to look. */
const likelyMax = 200

/** Services that may be meant by a name that none has: of that namespace, or called so in another. */
export const likelyServices = (
  { fleet }: CommittedView,
  { cluster, namespace, name }: ServiceAsked
): ReadonlyArray<string> => {
  const found = `${namespace}/${name}`
  const likely = new Set<string>()
  for (const one of fleet.clusters.values()) {
    if (cluster !== undefined && one.name !== cluster) continue
    for (const key of one.services.keys()) {
      if (!key.startsWith(`${namespace}/`) && !key.endsWith(`/${name}`)) continue
      if (isNearInLength(found, key)) likely.add(key)
      if (likely.size === likelyMax) return [...likely]
    }
  }
  return [...likely]
}

/** Why there is no answer about a Service of which nothing was ever written, or nothing by the time `at`. */
export const unknownService = (
  { cluster, namespace, name }: ServiceAsked,
  likely: ReadonlyArray<string>,
  at?: string
): string => {
  const found = `${namespace}/${name}`
  return `service: expected one that the log ${at === undefined ? "knows" : `knew at ${at}`}, found ${cluster === undefined ? "" : `${cluster}/`}${found}${didYouMean(found, likely)}`
}

/** Names that a line has room for. */
const namesMax = 20

/** Known names in a fault, `none` where there are none. */
export const namesText = (names: ReadonlyArray<string>): string =>
  names.length > namesMax
    ? `${names.slice(0, namesMax).join(", ")}, ... of ${names.length}`
    : names.join(", ") || "none"
