import type { ClusterFinding, FindingList, FindingView } from "@lowtide/api/finding"
import type { ListFilter } from "@lowtide/api/parameters"
import { type ClusterMemory, codes, type Finding, type FindingCode, objectKey, streamOf } from "@lowtide/domain"
import type { CommittedView, HeardNode } from "../../centre.ts"
import { clustersOf } from "./clusters.ts"
import { byText, readingOf } from "./reading.ts"

/** What is wrong with one configuration object, a node or a Service, its refusal aside. */
export const findingsOn = (
  cluster: ClusterMemory,
  object: { readonly kind: string; readonly namespace?: string; readonly name: string }
): ReadonlyArray<FindingView> => cluster.findings.get(objectKey(object))?.findings ?? []

/** Everything that is wrong in the fleet: with objects, with what Services ask for, with sessions. */
export const findingList = (view: CommittedView, filter: ListFilter): FindingList => ({
  ...readingOf(view),
  items: clustersOf(view, filter)
    .flatMap((cluster) => [
      ...objectFindings(view, cluster),
      ...refusals(view, cluster),
      ...sessionFindings(view, cluster)
    ])
    .filter(({ object }) => filter.namespace === undefined || object.namespace === filter.namespace)
    .sort(byText(sortKey))
})

const sortKey = ({ cluster, object, field, code }: ClusterFinding): string =>
  [cluster, object.kind, object.namespace ?? "", object.name, field, code].join("\u0000")

const withCluster = (cluster: string, since: string | undefined, found: Finding): ClusterFinding => ({
  cluster,
  since: since ?? null,
  ...found
})

const objectFindings = (view: CommittedView, cluster: ClusterMemory): ReadonlyArray<ClusterFinding> =>
  [...cluster.findings.values()].flatMap(({ object, findings }) => {
    const stream = streamOf.findings(cluster.name, object.kind, object.namespace ?? "", object.name)
    return findings.map((found) => withCluster(cluster.name, view.recordedAt(stream), found))
  })

const refusals = (view: CommittedView, cluster: ClusterMemory): ReadonlyArray<ClusterFinding> =>
  [...cluster.unserved].flatMap((key) => {
    const state = cluster.services.get(key)
    if (!state?.refusal) return []
    const stream = streamOf.service(cluster.name, state.service.namespace, state.service.name)
    return withCluster(cluster.name, view.recordedAt(stream), state.refusal)
  })

/** What is wrong with the sessions of a cluster's peers, node by node. */
export const sessionFindings = (view: CommittedView, cluster: ClusterMemory): ReadonlyArray<ClusterFinding> =>
  [...view.nodes.values()]
    .filter(({ status }) => status.cluster === cluster.name)
    .flatMap((heard) => faultsOfSessions(cluster, heard))

/** A session that is not established and says why, or that is and lacks something. */
const faultsOfSessions = (cluster: ClusterMemory, { status }: HeardNode): ReadonlyArray<ClusterFinding> =>
  status.sessions.flatMap((session) => {
    const code = session.lastErrorCode
    if (code === null || session.lastError === null || !isCode(code)) return []
    if (session.state === "Established" && !lastsWhileEstablished.has(code)) return []
    return {
      cluster: cluster.name,
      since: session.since,
      code,
      severity: codes[code].severity,
      object: peerObject(cluster, session.peer),
      field: `session[${status.node}]`,
      message: `BGPPeer ${session.peer} session[${status.node}]: ${codes[code].title}: expected Established, found ${session.state}: ${session.lastError}`,
      expected: "Established",
      found: `${session.state}: ${session.lastError}`,
      fix: codes[code].fix
    }
  })

/** Faults of a session that is up: routes of one IP version are not on it. */
const lastsWhileEstablished: ReadonlySet<string> = new Set(["LT0303", "LT0306"])

const isCode = (code: string): code is FindingCode => Object.hasOwn(codes, code)

const peerObject = (cluster: ClusterMemory, name: string): ClusterFinding["object"] => {
  const namespace = [...cluster.manifests.values()].find(
    ({ manifest }) => manifest.kind === "BGPPeer" && manifest.name === name
  )?.manifest.namespace
  return { kind: "BGPPeer", ...(namespace ? { namespace } : {}), name }
}
