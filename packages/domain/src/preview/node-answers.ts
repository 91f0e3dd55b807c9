import { nodeRoutes, type ServiceHealth, type WantedRoute } from "../announcing/index.ts"
import { isInternalPeer, type NodeIntent, type VipIntent } from "../announcing/intent.ts"
import { healthOn, judgeVip, ofService, type Verdict } from "../announcing/node-routes.ts"
import { type EndpointSliceObject, localPrefUnset, type ServiceObject } from "../config/index.ts"

/** A node and the sessions that it would hold. */
export interface PreviewedNode {
  readonly name: string
  readonly excluded: NodeIntent["excluded"]
  readonly peers: ReadonlyArray<PreviewedPeer>
}

/** One session, and what would be announced over it. */
export interface PreviewedPeer {
  readonly name: string
  readonly address: string
  /** 0 where the router's may be any but our own. */
  readonly asn: number
  readonly announcements: ReadonlyArray<Announcement>
}

/** A route as the peer would get it. */
export interface Announcement {
  readonly prefix: string
  /** Null to an external peer, which is sent none (RFC 4271 §5.1.5). */
  readonly localPref: number | null
  readonly communities: ReadonlyArray<string>
  readonly largeCommunities: ReadonlyArray<string>
  /** Absent: none is sent. */
  readonly med?: number
  /** How often the own AS is named once more to an external peer; absent: not at all. */
  readonly asPathPrepend?: number
}

/** What a node makes of what it would be told. */
export interface NodeAnswer {
  readonly shown: PreviewedNode
  /** Of an address, as far as it is one Service's. */
  readonly verdictOf: (intent: VipIntent, service: Pick<ServiceObject, "namespace" | "name">) => Verdict | undefined
}

export const nodeOf = (
  node: NodeIntent,
  {
    intents,
    slices,
    order
  }: {
    readonly intents: ReadonlyArray<VipIntent>
    readonly slices: ReadonlyMap<string, ReadonlyArray<EndpointSliceObject>>
    readonly order: ReadonlyMap<string, number>
  }
): NodeAnswer => {
  const rank = ({ prefix }: Announcement): number => order.get(prefix) ?? 0
  const health = ({ namespace, name }: { readonly namespace: string; readonly name: string }): ServiceHealth =>
    healthOn(node.node, slices.get(`${namespace}/${name}`) ?? [])
  const { byPeer, verdicts } = nodeRoutes(node, intents, health)
  const peers = node.peers.map((peer): PreviewedPeer => {
    const isInternal = isInternalPeer(peer)
    return {
      name: peer.name,
      address: peer.interface ?? peer.peerAddress,
      asn: peer.dynamicAsn === "internal" ? peer.myAsn : peer.peerAsn,
      announcements: [...(byPeer.get(peer.name)?.values() ?? [])]
        .map((route) => announcement(route, isInternal))
        .sort((left, right) => rank(left) - rank(right))
    }
  })
  return {
    shown: { name: node.node, excluded: node.excluded, peers },
    verdictOf: (intent, service) => {
      const verdict = verdicts.get(intent.address)
      const isForAll = intent.routes.every(({ services }) => services === undefined)
      return isForAll || verdict?._tag === "NoPeer" ? verdict : judgeVip(node, ofService(intent, service), health)
    }
  }
}

const announcement = (
  { prefix, localPref, communities, med, prepend = 0 }: WantedRoute,
  isInternal: boolean
): Announcement => {
  const isLarge = (community: string): boolean => community.split(":").length === 3
  return {
    prefix,
    localPref: isInternal ? (localPref ?? localPrefUnset) : null,
    communities: communities.filter((community) => !isLarge(community)),
    largeCommunities: communities.filter(isLarge),
    ...(med === undefined ? {} : { med }),
    ...(isInternal || prepend === 0 ? {} : { asPathPrepend: prepend })
  }
}
