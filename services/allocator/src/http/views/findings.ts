import type { ClusterFinding, FindingList, FindingView } from "@lowtide/api/finding"
import type { ListFilter } from "@lowtide/api/parameters"
import type { ContestedAddress } from "@lowtide/api/recovery"
import type { NodeStatus, SessionStatus } from "@lowtide/bus/status"
import {
  type AddressPoolState,
  type ClusterMemory,
  codes,
  type Finding,
  type FindingCode,
  finding,
  fleetPoolFindings,
  heldBy,
  isFindingCode,
  isUnseen,
  type NodeState,
  objectKey,
  type ServiceState,
  streamOf,
  streamOfVip,
  unselectedFinding
} from "@lowtide/domain"
import { sessionFix } from "@lowtide/domain/announcing/session-fix"
import type { CommittedView, HeardNode } from "../../centre.ts"
import { doublyHeld } from "../../claims.ts"
import { reservedVips } from "../../recovery.ts"
import type { UnprovenStamp } from "../../stamp-proofs.ts"
import { waiting } from "./approvals.ts"
import { clustersOf } from "./clusters.ts"
import { byText, readingOf } from "./reading.ts"
import { currentStatus, isSilent, statusAtLeastMs } from "./sync.ts"
import { unreadOf } from "./wire-rows.ts"

/** What is wrong with one configuration object, a node or a Service, its refusal aside. */
export const findingsOn = (
  cluster: ClusterMemory,
  object: { readonly kind: string; readonly namespace?: string; readonly name: string }
): ReadonlyArray<FindingView> => cluster.findings.get(objectKey(object))?.findings ?? []

/** Whether the Service has given the address up for another that nodes do not announce yet. */
export const isLeaving = (cluster: ClusterMemory, { service }: ServiceState, address: string): boolean =>
  cluster.movingOf.get(`${service.namespace}/${service.name}`)?.includes(address) === true

/** Everything that is wrong in the fleet: with objects, with what Services ask for, with sessions and speakers. */
export const findingList = (
  view: CommittedView,
  filter: ListFilter,
  nowMs: number,
  /** What a leader that recovers knows besides of addresses that two clusters hold; "unknown" in a follower. */
  contested: ReadonlyArray<ContestedAddress> | "unknown" = []
): FindingList => ({
  ...readingOf(view),
  ...(contested === "unknown" && mayLackContested(view, filter) ? { lacks: ["LT0522"] } : {}),
  items: clustersOf(view, filter)
    .flatMap((cluster) => [
      ...objectFindings(view, cluster),
      ...poolFindings(view, cluster, view.fleet.addressPools.values()),
      ...refusals(view, cluster),
      ...reservations(view, cluster),
      ...contestedIn(view, cluster, [...doublyHeld(view.fleet), ...heldByNodes(contested)]),
      ...sessionFindings(view, cluster, nowMs),
      ...silences(view, cluster, nowMs),
      ...brakes(view, cluster, nowMs),
      ...withholdings(view, cluster, nowMs),
      ...refusing(view, cluster, nowMs),
      ...unreadReports(view, cluster, nowMs),
      ...(view.unproven?.(nowMs) ?? []).flatMap((said) => unprovenIn(cluster, said)),
      ...approvals(view, cluster)
    ])
    .concat(filter.cluster === undefined ? [...view.fleet.addressPools.values()].flatMap(unselected(view)) : [])
    .filter(({ object }) => filter.namespace === undefined || object.namespace === filter.namespace)
    .sort(byText(sortKey))
})

const heldByNodes = (contested: ReadonlyArray<ContestedAddress> | "unknown"): ReadonlyArray<ContestedAddress> =>
  contested === "unknown" ? [] : contested.filter(({ node }) => node !== null)

/** Whether a node says that it holds something from before history was lost: the leader asks it what, and nobody else. */
const mayLackContested = ({ fleet, nodes }: CommittedView, { cluster, namespace }: ListFilter): boolean =>
  fleet.recovery !== undefined &&
  namespace === undefined &&
  [...nodes.values()].some(
    ({ status }) => (status.former ?? 0) > 0 && (cluster === undefined || status.cluster === cluster)
  )

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

/** What is to be known of a pool of the fleet, in its clusters or as a whole; none of a pool that is not there. */
export const addressPoolFindings = (view: CommittedView, name: string): ReadonlyArray<ClusterFinding> => {
  const state = view.fleet.addressPools.get(name)
  if (state === undefined) return []
  return [
    ...[...view.fleet.clusters.values()].flatMap((cluster) => poolFindings(view, cluster, [state])),
    ...unselected(view)(state)
  ]
}

/** What is to be known of pools of the fleet in the cluster. */
const poolFindings = (
  view: CommittedView,
  cluster: ClusterMemory,
  pools: Iterable<AddressPoolState>
): ReadonlyArray<ClusterFinding> =>
  [...pools].flatMap((state) => fleetPoolFindings(view.fleet, cluster, state).map(ofPool(view, state, cluster.name)))

/** That no cluster draws from it, which is a word about none of them. */
const unselected = (view: CommittedView) => (state: AddressPoolState) =>
  unselectedFinding(view.fleet, state).map(ofPool(view, state, ""))

const ofPool =
  (view: CommittedView, { pool }: AddressPoolState, cluster: string) =>
  (found: Finding) =>
    withCluster(cluster, view.recordedAt(streamOf.addressPool(pool.name)), found)

const refusals = (view: CommittedView, cluster: ClusterMemory): ReadonlyArray<ClusterFinding> =>
  [...cluster.unserved].flatMap((key) => {
    const state = cluster.services.get(key)
    if (!state?.refusal) return []
    const stream = streamOf.service(cluster.name, state.service.namespace, state.service.name)
    return withCluster(cluster.name, view.recordedAt(stream), state.refusal)
  })

/** Addresses that a recovery keeps for Services that nobody has seen since. */
const reservations = (view: CommittedView, cluster: ClusterMemory): ReadonlyArray<ClusterFinding> =>
  reservedVips(view)
    .filter((vip) => vip.cluster === cluster.name)
    .flatMap((vip) =>
      vip.holders.flatMap((holder) =>
        isUnseen(cluster, holder)
          ? withCluster(
              cluster.name,
              view.recordedAt(streamOfVip(vip)),
              finding("LT0521", {
                object: { kind: "Service", namespace: holder.namespace, name: holder.name },
                expected: `the Service that holds ${vip.address}`,
                found: "none since history was lost"
              })
            )
          : []
      )
    )

/** Addresses that the cluster and another hold at once. */
const contestedIn = (
  view: CommittedView,
  cluster: ClusterMemory,
  contested: ReadonlyArray<ContestedAddress>
): ReadonlyArray<ClusterFinding> =>
  contested
    .filter((each) => each.cluster === cluster.name)
    .map(({ network, address, services, node, others }) => {
      const own = node === null ? view.fleet.vip(network, address, cluster.name) : undefined
      return withCluster(
        cluster.name,
        own && view.recordedAt(streamOfVip(own)),
        finding("LT0522", {
          object: { kind: "Cluster", name: cluster.name },
          field: `vip[${network}/${address}]`,
          expected: "one cluster that holds it, or a SharedAddress that names all who do",
          found: `${[...services, ...(node === null ? [] : [`node ${node}`])].join(", ")} and ${others.join(", ")}`
        })
      )
    })

/** What is wrong with the sessions of a cluster's peers, node by node; nothing is known of those of a silent node. */
export const sessionFindings = (
  view: CommittedView,
  cluster: ClusterMemory,
  nowMs: number
): ReadonlyArray<ClusterFinding> =>
  [...view.nodes.values()]
    .filter((heard) => heard.status.cluster === cluster.name && !isSilent(heard, nowMs))
    .flatMap((heard) => faultsOfSessions(cluster, heard))

/** That a node's speaker was heard and is not any more. A node whose object is gone may be silent. */
export const silenceOf = (
  { present, node }: NodeState,
  heard: HeardNode | undefined,
  nowMs: number
): ReadonlyArray<Finding> =>
  !present || heard === undefined || !isSilent(heard, nowMs)
    ? []
    : [
        finding("LT0307", {
          object: { kind: "Node", name: node.name },
          expected: `a status every ${statusAtLeastMs / 1000} s at least`,
          found: `last heard ${Math.floor((nowMs - heard.heardAtMs) / 1000)} s ago`
        })
      ]

/** That a node's speaker holds back withdrawals as too many at once. */
export const brakeOf = ({ node }: NodeState, status: NodeStatus | undefined): ReadonlyArray<Finding> =>
  status?.brake === undefined
    ? []
    : [
        finding("LT0406", {
          object: { kind: "Node", name: node.name },
          expected: "intents that withdraw no more than 30 % of its prefixes within a minute, unless ordered",
          found: `${status.brake.held} more that wait since ${status.brake.since}`
        })
      ]

const brakes = (view: CommittedView, cluster: ClusterMemory, nowMs: number): ReadonlyArray<ClusterFinding> =>
  [...cluster.nodes.values()].flatMap((state) => {
    const current = currentStatus(view.nodes.get(`${cluster.name}/${state.node.name}`), nowMs)
    return brakeOf(state, current).map((found) => withCluster(cluster.name, current?.brake?.since, found))
  })

/** What a person at a node took away; by the centre's own word it is to be announced. */
export const withheldOf = ({ node }: NodeState, status: NodeStatus | undefined): ReadonlyArray<Finding> => {
  const [first] = status?.withheld?.orders ?? []
  if (status?.withheld === undefined || first === undefined) return []
  const { count } = status.withheld
  const more = count === 1 ? "" : `, and ${count - 1} more`
  return [
    finding("LT0408", {
      object: { kind: "Node", name: node.name },
      expected: "routes as the centre wants them",
      found: `${first.prefix ?? "every route"} withheld by ${first.actor} since ${first.since}: ${first.reason}${more}`
    })
  ]
}

const withholdings = (view: CommittedView, cluster: ClusterMemory, nowMs: number): ReadonlyArray<ClusterFinding> =>
  [...cluster.nodes.values()].flatMap((state) => {
    const current = currentStatus(view.nodes.get(`${cluster.name}/${state.node.name}`), nowMs)
    return withheldOf(state, current).map((found) =>
      withCluster(cluster.name, current?.withheld?.orders[0]?.since, found)
    )
  })

/** That a node of the cluster said, and did not prove, that it holds what the log does not have. */
export const unprovenIn = (
  { name }: ClusterMemory,
  { cluster, node, stamp, why, saidAtMs }: UnprovenStamp
): ReadonlyArray<ClusterFinding> =>
  cluster !== name
    ? []
    : [
        withCluster(
          name,
          new Date(saidAtMs).toISOString(),
          finding("LT0511", {
            object: { kind: "Node", name: node },
            expected: "a stamp that the log has, or proof that the centre gave it",
            found: `${stamp.incarnation}/${stamp.epoch}/${stamp.seq}: ${why}`
          })
        )
      ]

/** What a node refuses, by code: what it says to refuse now, and while it lacks something the newest that it refused. */
const refusalsOf = (status: NodeStatus): ReadonlyArray<{ code: string; since: string; found: string }> => {
  const newest = status.sync === "stale" ? status.refused : []
  const refused = newest.map(({ code, message, at }) => ({ code, since: at, found: message }))
  const standing = (status.refusing ?? []).map(({ code, count, message, since }) => {
    const more = count === 1 ? "" : `, and ${count - 1} more`
    return { code, since, found: `${message}${more}` }
  })
  return [...new Map([...refused, ...standing].map((each) => [each.code, each])).values()]
}

/** That a node's speaker refuses what the centre says. */
export const refusingOf = (
  { name: cluster }: ClusterMemory,
  { node: { name } }: NodeState,
  status: NodeStatus | undefined
): ReadonlyArray<ClusterFinding> =>
  (status === undefined ? [] : refusalsOf(status)).flatMap(({ code, since, found }) =>
    isFindingCode(code)
      ? withCluster(
          cluster,
          since,
          finding(code, {
            object: { kind: "Node", name },
            field: "refused",
            expected: "messages that its speaker may take",
            found
          })
        )
      : []
  )

const refusing = (view: CommittedView, cluster: ClusterMemory, nowMs: number): ReadonlyArray<ClusterFinding> =>
  [...cluster.nodes.values()].flatMap((state) =>
    refusingOf(cluster, state, currentStatus(view.nodes.get(`${cluster.name}/${state.node.name}`), nowMs))
  )

/** How long it is said that reports could not be read, milliseconds. */
const unreadShownMs = 3_600_000

/** That reports of a node could not be read lately. An agent's are told of its cluster. */
export const unreadOn = (
  { unread = [] }: CommittedView,
  cluster: ClusterMemory,
  node: string,
  nowMs: number
): ReadonlyArray<ClusterFinding> => {
  const recent = unread.filter(
    (row) => row.cluster === cluster.name && row.node === node && Date.parse(row.recordedAt) > nowMs - unreadShownMs
  )
  const [newest] = recent
  if (newest === undefined) return []
  const count = recent.reduce((sum, row) => sum + (unreadOf(row)?.count ?? 1), 0)
  const isAgent = !cluster.nodes.has(node)
  return [
    withCluster(
      cluster.name,
      recent.at(-1)?.recordedAt,
      finding("LT0510", {
        object: isAgent ? { kind: "Cluster", name: cluster.name } : { kind: "Node", name: node },
        field: isAgent ? `reports[${node}]` : "",
        expected: "reports of what was told that can be read",
        found: `${count} that cannot within the hour, the last at ${newest.recordedAt}: ${unreadOf(newest)?.why ?? "its row cannot be read"}`
      })
    )
  ]
}

const unreadReports = (view: CommittedView, cluster: ClusterMemory, nowMs: number): ReadonlyArray<ClusterFinding> =>
  [...new Set((view.unread ?? []).flatMap((row) => (row.cluster === cluster.name ? (row.node ?? []) : [])))].flatMap(
    (node) => unreadOn(view, cluster, node, nowMs)
  )

/** Withdrawals that wait for a second person; what was rejected is decided. */
const approvals = (view: CommittedView, cluster: ClusterMemory): ReadonlyArray<ClusterFinding> =>
  waiting(view)
    .filter((order) => order.cluster === cluster.name && order.phase === "pending")
    .map(({ id, author, sinceMs }) =>
      withCluster(
        cluster.name,
        new Date(sinceMs).toISOString(),
        finding("LT0620", {
          object: { kind: "Cluster", name: cluster.name },
          field: `approval[${id}]`,
          expected: "withdrawals within the budget, or a second person who approves them",
          found: `${heldBy(view.fleet, { id, cluster: cluster.name }).length} addresses beyond it, by order of ${author}`
        })
      )
    )

const silences = (view: CommittedView, cluster: ClusterMemory, nowMs: number): ReadonlyArray<ClusterFinding> =>
  [...cluster.nodes.values()].flatMap((state) => {
    const heard = view.nodes.get(`${cluster.name}/${state.node.name}`)
    const since = heard === undefined ? undefined : new Date(heard.heardAtMs).toISOString()
    return silenceOf(state, heard, nowMs).map((found) => withCluster(cluster.name, since, found))
  })

/** A session that is not established and says why, or that is and lacks something. */
const faultsOfSessions = (cluster: ClusterMemory, { status }: HeardNode): ReadonlyArray<ClusterFinding> =>
  status.sessions.flatMap((session) => {
    const { state, lastError, lastErrorCode, bfdFault } = session
    const isUp = state === "Established"
    const finding = (code: string, expected: string, found: string) =>
      isFindingCode(code) ? [sessionFinding(cluster, status.node, session, { code, expected, found })] : []
    const isOver = lastErrorCode === null || (isUp && !lastsWhileEstablished.has(lastErrorCode))
    return [
      ...(isOver || lastError === null
        ? []
        : finding(
            lastErrorCode,
            isUp ? "every route on the session" : "Established",
            isUp ? lastError : `${state}: ${lastError}`
          )),
      ...(bfdFault === undefined ? [] : finding(bfdFault.code, "BFD with the peer", bfdFault.message))
    ]
  })

const sessionFinding = (
  cluster: ClusterMemory,
  node: string,
  { peer, since }: SessionStatus,
  { code, expected, found }: { readonly code: FindingCode; readonly expected: string; readonly found: string }
): ClusterFinding => ({
  cluster: cluster.name,
  since,
  code,
  severity: codes[code].severity,
  object: peerObject(cluster, peer),
  field: `session[${node}]`,
  message: `BGPPeer ${peer} session[${node}]: ${codes[code].title}: expected ${expected}, found ${found}`,
  expected,
  found,
  fix: sessionFix(code, found)
})

/** Faults of a session that is up: routes of one IP version are not on it. */
const lastsWhileEstablished: ReadonlySet<string> = new Set(["LT0145", "LT0303", "LT0306"])

const peerObject = (cluster: ClusterMemory, name: string): ClusterFinding["object"] => {
  const namespace = [...cluster.manifests.values()].find(
    ({ manifest }) => manifest.kind === "BGPPeer" && manifest.name === name
  )?.manifest.namespace
  return { kind: "BGPPeer", ...(namespace ? { namespace } : {}), name }
}
