import { type EvidenceList, type EvidenceQuery, type EvidenceView, evidenceItemsMax } from "@lowtide/api/evidence"
import { evidenceIn, type ReportedPeer, type ReportingRouter, type RouteEvidence, sessionOf } from "@lowtide/bmp"
import type { NodeStatus } from "@lowtide/bus/status"
import {
  type ClusterMemory,
  type NodePeer,
  type NodeState,
  type RouterWord,
  resolveNode,
  resolveVip,
  type VipState,
  withServedRoutes
} from "@lowtide/domain"
import { firstRoutes } from "@lowtide/domain/announcing/bgp-view"
import { hostPrefix, type Prefix, parseIpAddress, parsePrefix, prefixCovers } from "@lowtide/net"
import { Result } from "effect"
import type { CommittedView, HeardNode } from "../../centre.ts"
import type { RoutersHeard } from "../../router-reports.ts"
import { clustersOf } from "./clusters.ts"
import { byText, readingOf } from "./reading.ts"
import { reportedHealth } from "./reported-health.ts"
import { currentStatus } from "./sync.ts"

/** What routers say of the routes that nodes announce, and of those that were withdrawn and are not free yet. */
export const evidenceList = (
  view: CommittedView,
  heard: RoutersHeard,
  query: EvidenceQuery,
  nowMs: number
): EvidenceList => {
  const items = evidenceItems(view, heard.routers(), query, nowMs)
  return {
    ...readingOf(view),
    isListening: heard.isListening,
    routers: heard.routers().map(({ address, view, connectedAtMs, heardAtMs }) => ({
      address,
      name: view.name,
      description: view.description,
      since: iso(connectedAtMs),
      heard: iso(heardAtMs),
      sessions: view.peers.filter(
        ({ upSinceMs, localAddress }) => upSinceMs !== undefined && localAddress !== undefined
      ).length,
      routes: view.routes,
      doubt:
        view.peersLeftOut > 0
          ? "it tells of more sessions than are kept"
          : (view.peers.flatMap(({ views }) => [...views.values()].flatMap(({ doubt }) => doubt ?? []))[0] ?? null)
    })),
    lost: heard.lost().map(({ address, name, atMs, reason }) => ({ address, name, at: iso(atMs), reason })),
    ...firstRoutes(items, evidenceItemsMax)
  }
}

/** A route of a node to a peer, that the peer is to have or to have no longer. */
interface AskedRoute {
  readonly network: string
  readonly prefix: string
  readonly addresses: ReadonlyArray<string>
  readonly wanted: boolean
  readonly phase: VipState["phase"]
  /** Names of the peers that have or had it; all of the node's where the intent does not say any more. */
  readonly peers: ReadonlyArray<string> | undefined
}

/** One item for each route, node and peer. */
export const evidenceItems = (
  view: CommittedView,
  routers: ReadonlyArray<ReportingRouter>,
  query: EvidenceQuery,
  nowMs: number
): ReadonlyArray<EvidenceView> =>
  clustersOf(view, query).flatMap((cluster) => {
    const vips = vipsOf(view, cluster, query)
    return [...cluster.nodes.values()]
      .filter(({ node }) => query.node === undefined || query.node === node.name)
      .sort(byText(({ node }) => node.name))
      .flatMap((state) => nodeItems({ view, cluster, state, vips, routers, nowMs }))
  })

const vipsOf = (view: CommittedView, cluster: ClusterMemory, { prefix }: EvidenceQuery) => {
  const asked = prefix === undefined ? undefined : toPrefix(prefix)
  return [...view.fleet.vips.values()]
    .filter((vip) => vip.cluster === cluster.name && vip.phase !== "free")
    .filter(({ address }) => {
      const host = toPrefix(address)
      return asked === undefined || (host !== undefined && prefixCovers(asked, host))
    })
    .map((vip) => ({ vip, intent: resolveVip(view.fleet, cluster, vip, []) }))
}

type AskedVip = ReturnType<typeof vipsOf>[number]

interface NodeQuestion {
  readonly view: CommittedView
  readonly cluster: ClusterMemory
  readonly state: NodeState
  readonly vips: ReadonlyArray<AskedVip>
  readonly routers: ReadonlyArray<ReportingRouter>
  readonly nowMs: number
}

const nodeItems = ({ view, cluster, state, vips, routers, nowMs }: NodeQuestion): ReadonlyArray<EvidenceView> => {
  const { node } = state
  const heard = view.nodes.get(`${cluster.name}/${node.name}`)
  // A node that is gone has no peers any more: those that it would have say whether its routes are still there.
  const { peers } = resolveNode(view.fleet, cluster, { ...state, present: true })
  const status = currentStatus(heard, nowMs)
  const sessions = peers.map((peer) => ({
    peer,
    reported: reportedSessions(routers, peer, { status, addresses: node.addresses })
  }))
  return routesOf(heard, vips, { node: node.name, health: reportedHealth(cluster, node.name) }, nowMs).flatMap(
    (route) => {
      const prefix = toPrefix(route.prefix)
      if (prefix === undefined) return []
      return sessions
        .filter(({ peer }) => route.peers?.includes(peer.name) ?? true)
        .map(({ peer: { name, peerAddress, interface: device }, reported }): EvidenceView => {
          const said = askSessions(reported, prefix, nowMs)
          const { network, prefix: text, addresses, wanted } = route
          return {
            ...{
              cluster: cluster.name,
              node: node.name,
              peer: name,
              peerAddress: device ?? peerAddress,
              network,
              prefix: text
            },
            ...{ addresses, wanted },
            ...shown(said?.evidence ?? { _tag: "NotReported" }),
            router: said === undefined ? null : nameOf(said.router)
          }
        })
        .filter((item) => isWorthTelling(route, item))
    }
  )
}

/** What the node announces as an equal by its own word, and what is to be gone from it. */
const routesOf = (
  heard: HeardNode | undefined,
  vips: ReadonlyArray<AskedVip>,
  { node, health }: { readonly node: string; readonly health: ReturnType<typeof reportedHealth> },
  nowMs: number
): ReadonlyArray<AskedRoute> => {
  const status = currentStatus(heard, nowMs)
  const announcing = new Set(status?.announcing)
  const untold = new Set(status?.untold)
  const wanted = new Map<string, AskedRoute>()
  const gone: Array<AskedRoute> = []
  for (const { vip, intent } of vips) {
    const { network, address } = vip
    if (intent.state === "withdrawn") {
      if (wasTold(vip, node))
        gone.push({
          network,
          prefix: hostText(address),
          addresses: [address],
          wanted: false,
          phase: vip.phase,
          peers: undefined
        })
      continue
    }
    // What a peer has yet to be told of it cannot have.
    if (!announcing.has(address) || untold.has(address)) continue
    for (const { prefix, peers, nodes } of withServedRoutes(intent, health).routes) {
      if (!nodes.includes(node)) continue
      const key = `${network} ${prefix}`
      const known = wanted.get(key)
      wanted.set(key, {
        ...{ network, prefix, wanted: true, phase: vip.phase },
        addresses: [...new Set([...(known?.addresses ?? []), address])],
        peers: [...new Set([...(known?.peers ?? []), ...peers])]
      })
    }
  }
  // A prefix that another VIP is announced by is not to be gone.
  return [...wanted.values(), ...gone.filter(({ network, prefix }) => !wanted.has(`${network} ${prefix}`))]
}

/** Once all have confirmed nobody is obliged any more: then every node of the cluster is asked about. */
const wasTold = ({ phase, obliged }: VipState, node: string): boolean =>
  phase === "quarantined" || obliged.includes(node)

/** Of an address that all have withdrawn only those routes are told that a router has, or knows to have had. */
const isWorthTelling = ({ wanted, phase }: AskedRoute, { verdict }: EvidenceView): boolean =>
  wanted || phase !== "quarantined" || verdict === "has" || verdict === "let-go"

/** A session as one router tells it. */
interface ReportedSession {
  readonly router: ReportingRouter
  readonly session: ReportedPeer
}

/** Who is asked about: a node's status, as far as it is of now, and the addresses of its Node object. */
interface AskedNode {
  readonly status: NodeStatus | undefined
  readonly addresses: ReadonlyArray<string>
}

/** The node's session with a peer, by every router that tells of it. */
const reportedSessions = (
  routers: ReadonlyArray<ReportingRouter>,
  { name, peerAddress }: Pick<NodePeer, "name" | "peerAddress">,
  { status, addresses }: AskedNode
): ReadonlyArray<ReportedSession> => {
  // The node's end by its own word, else any address of the node of the peer's family.
  const own = status?.sessions.find(({ peer }) => peer === name)
  const told = own?.localAddress
  // Where the router is that is whoever is on an interface, only the node knows.
  const routerAddress = peerAddress === "" ? (own?.peerAddress ?? "").replace(/%.*$/, "") : peerAddress
  const ends =
    told === undefined ? addresses.filter((address) => address.includes(":") === routerAddress.includes(":")) : [told]
  return routers.flatMap((router) =>
    ends.flatMap((nodeAddress) => {
      const session = sessionOf(router.view, { nodeAddress, routerAddress })
      return session === undefined ? [] : { router, session }
    })
  )
}

const askSessions = (reported: ReadonlyArray<ReportedSession>, prefix: Prefix, nowMs: number) =>
  strongest(
    reported.map(({ router, session }) => ({ router, evidence: evidenceIn(router.view, session, prefix, nowMs) }))
  )

const nameOf = ({ view, address }: ReportingRouter): string => view.name || address

/** What routers say of each route of a node; undefined where none says that it has it or has it not. */
export const routerWords = (
  routers: ReadonlyArray<ReportingRouter>,
  node: AskedNode & { readonly peers: ReadonlyArray<Pick<NodePeer, "name" | "peerAddress">> },
  nowMs: number
): ((peer: string, prefix: string) => RouterWord | undefined) => {
  if (routers.length === 0) return () => undefined
  const sessions = new Map(node.peers.map((peer) => [peer.name, reportedSessions(routers, peer, node)]))
  return (peer, text) => {
    const prefix = toPrefix(text)
    const said = prefix && askSessions(sessions.get(peer) ?? [], prefix, nowMs)
    if (said === undefined) return undefined
    const { evidence } = said
    const router = nameOf(said.router)
    switch (evidence._tag) {
      case "Has":
        return { has: true, router, at: iso(evidence.sinceMs) }
      case "LetGo":
        return { has: false, router, reason: `says by BMP that it let it go at ${iso(evidence.atMs)}` }
      case "Never":
        return { has: false, router, reason: `says by BMP that it has not had it since ${iso(evidence.sinceMs)}` }
      case "SessionDown":
        return { has: false, router, reason: `says by BMP that the session is down: ${evidence.reason}` }
      case "Unsure":
      case "NotReported":
        return undefined
    }
  }
}

/** Of what several routers, or a router of several addresses, say: that a route is there before that it went. */
const order: ReadonlyArray<RouteEvidence["_tag"]> = ["Has", "LetGo", "Never", "Unsure", "SessionDown"]

const strongest = <Said extends { readonly evidence: RouteEvidence }>(said: ReadonlyArray<Said>): Said | undefined =>
  said
    .filter(({ evidence }) => evidence._tag !== "NotReported")
    .toSorted((left, right) => order.indexOf(left.evidence._tag) - order.indexOf(right.evidence._tag))[0]

const shown = (
  evidence: RouteEvidence
): Pick<EvidenceView, "verdict" | "view" | "since" | "isOlder" | "isUsed" | "why"> => {
  const nothing = { view: null, since: null, isOlder: false, isUsed: null, why: null }
  switch (evidence._tag) {
    case "Has": {
      const { view, sinceMs, isOlder, isSelected } = evidence
      return { verdict: "has", view, since: iso(sinceMs), isOlder, isUsed: isSelected ?? null, why: null }
    }
    case "LetGo":
      return { ...nothing, verdict: "let-go", view: evidence.view, since: iso(evidence.atMs) }
    case "Never":
      return { ...nothing, verdict: "never", view: evidence.view, since: iso(evidence.sinceMs) }
    case "SessionDown":
      return { ...nothing, verdict: "session-down", since: iso(evidence.atMs), why: evidence.reason }
    case "Unsure":
      return { ...nothing, verdict: "unsure", why: evidence.why }
    case "NotReported":
      return { ...nothing, verdict: "not-reported", why: "no router reports a session with this node and peer by BMP" }
  }
}

const iso = (ms: number): string => new Date(ms).toISOString()

const toPrefix = (text: string) => {
  if (text.includes("/")) return Result.getOrUndefined(parsePrefix(text))
  const address = Result.getOrUndefined(parseIpAddress(text))
  return address === undefined ? undefined : hostPrefix(address)
}

const hostText = (address: string): string => `${address}/${address.includes(":") ? 128 : 32}`
