import type { BgpRouteList } from "@lowtide/api/bgp"
import type { NodeStatus } from "@lowtide/bus/status"
import {
  asksAbout,
  type ClusterMemory,
  type Content,
  isOnTheWire,
  isPartial,
  type Narrowing,
  type NodeFacts,
  type NodeIntent,
  type RoutedVip,
  type RouteEvent,
  resolveNode,
  resolveVip,
  routesOf,
  sessionFacts,
  type VipIntent,
  withServedRoutes
} from "@lowtide/domain"
import { formatPrefix, hostPrefix, parseIpAddress } from "@lowtide/net"
import { Result } from "effect"
import type { CommittedView } from "../../centre.ts"
import { clustersOf } from "./clusters.ts"
import { byText } from "./reading.ts"
import { reportedHealth } from "./reported-health.ts"
import { currentStatus, syncOf } from "./sync.ts"
import type { WireFacts } from "./wire-facts.ts"

/** One node as the centre knows it, before the wire journal is asked. */
export interface HeardNode {
  readonly cluster: string
  readonly node: string
  readonly sync: string
  readonly intent: Content<NodeIntent>
  readonly status: NodeStatus | undefined
  /** VIPs of its cluster that are not free, as it is to announce them now where it does. */
  readonly vips: ReadonlyArray<Content<VipIntent>>
}

/** The nodes that a question is about, with the VIPs that it is about. */
export const heardNodes = (view: CommittedView, asked: Narrowing, nowMs: number): ReadonlyArray<HeardNode> =>
  clustersOf(view, asked).flatMap((cluster) => {
    const vips = vipsOf(view, cluster, asked)
    const areAlike = !vips.some(isPartial)
    return [...cluster.nodes.values()]
      .filter(({ node, present }) => present && (asked.node === undefined || asked.node === node.name))
      .map((state): HeardNode => {
        const heard = view.nodes.get(`${cluster.name}/${state.node.name}`)
        const intent = resolveNode(view.fleet, cluster, state)
        const health = reportedHealth(cluster, state.node.name)
        const peers = intent.peers.filter(({ name }) => asked.peer === undefined || asked.peer === name)
        return {
          cluster: cluster.name,
          node: state.node.name,
          sync: syncOf(heard, nowMs),
          intent: { ...intent, peers },
          status: currentStatus(heard, nowMs),
          vips: areAlike ? vips : vips.map((vip) => withServedRoutes(vip, health))
        }
      })
      .sort(byText(({ node }) => node))
  })

const vipsOf = ({ fleet }: CommittedView, cluster: ClusterMemory, asked: Narrowing) => {
  const isAsked = asksAbout(asked)
  return [...fleet.vips.values()]
    .filter((vip) => vip.cluster === cluster.name && vip.phase === "assigned")
    .map((vip) => resolveVip(fleet, cluster, vip, []))
    .filter(({ routes }) => routes.some(({ prefix }) => isAsked(prefix)))
}

/** VIPs that the question is about, and that are released while nodes have yet to confirm that they withdrew them. */
export const withdrawingVips = (view: CommittedView, asked: Narrowing): NonNullable<BgpRouteList["withdrawing"]> => {
  const isAsked = asksAbout(asked)
  return clustersOf(view, asked).flatMap(({ name: cluster, vips }) =>
    [...vips].flatMap((stream) => {
      const vip = view.fleet.vips.get(stream)
      if (vip?.phase !== "withdrawing" || !isAsked(hostPrefixOf(vip.address))) return []
      const awaiting = view.awaited(vip)
      if (awaiting.length === 0 || (asked.node !== undefined && !awaiting.includes(asked.node))) return []
      return [{ cluster, network: vip.network, address: vip.address, services: vip.lastHolders, awaiting }]
    })
  )
}

const hostPrefixOf = (address: string): string => formatPrefix(hostPrefix(Result.getOrThrow(parseIpAddress(address))))

/** What a node made of each VIP, by its reports; by its status where there are none any more. */
export const verdictOf = (
  { cluster, node, status }: HeardNode,
  facts: WireFacts,
  { network, address }: Content<VipIntent>
): string | null =>
  facts.verdict({ cluster, network, address }, node) ?? (status?.announcing.includes(address) ? "Announced" : null)

/** Why a node announces a VIP to nobody: its own word, or what can be told without it. */
export const whyUnannounced = (heard: HeardNode, facts: WireFacts, vip: Content<VipIntent>): string => {
  const verdict = verdictOf(heard, facts, vip)
  // Of a VIP that the log has assigned, the word to withdraw it is an older one.
  if (verdict !== null && verdict !== "Withdrawn") return verdict
  if (!vip.admission.candidates.includes(heard.node)) return verdict ?? "NotCandidate"
  if (heard.intent.excluded !== null) return verdict ?? "Excluded"
  return refusalOf(heard) ?? verdict ?? "Unknown"
}

/** What a node refuses that may be the message of a VIP of which it knows nothing newer. */
const refusalOf = ({ status }: HeardNode): string | undefined => {
  const refused = (status?.refusing ?? []).map(({ code }) => code)
  if (refused.includes("LT0401")) return "RefusesSignature"
  return refused.includes("LT0402") ? "RefusesPrefix" : undefined
}

/** The node with all that is known of it, as the views take it; `events` are those of the log that were looked up, by seq. */
export const nodeFacts = (
  heard: HeardNode,
  facts: WireFacts,
  events: ReadonlyMap<number, RouteEvent>,
  routerHas: NodeFacts["routerHas"] = () => undefined
): NodeFacts => {
  const { cluster, node, sync, intent, status, vips } = heard
  const verdicts = vips.map((vip) => ({ vip, verdict: verdictOf(heard, facts, vip) }))
  const announced = verdicts.flatMap(({ vip, verdict }) =>
    isOnTheWire({ _tag: verdict })
      ? {
          intent: vip,
          isStandby: (peer: string) => verdict === "Standby" || facts.isStandby({ ...vip, cluster }, { node, peer })
        }
      : []
  )
  const byPeer = routesOf(intent, announced)
  const byPrefix = new Map<string, Array<RoutedVip>>()
  for (const { intent: vip } of announced) {
    const seq = facts.eventSeq(vip, node)
    const event = seq === undefined ? null : (events.get(seq) ?? { seq, type: null, reason: null, actor: null })
    for (const prefix of new Set(vip.routes.map((route) => route.prefix))) {
      const routed = { ...vip, event }
      byPrefix.set(prefix, [...(byPrefix.get(prefix) ?? []), routed])
    }
  }
  const told = new Map(
    vips.map((vip) => [
      `${vip.network} ${vip.address}`,
      new Map(
        facts.announcements({ cluster, network: vip.network, address: vip.address }, node).map((at) => [at.peer, at])
      )
    ])
  )
  return {
    cluster,
    node,
    sync,
    agreedAt: status?.agreedAt ?? null,
    ...(status?.withheld && { withheld: status.withheld }),
    intent,
    session: (peer) => {
      const said = status?.sessions.find((session) => session.peer === peer)
      return said && sessionFacts(said)
    },
    wanted: (peer) => byPeer.get(peer) ?? new Map(),
    vipsOf: (prefix) => byPrefix.get(prefix) ?? [],
    told: ({ network, address }, peer) => told.get(`${network} ${address}`)?.get(peer),
    routerHas
  }
}
