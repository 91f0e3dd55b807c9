import { NotFoundProblem } from "@lowtide/api/problems"
import { type ClusterMemory, streamOf } from "@lowtide/domain"
import { didYouMean } from "@lowtide/domain/words"
import { type EventSelection, Ledger } from "@lowtide/ledger"
import { Effect } from "effect"
import { Centre, type CommittedView } from "../centre.ts"
import { archivedEvents } from "./archived.ts"
import { orUnavailable } from "./asking.ts"
import { unknownDetail } from "./trace-query.ts"
import { poolList } from "./views/pools.ts"

/** The names of a question about the record; clusters and networks are looked at before it is answered. */
interface NamesAsked {
  readonly cluster?: string | undefined
  readonly namespace?: string | undefined
  readonly service?: string | undefined
  readonly pool?: string | undefined
  readonly node?: string | undefined
  /** Where nothing of it is in the log. */
  readonly peer?: string | undefined
  readonly actor?: string | undefined
}

/** Actors that a misspelt one is compared with. */
const actorsMax = 1_000

/**
 * Fails of a question without an answer in which a name is misspelt, or was never there: that is told from one about which
 * there is nothing in the stretch that was asked for.
 */
export const refuseUnknown = Effect.fnUntraced(function* (asked: NamesAsked) {
  const detail = (yield* unknownTarget(asked)) ?? (yield* unknownFilter(asked))
  if (detail !== undefined) return yield* new NotFoundProblem({ detail })
})

/**
 * The same before anything is read, of what is looked for without an index: the log's index of namespaces begins with the
 * cluster, so that all of the log would be read for a namespace that it never had.
 */
export const refuseUnindexed = Effect.fnUntraced(function* ({ cluster, namespace }: NamesAsked) {
  if (cluster === undefined && namespace !== undefined) yield* refuseUnknown({ namespace })
})

const unknownTarget = Effect.fnUntraced(function* ({ cluster, namespace, service, node }: NamesAsked) {
  if (namespace !== undefined && service !== undefined) {
    if (!(yield* isNeverInClusters({ namespace, service }, cluster))) return undefined
    return yield* unknownDetail({ namespace, name: service, ...(cluster === undefined ? {} : { cluster }) })
  }
  if (cluster !== undefined && node !== undefined) {
    const state = yield* orUnavailable((yield* Ledger).streamState(streamOf.node(cluster, node)))
    if (state !== null) return undefined
    return unknown(
      "node",
      node,
      yield* look(({ fleet }) => fleet.clusters.get(cluster)?.nodes.keys() ?? []),
      `${cluster}/`
    )
  }
  return undefined
})

/** What a filter names may be in events that are archived: then nobody knows. */
const unknownFilter = Effect.fnUntraced(function* ({ namespace, pool, actor, peer }: NamesAsked) {
  if ((yield* archivedEvents) !== undefined) return undefined
  if (peer !== undefined) {
    const known = yield* look(({ fleet }) => peersOf(fleet.clusters.values()))
    if (!known.includes(peer)) return unknown("peer", peer, known)
  }
  if (pool !== undefined && (yield* isNever({ pool }))) {
    const known = yield* look((view) => poolList(view, {}).items.map(({ name }) => name))
    if (!known.includes(pool)) return unknown("pool", pool, known)
  }
  if (namespace !== undefined) {
    const known = yield* look(namespacesOf)
    if (!known.includes(namespace) && (yield* isNeverInClusters({ namespace })))
      return unknown("namespace", namespace, known)
  }
  if (actor !== undefined && (yield* isNever({ actor }))) {
    const sources = yield* look(sourcesOf)
    const known = [...(yield* orUnavailable((yield* Ledger).actors(actorsMax))), ...sources]
    if (!sources.includes(actor)) return unknown("actor", actor, known)
  }
  return undefined
})

const unknown = (what: string, found: string, known: Iterable<string>, before = ""): string =>
  `${what}: expected one that the log knows, found ${before}${found}${didYouMean(found, known)}`

const isNever = Effect.fnUntraced(function* (selection: EventSelection) {
  return !(yield* orUnavailable((yield* Ledger).hasEvent(selection)))
})

/**
 * The same of a namespace, in one cluster or in all. Asked without a cluster, the log
 * has no index for it.
 */
const isNeverInClusters = Effect.fnUntraced(function* (
  selection: Pick<EventSelection, "namespace" | "service">,
  only?: string
) {
  const clusters = only === undefined ? yield* look(({ fleet }) => fleet.clusters.keys()) : [only]
  for (const cluster of clusters) if (!(yield* isNever({ ...selection, cluster }))) return false
  return true
})

/** A copy: commits go on while names are compared. */
const look = Effect.fnUntraced(function* (project: (view: CommittedView) => Iterable<string>) {
  return yield* orUnavailable((yield* Centre).read((view) => [...project(view)]))
})

/** Namespaces that are there, or that a Service is in. */
const namespacesOf = ({ fleet }: CommittedView): ReadonlySet<string> =>
  new Set(
    [...fleet.clusters.values()].flatMap(({ namespaces, services }) => [
      ...namespaces.keys(),
      ...[...services.values()].map(({ service }) => service.namespace)
    ])
  )

/** Names of the clusters' BGPPeers; sessions are up as well with those whose deletion waits for a second person. */
export const peersOf = (clusters: Iterable<ClusterMemory>): ReadonlyArray<string> =>
  [...clusters].flatMap(({ manifests, kept }) =>
    [...manifests.values(), ...[...kept.values()].map(({ version }) => version)].flatMap((version) =>
      version._tag === "Manifest" && version.manifest.kind === "BGPPeer" ? version.manifest.name : []
    )
  )

/** Who may have done something by being there. */
const sourcesOf = ({ fleet }: CommittedView): ReadonlyArray<string> => [
  "allocator",
  ...[...fleet.clusters.values()].flatMap(({ name, nodes }) => [
    `agent:${name}`,
    ...[...nodes.keys()].map((node) => `speaker:${name}/${node}`)
  ])
]
