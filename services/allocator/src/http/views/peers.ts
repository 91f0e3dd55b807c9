import type { ListFilter } from "@lowtide/api/parameters"
import type { PeerList, PeerSession, PeerView } from "@lowtide/api/peers"
import { type ClusterMemory, decodeObject, type Peer, selects } from "@lowtide/domain"
import type { CommittedView } from "../../centre.ts"
import { clustersOf } from "./clusters.ts"
import { findingsOn, sessionFindings } from "./findings.ts"
import { byText, readingOf } from "./reading.ts"
import { currentStatus, syncOf } from "./sync.ts"

/** Peers in effect, those that are gone or changed but for an approval included, with their sessions, and peers that are not in effect with what is wrong with them. */
export const peerList = (view: CommittedView, filter: ListFilter, nowMs: number): PeerList => ({
  ...readingOf(view),
  reportsSince: view.reportsSince ?? null,
  items: clustersOf(view, filter)
    .flatMap((cluster) => peersOf(view, cluster, filter.namespace, nowMs))
    .sort(byText(({ cluster, name }) => `${cluster}\u0000${name}`))
})

type PeerFacts = Pick<Peer, "namespace" | "name" | "peerAddress" | "interface" | "peerPort" | "peerAsn" | "myAsn">

const peersOf = (
  view: CommittedView,
  cluster: ClusterMemory,
  namespace: string | undefined,
  nowMs: number
): ReadonlyArray<PeerView> => {
  const isWanted = (peer: PeerFacts) => namespace === undefined || peer.namespace === namespace
  const accepted = view.fleet.announced(cluster).peers
  const names = new Set(accepted.map(({ name }) => name))
  const ofSessions = sessionFindings(view, cluster, nowMs)
  return [
    ...accepted.filter(isWanted).map(
      (peer): PeerView => ({
        ...described(cluster, peer),
        state: "Accepted",
        findings: [
          ...findingsOf(cluster, peer),
          ...ofSessions
            .filter(({ object }) => object.name === peer.name)
            .map(({ cluster: _cluster, since: _since, ...found }) => found)
        ],
        sessions: sessionsOf(view, cluster, peer, nowMs)
      })
    ),
    ...refusedPeers(cluster, names)
      .filter(isWanted)
      .map(
        (peer): PeerView => ({
          ...described(cluster, peer),
          state: "Refused",
          findings: findingsOf(cluster, peer),
          sessions: []
        })
      )
  ]
}

const described = (cluster: ClusterMemory, peer: PeerFacts) => ({
  cluster: cluster.name,
  name: peer.name,
  peerAddress: peer.interface ?? peer.peerAddress,
  peerPort: peer.peerPort,
  peerAsn: peer.peerAsn,
  myAsn: peer.myAsn
})

const findingsOf = (cluster: ClusterMemory, { namespace, name }: PeerFacts): PeerView["findings"] =>
  findingsOn(cluster, { kind: "BGPPeer", namespace, name })

/** One for every node that is to have the session, whether its speaker was ever heard or not. */
const sessionsOf = (
  view: CommittedView,
  cluster: ClusterMemory,
  peer: Peer,
  nowMs: number
): ReadonlyArray<PeerSession> =>
  [...cluster.nodes.values()]
    .filter(({ present, node }) => present && selects(peer.nodeSelectors, node.labels))
    .map(({ node }): PeerSession => {
      const heard = view.nodes.get(`${cluster.name}/${node.name}`)
      const session = currentStatus(heard, nowMs)?.sessions.find((session) => session.peer === peer.name)
      return {
        node: node.name,
        state: session?.state ?? "Unknown",
        since: session?.since ?? null,
        prefixes: session?.prefixes ?? 0,
        ...(session?.bfd !== undefined && { bfd: session.bfd }),
        lastError: session?.lastError ?? null,
        lastErrorCode: session?.lastErrorCode ?? null,
        sync: syncOf(heard, nowMs)
      }
    })
    .sort(byText(({ node }) => node))

const refusedPeers = (cluster: ClusterMemory, accepted: ReadonlySet<string>): ReadonlyArray<PeerFacts> => {
  const written = [...cluster.manifests.values()].flatMap(({ manifest }): ReadonlyArray<PeerFacts> => {
    const { object } = decodeObject(manifest)
    return object?._tag === "BGPPeer" ? [object.value] : []
  })
  const unread = [...cluster.findings.values()].flatMap(({ object }): ReadonlyArray<PeerFacts> => {
    if (object.kind !== "BGPPeer") return []
    const namespace = object.namespace ?? "default"
    return [{ namespace, name: object.name, peerAddress: "", peerPort: 0, peerAsn: 0, myAsn: 0 }]
  })
  const peers = new Map<string, PeerFacts>()
  for (const peer of [...unread, ...written]) if (!accepted.has(peer.name)) peers.set(peer.name, peer)
  return [...peers.values()]
}
