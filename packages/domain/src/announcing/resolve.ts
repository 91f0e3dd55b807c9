import { addressBits, formatPrefix, prefixOf } from "@lowtide/net"
import { toAddress } from "../config/canonical.ts"
import {
  type Advertisement,
  anySelectorMatches,
  type BfdProfile,
  type ClusterConfig,
  excludeLabel,
  localPrefUnset,
  type NodeObject,
  type ObjectRef,
  objectKey,
  type Peer,
  selects
} from "../config/index.ts"
import type { ClusterMemory, Fleet } from "../fleet/fleet.ts"
import type { NodeState, ServiceState, VipState } from "../fleet/stream.ts"
import type {
  AdvertisedRoute,
  NodeIntent,
  NodePeer,
  NumberedMessage,
  ObjectFindings,
  PeerBfd,
  ServiceAnswer,
  VipIntent
} from "./intent.ts"

/** A message before it is numbered: what it says, without when and why, and whether that was ordered. */
export type Content<Message extends NumberedMessage = NumberedMessage> = Message extends NumberedMessage
  ? Omit<Message, "stamp" | "cseq" | "prevCseq" | "cause" | "massWithdraw">
  : never

/** What is said of one VIP in its cluster. `obligedBefore` are the nodes that the intent in effect obliges. */
export const resolveVip = (
  fleet: Fleet,
  cluster: ClusterMemory,
  vip: VipState,
  obligedBefore: ReadonlyArray<string>
): Content<VipIntent> => {
  const services = servicesOf(cluster, vip)
  const routes = vip.phase === "assigned" ? routesOf(fleet, cluster, vip, services) : []
  const candidates = [...new Set(routes.flatMap((route) => route.nodes))].sort()
  // A tombstone is not told anew for want of a retired node: who has confirmed it would have to again.
  const before = vip.phase === "assigned" ? obligedBefore.filter((node) => !isRetired(cluster, node)) : obligedBefore
  const settled = vip.phase === "quarantined" || vip.phase === "free"
  return {
    _tag: "VipIntent",
    cluster: cluster.name,
    network: vip.network,
    address: vip.address,
    state: vip.phase === "assigned" ? "announced" : "withdrawn",
    services: services.map(({ service }) => ({
      namespace: service.namespace,
      name: service.name,
      uid: service.uid,
      trafficPolicy: service.externalTrafficPolicy
    })),
    admission: { _tag: "Open", candidates },
    routes,
    obliged: settled ? [] : [...new Set([...before, ...vip.obliged, ...candidates])].sort()
  }
}

/** Whose address it is, as far as they are known. */
export const servicesOf = (cluster: ClusterMemory, vip: VipState): ReadonlyArray<ServiceState> =>
  vip.holders.flatMap(
    (holder) => cluster.services.get(`${holder.namespace}/${holder.name}`) ?? goneService(cluster, vip)
  )

/** Who is gone, and to be announced until a second person approves its withdrawal, as it was last. */
const goneService = ({ name: cluster }: ClusterMemory, { heldRelease }: VipState): ReadonlyArray<ServiceState> =>
  heldRelease?.service === undefined
    ? []
    : [{ _tag: "Service", cluster, service: heldRelease.service, servingNodes: [], refusal: null }]

const isRetired = (cluster: ClusterMemory, node: string): boolean => cluster.nodes.get(node)?.retired === true

/** One route for each Advertisement that covers the VIP and that some node can carry to some peer. */
const routesOf = (
  fleet: Fleet,
  cluster: ClusterMemory,
  vip: VipState,
  services: ReadonlyArray<ServiceState>
): ReadonlyArray<AdvertisedRoute> => {
  const config = fleet.announced(cluster)
  const pool = config.pools.find((pool) => pool.name === vip.pool)
  const address = toAddress(vip.address)
  return config.advertisements.flatMap((advertisement) => {
    if (!coversPool(advertisement, vip.pool, pool?.labels ?? {})) return []
    const covered = coveredServices(advertisement, services)
    if (covered.length === 0) return []
    const peers = peersOf(config, advertisement)
    const nodes = presentNodes(cluster).filter(({ node }) => carries(node, { advertisement, peers }))
    if (nodes.length === 0) return []
    const rank = rankOf(fleet, cluster, vip)
    const { med, asPathPrepend = 0 } = fleet.allows("routePreferences") ? advertisement : {}
    const prepend = asPathPrepend + rank * prependARank
    const lengthBits = address.family === 4 ? advertisement.aggregationLength : advertisement.aggregationLengthV6
    return {
      advertisement: advertisement.name,
      prefix: formatPrefix(prefixOf(address, Math.min(lengthBits, addressBits(address.family)))),
      peers: peers.map(({ name }) => name),
      nodes: nodes.map(({ node }) => node.name),
      localPref: rank === 0 ? (advertisement.localPref ?? null) : rankedLocalPref(advertisement, rank),
      communities: advertisement.communities,
      ...(covered.length === services.length || !fleet.allows("routeServices")
        ? {}
        : { services: covered.map(nameOf) }),
      ...(med === undefined ? {} : { med }),
      ...(prepend === 0 ? {} : { prepend })
    }
  })
}

/** Longer than what makes a standby of the preferred cluster a worse path: all of its nodes come before those of the next. */
const prependARank = 4
const localPrefARank = 10

/** How many better priorities there are of a shared address; who is no member any more comes last. */
const rankOf = (fleet: Fleet, cluster: ClusterMemory, { network, address }: VipState): number => {
  const members = fleet.networks.get(network)?.shared.get(address)?.shared.members
  if (members === undefined) return 0
  const priorities = [...new Set(members.map(({ priority }) => priority))].sort((left, right) => left - right)
  const own = members.find((member) => member.cluster === cluster.name)
  return own === undefined ? priorities.length : priorities.indexOf(own.priority)
}

const rankedLocalPref = ({ localPref = localPrefUnset }: Advertisement, rank: number): number =>
  Math.max(1, localPref - rank * localPrefARank)

/** The peers that an Advertisement is for. */
export const peersOf = (config: ClusterConfig, { peers: names }: Advertisement): ReadonlyArray<Peer> =>
  config.peers.filter(({ name }) => names.length === 0 || names.includes(name))

/** Whether the node has a session by which it can announce what the Advertisement covers. */
export const carries = (
  { labels }: Pick<NodeObject, "labels">,
  { advertisement, peers }: { readonly advertisement: Advertisement; readonly peers: ReadonlyArray<Peer> }
): boolean => selects(advertisement.nodeSelectors, labels) && peers.some((peer) => selects(peer.nodeSelectors, labels))

/** Whether the configuration has the node announce anything: nothing is withdrawn for good before such a node confirms it. */
export const isCandidate = (fleet: Fleet, cluster: ClusterMemory, node: Pick<NodeObject, "labels">): boolean => {
  const config = fleet.announced(cluster)
  return config.advertisements.some((advertisement) =>
    carries(node, { advertisement, peers: peersOf(config, advertisement) })
  )
}

/** Whether an Advertisement is for addresses of the pool. */
export const coversPool = (
  advertisement: Advertisement,
  pool: string,
  labels: Readonly<Record<string, string>>
): boolean =>
  (advertisement.pools.length === 0 && advertisement.poolSelectors.length === 0) ||
  advertisement.pools.includes(pool) ||
  anySelectorMatches(advertisement.poolSelectors, labels)

/** Those of the Services of an address that it is for. */
export const coveredServices = (
  { serviceSelectors }: Advertisement,
  services: ReadonlyArray<ServiceState>
): ReadonlyArray<ServiceState> => services.filter(({ service }) => selects(serviceSelectors, service.labels))

const nameOf = ({ service }: ServiceState): string => `${service.namespace}/${service.name}`

/** The nodes of a cluster that are there, by their names. */
export const presentNodes = (cluster: ClusterMemory): ReadonlyArray<NodeState> =>
  [...cluster.nodes.values()]
    .filter(({ present }) => present)
    .sort((left, right) => (left.node.name < right.node.name ? -1 : 1))

/** What one node is told about itself. */
export const resolveNode = (
  fleet: Fleet,
  cluster: ClusterMemory,
  { node, present }: NodeState
): Content<NodeIntent> => ({
  _tag: "NodeIntent",
  cluster: cluster.name,
  node: node.name,
  peers: present
    ? peersOn(peersToldOf(fleet, cluster), node.labels).map((peer) =>
        nodePeer(
          peer,
          fleet.announced(cluster).bfdProfiles.find(({ name }) => name === peer.bfdProfile)
        )
      )
    : [],
  addresses: node.addresses,
  excluded: Object.hasOwn(node.labels, excludeLabel) ? "label" : node.networkUnavailable ? "network-unavailable" : null
})

/** The peers that speakers can be told of: one that a speaker of the fleet's version would misread is none yet. */
const peersToldOf = (fleet: Fleet, cluster: ClusterMemory): ReadonlyArray<Peer> => {
  const { peers } = fleet.announced(cluster)
  return fleet.allows("peerSettings")
    ? peers
    : peers.filter(
        (peer) =>
          peer.password === undefined &&
          peer.vrf === undefined &&
          peer.interface === undefined &&
          peer.dynamicAsn === undefined &&
          peer.localAsn === undefined &&
          peer.ttlSecurityHops === undefined &&
          peer.maximumPrefixes === undefined &&
          peer.role === undefined &&
          peer.standby === undefined
      )
}

/** The peers of one node: those that select it, but for one that yields to another of them. */
const peersOn = (peers: ReadonlyArray<Peer>, labels: Readonly<Record<string, string>>): ReadonlyArray<Peer> => {
  const selecting = peers.filter((peer) => selects(peer.nodeSelectors, labels))
  const names = new Set(selecting.map(({ name }) => name))
  return selecting.filter(({ yieldsTo = [] }) => !yieldsTo.some((older) => names.has(older)))
}

/** `profile`: the BFDProfile that it names, where there is one. */
const nodePeer = (peer: Peer, profile: BfdProfile | undefined): NodePeer => ({
  name: peer.name,
  peerAddress: peer.peerAddress,
  ...(peer.interface === undefined ? {} : { interface: peer.interface }),
  peerPort: peer.peerPort,
  peerAsn: peer.peerAsn,
  ...(peer.dynamicAsn === undefined ? {} : { dynamicAsn: peer.dynamicAsn }),
  myAsn: peer.localAsn ?? peer.myAsn,
  routerId: peer.routerId ?? null,
  sourceAddress: peer.sourceAddress ?? null,
  holdTimeSeconds: peer.holdTimeSeconds,
  keepaliveTimeSeconds: peer.keepaliveTimeSeconds ?? null,
  connectTimeSeconds: peer.connectTimeSeconds ?? null,
  ...(peer.vrf === undefined ? {} : { vrf: peer.vrf }),
  hops: peer.ebgpMultiHop || (peer.ttlSecurityHops ?? 1) > 1 ? "many" : "one",
  ...(peer.ttlSecurityHops === undefined ? {} : { ttlSecurityHops: peer.ttlSecurityHops }),
  ...(peer.maximumPrefixes === undefined ? {} : { maximumPrefixes: peer.maximumPrefixes }),
  ...(peer.role === undefined ? {} : { role: peer.role }),
  ...(peer.roleStrict === undefined ? {} : { roleStrict: peer.roleStrict }),
  ...(peer.standby === undefined ? {} : { standby: peer.standby }),
  ...(peer.enableGracefulRestart === true ? { gracefulRestart: true } : {}),
  ...(profile === undefined ? {} : { bfd: peerBfd(profile) }),
  ...(peer.password === undefined ? {} : { password: peer.password })
})

const peerBfd = ({
  receiveIntervalMs,
  transmitIntervalMs,
  detectMultiplier,
  passiveMode,
  minimumTtl
}: BfdProfile): PeerBfd => ({ receiveIntervalMs, transmitIntervalMs, detectMultiplier, passiveMode, minimumTtl })

/** What a Service's cluster is told about its addresses. */
export const resolveService = (fleet: Fleet, cluster: ClusterMemory, state: ServiceState): Content<ServiceAnswer> => {
  const { namespace, name, uid } = state.service
  const { refusal } = state
  return {
    _tag: "ServiceAnswer",
    cluster: cluster.name,
    namespace,
    name,
    uid,
    addresses: addressesOf(cluster, state).map((address) => ({
      address,
      pool: fleet.vip(cluster.network, address, cluster.name)?.pool ?? ""
    })),
    refusal: refusal === null ? null : { code: refusal.code, message: refusal.message, fix: refusal.fix }
  }
}

/** The last word to a Service that is gone, which is known by its uid: it has nothing. */
export const resolveGoneService = ({ cluster, service }: ServiceState): Content<ServiceAnswer> => ({
  _tag: "ServiceAnswer",
  cluster,
  namespace: service.namespace,
  name: service.name,
  uid: service.uid,
  addresses: [],
  refusal: null
})

/**
 * A Service's addresses as its status lists them: in the order asked for, else IPv4 before IPv6; then those that it is
 * leaving, which its nodes have to know for as long as routers may send to them.
 */
export const addressesOf = (cluster: ClusterMemory, { service }: ServiceState): ReadonlyArray<string> => {
  const requested = service.requestedAddresses
  const rank = (address: string): number => {
    const index = requested.indexOf(address)
    return index >= 0 ? index : requested.length + (address.includes(":") ? 1 : 0)
  }
  const held = cluster.addressesOf.get(`${service.namespace}/${service.name}`) ?? []
  const leaving = cluster.movingOf.get(`${service.namespace}/${service.name}`) ?? []
  return [held, leaving].flatMap((addresses) => addresses.toSorted((left, right) => rank(left) - rank(right)))
}

/**
 * What an object's status is to say: of configuration whether it is accepted, as long as it is there; of anything else
 * what is wrong with it, as long as something is.
 */
export const resolveObject = (cluster: ClusterMemory, ref: ObjectRef): Content<ObjectFindings> => {
  const key = objectKey(ref)
  const findings = cluster.findings.get(key)?.findings ?? []
  return {
    _tag: "ObjectFindings",
    cluster: cluster.name,
    object: { kind: ref.kind, namespace: ref.namespace ?? "", name: ref.name },
    findings: findings.map(({ code, severity, field, message, fix }) => ({ code, severity, field, message, fix })),
    ...(findings.length === 0 && !cluster.manifests.has(key) ? { gone: true as const } : {})
  }
}
