import { prefixOrder } from "@lowtide/net"
import { Result } from "effect"
import { askedPoolFindings } from "../allocation/asked-pools.ts"
import { faultyServiceFindings } from "../allocation/faulty-services.ts"
import { classText, wantsAddress } from "../allocation/wish.ts"
import { nodeRoutes, type ServiceHealth, type WantedRoute } from "../announcing/index.ts"
import { isInternalPeer, type NodeIntent, type VipIntent } from "../announcing/intent.ts"
import { healthOn, judgeVip, ofService, type Verdict } from "../announcing/node-routes.ts"
import { preferenceClashes } from "../announcing/preferences.ts"
import { addressesOf, resolveNode, resolveVip } from "../announcing/resolve.ts"
import {
  type AddressPool,
  type Backend,
  decodeFleetObject,
  type EndpointSliceObject,
  type Finding,
  finding,
  localPrefUnset,
  type ServiceObject
} from "../config/index.ts"
import type { Command } from "../fleet/command.ts"
import { decide } from "../fleet/decide.ts"
import type { DecisionContext } from "../fleet/draft.ts"
import type { DomainEvent, ReasonCode } from "../fleet/event.ts"
import { type ClusterMemory, Fleet } from "../fleet/fleet.ts"
import { fleetPoolFindings, poolsOfFleet, unselectedFinding } from "../fleet/fleet-pools.ts"
import {
  byAge,
  endpointTellings,
  networkTelling,
  type Observation,
  objectTelling,
  type Phase,
  phases,
  slicesByService
} from "../fleet/observation.ts"
import type { ServiceState } from "../fleet/stream.ts"
import { type ClusterInput, type FleetInput, inOrder, judgedFindings, located } from "./findings.ts"

/** How Services that wait together are taken. */
export interface PreviewOptions {
  /** One after another as they stand in the files, whatever their age. */
  readonly servicesInOrder?: boolean
  /** Objects of the whole fleet. */
  readonly fleet?: ReadonlyArray<FleetInput>
}

/** What one cluster's objects would come to. */
export interface ClusterPreview {
  readonly cluster: string
  readonly network: string
  readonly findings: ReadonlyArray<Finding>
  readonly services: ReadonlyArray<PreviewedService>
  readonly nodes: ReadonlyArray<PreviewedNode>
}

/** A Service of type LoadBalancer, in the order in which it was taken; those with errors, which are not taken, last. */
export interface PreviewedService {
  readonly namespace: string
  readonly name: string
  readonly addresses: ReadonlyArray<string>
  /** The pool of its addresses; null when it has none. */
  readonly pool: string | null
  /** Why it has these addresses, or not what it asks for. */
  readonly reason: string
  /** Beside an address: what it asks for and does not get. */
  readonly refusal: Finding | null
  /** All that is wrong with what it asks of the pools, of which the refusal may be the first. */
  readonly asked: ReadonlyArray<Finding>
  /** What is amiss with the way it would be announced. */
  readonly warnings: ReadonlyArray<Finding>
  /** What each node makes of it, by node: of several addresses, the best. */
  readonly verdicts: ReadonlyMap<string, Verdict>
}

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

/**
 * What the objects of one or more clusters would come to in a fleet that had nothing before: the commands of their agents
 * through `decide`, what is then resolved for each VIP and node, and what each node makes of it. No two clusters of one
 * network get the same address; the clusters are taken in the order given.
 */
export const preview = (
  clusters: ReadonlyArray<ClusterInput>,
  options: PreviewOptions = {}
): ReadonlyArray<ClusterPreview> => {
  const decided = decideAll(clusters, options)
  return clusters.map((cluster, index) => previewCluster(cluster, index, decided))
}

/**
 * Carries out all that the files order: what the clusters are, the fleet's pools and quotas, each cluster's configuration,
 * the reservations of addresses of all those pools, and then cluster after cluster its Services.
 */
const decideAll = (clusters: ReadonlyArray<ClusterInput>, options: PreviewOptions): Decided => {
  const fleet = new Fleet()
  const events: Array<DomainEvent> = []
  const rejections: Array<Finding> = []
  const ordered = new Map<string, FleetInput>()
  const say = (command: Command): void => {
    events.push(...Result.getOrThrow(decide(fleet, command, fromNothing))) // no order that is refused
  }
  const order = (isWanted: (kind: string) => boolean): void => {
    for (const { object, locate } of options.fleet ?? []) {
      if (!isWanted(object.kind)) continue
      const faults = faultsOf({ object, locate }, ordered)
      rejections.push(...faults)
      if (faults.length > 0) continue
      const decided = decide(fleet, { _tag: "ApplyFleetObject", manifest: object }, fromNothing)
      if (Result.isSuccess(decided)) {
        events.push(...decided.success)
        ordered.set(`${object.kind}/${object.name}`, { object, locate })
      } else rejections.push({ ...decided.failure, source: locate(decided.failure.field) })
    }
  }
  for (const cluster of clusters) say(networkTelling(cluster.name, cluster.observations))
  order((kind) => kind !== "Reservation" && kind !== "SharedAddress")
  const commands = clusters.map((cluster) => commandsOf(cluster, options))
  for (const { configuration } of commands) for (const command of configuration) say(command)
  order((kind) => kind === "Reservation" || kind === "SharedAddress")
  for (const { holders } of commands) for (const command of holders) say(command)
  for (const { services } of commands) for (const command of services) say(command)
  const reasons = new Map(
    events.flatMap(({ type, reason, about }) =>
      type === "VipAssigned"
        ? [[`${about.cluster}/${about.namespace}/${about.service} ${about.address}`, reason] as const]
        : []
    )
  )
  return { fleet, reasons, options, fleetFindings: [...rejections, ...poolFindings(fleet, clusters, options)] }
}

/** All that is wrong with one of the fleet's objects by itself, or that there is one of its name in effect already. */
const faultsOf = ({ object, locate }: FleetInput, ordered: ReadonlyMap<string, FleetInput>): ReadonlyArray<Finding> => {
  const { findings } = decodeFleetObject(object)
  const first = ordered.get(`${object.kind}/${object.name}`)?.locate("")
  const ref = { kind: object.kind, name: object.name }
  const found = `a second one; the one at ${first?.file}:${first?.line} is in effect`
  const twice = first === undefined ? [] : [finding("LT0122", { object: ref, expected: "each object once", found })]
  return [...findings, ...twice].map((fault) => ({ ...fault, source: locate(fault.field) }))
}

/** What is to be known of the fleet's pools in these clusters. Where none says what it is, none is expected to be selected. */
const poolFindings = (
  fleet: Fleet,
  clusters: ReadonlyArray<ClusterInput>,
  { fleet: inputs = [] }: PreviewOptions
): ReadonlyArray<Finding> => {
  const isDescribed = clusters.some(({ observations }) => observations.some(({ object }) => object._tag === "Cluster"))
  return [...fleet.addressPools.values()].flatMap((state) => {
    const locate = inputs.find(({ object }) => object.kind === "AddressPool" && object.name === state.pool.name)?.locate
    const findings = [
      ...clusters.flatMap(({ name }) => fleetPoolFindings(fleet, fleet.cluster(name), state)),
      ...(isDescribed ? unselectedFinding(fleet, state) : [])
    ]
    return findings.map((found) => (locate === undefined ? found : { ...found, source: locate(found.field) }))
  })
}

/**
 * All that is wrong with the objects of each cluster under a backend: what `judge` says of the configuration, and what its
 * Services would be refused.
 */
export const lint = (
  clusters: ReadonlyArray<ClusterInput>,
  backend: Backend,
  options: PreviewOptions = {}
): ReadonlyArray<Pick<ClusterPreview, "cluster" | "findings">> => {
  const decided = decideAll(clusters, options)
  return clusters.map((input, index) => {
    const services = servicesOf(input, decided, { intents: intentsOf(decided.fleet, input), nodes: [] })
    return { cluster: input.name, findings: findingsOf(input, index, { services, decided, backend }) }
  })
}

/** What is wrong in one cluster; what is wrong with the fleet's own objects is told once, with the first. */
const findingsOf = (
  input: ClusterInput,
  index: number,
  {
    services,
    decided: { fleet, fleetFindings },
    backend
  }: {
    readonly services: ReadonlyArray<PreviewedService>
    readonly decided: Decided
    readonly backend: Backend
  }
): ReadonlyArray<Finding> => {
  const fleetPools = poolsOfFleet(fleet.addressPools.values(), fleet.cluster(input.name))
  return inOrder([
    ...(index === 0 ? fleetFindings : []),
    ...judgedFindings(input, { backend, fleetPools }),
    ...refusalsOf(input, services, fleetPools),
    ...services.flatMap(({ warnings }) => warnings.map((found) => located(input, found)))
  ])
}

/** Nothing was ever announced, so nothing is to be confirmed. */
const fromNothing: DecisionContext = { nowMs: 0, obligedOf: () => [], hasConfirmed: () => true }

interface Commands {
  readonly configuration: ReadonlyArray<Command>
  /** Services that have addresses by their status: of every cluster before the others of any. */
  readonly holders: ReadonlyArray<Command>
  readonly services: ReadonlyArray<Command>
}

/** What the cluster's agent would tell, in its order, after what the cluster is. */
const commandsOf = (cluster: ClusterInput, options: PreviewOptions): Commands => {
  const served = networkTelling(cluster.name, cluster.observations)
  const told = inTellingOrder(cluster.observations, options).flatMap(
    (observation) => objectTelling(cluster.name, observation, served) ?? []
  )
  const ofPhases = (...wanted: ReadonlyArray<Phase>) =>
    told.filter(({ phase }) => wanted.includes(phase)).map(({ command }) => command)
  const early = phases.filter((phase) => phase !== "holders" && phase !== "services" && phase !== "endpoints")
  const inFileOrder = options.servicesInOrder === true
  return {
    configuration: early.flatMap((phase) => ofPhases(phase)),
    holders: inFileOrder ? [] : ofPhases("holders"),
    services: [
      ...(inFileOrder ? ofPhases("holders", "services") : ofPhases("services")),
      ...endpointTellings(cluster.name, cluster.observations)
    ]
  }
}

const inTellingOrder = (
  observations: ReadonlyArray<Observation>,
  { servicesInOrder = false }: PreviewOptions
): ReadonlyArray<Observation> => {
  if (!servicesInOrder) return observations.toSorted(byAge)
  const isService = ({ object }: Observation): boolean => object._tag === "Service"
  return [...observations.filter((each) => !isService(each)).sort(byAge), ...observations.filter(isService)]
}

interface Decided {
  readonly fleet: Fleet
  readonly reasons: ReadonlyMap<string, ReasonCode>
  readonly options: PreviewOptions
  readonly fleetFindings: ReadonlyArray<Finding>
}

const previewCluster = (input: ClusterInput, index: number, decided: Decided): ClusterPreview => {
  const { fleet } = decided
  const cluster = fleet.cluster(input.name)
  const slices = slicesByService(input.observations)
  const intents = intentsOf(fleet, input)
  const order = prefixOrder(intents.flatMap(({ routes }) => routes.map(({ prefix }) => prefix)))
  const nodes = [...cluster.nodes.values()]
    .map((node) => nodeOf({ ...resolveNode(fleet, cluster, node), ...unnumbered }, { intents, slices, order }))
    .sort((left, right) => (left.shown.name < right.shown.name ? -1 : 1))
  const services = servicesOf(input, decided, { intents, nodes })
  return {
    cluster: input.name,
    network: cluster.network,
    findings: findingsOf(input, index, { services, decided, backend: "native" }),
    services,
    nodes: nodes.map(({ shown }) => shown)
  }
}

/** What would be said of each address that the cluster has. */
const intentsOf = (fleet: Fleet, { name }: ClusterInput): ReadonlyArray<VipIntent> => {
  const cluster = fleet.cluster(name)
  return [...cluster.vips].flatMap((stream): ReadonlyArray<VipIntent> => {
    const vip = fleet.vips.get(stream)
    return vip?.phase === "assigned" ? [{ ...resolveVip(fleet, cluster, vip, []), ...unnumbered }] : []
  })
}

/** The cluster's Services in the order in which they are taken; with what `nodes` make of them. */
const servicesOf = (
  input: ClusterInput,
  { fleet, reasons, options }: Decided,
  { intents, nodes }: { readonly intents: ReadonlyArray<VipIntent>; readonly nodes: ReadonlyArray<NodeAnswer> }
): ReadonlyArray<PreviewedService> => {
  const cluster = fleet.cluster(input.name)
  const byAddress = new Map(intents.map((intent) => [intent.address, intent]))
  const services = inTellingOrder(input.observations, options).flatMap(({ object }) => {
    if (object._tag !== "Service" || object.value.type !== "LoadBalancer") return []
    const state = cluster.services.get(`${object.value.namespace}/${object.value.name}`)
    return state === undefined ? [] : serviceOf({ fleet, cluster, state, reasons, nodes, intents: byAddress })
  })
  return [...services, ...faultyServicesOf(fleet, cluster, input)]
}

/** A message that nobody is sent. */
const unnumbered = {
  stamp: { incarnation: 0, epoch: 0, seq: 0 },
  cseq: 0,
  prevCseq: 0,
  cause: { seq: 0, type: "", reason: "", actor: "" }
} as const

interface NodeAnswer {
  readonly shown: PreviewedNode
  /** Of an address, as far as it is one Service's. */
  readonly verdictOf: (intent: VipIntent, service: Pick<ServiceObject, "namespace" | "name">) => Verdict | undefined
}

const nodeOf = (
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

const serviceOf = ({
  fleet,
  cluster,
  state,
  reasons,
  nodes,
  intents
}: {
  readonly fleet: Fleet
  readonly cluster: ClusterMemory
  readonly state: ServiceState
  readonly reasons: ReadonlyMap<string, ReasonCode>
  readonly nodes: ReadonlyArray<NodeAnswer>
  readonly intents: ReadonlyMap<string, VipIntent>
}): PreviewedService => {
  const { namespace, name } = state.service
  const addresses = addressesOf(cluster, state)
  const pools = [...new Set(addresses.map((address) => fleet.vip(cluster.network, address, cluster.name)?.pool ?? ""))]
  const given = [...new Set(addresses.map((address) => reasons.get(`${cluster.name}/${namespace}/${name} ${address}`)))]
  const refused = state.refusal === null ? [] : [`${state.refusal.code} ${state.refusal.message}`]
  const ignored = wantsAddress(state.service, cluster) ? [] : [classText(state.service, cluster)]
  const deleting = state.service.deleting === true && addresses.length === 0 ? ["it is being deleted"] : []
  return {
    namespace,
    name,
    addresses,
    pool: pools.length === 0 ? null : pools.join(", "),
    reason: [...given.filter((reason) => reason !== undefined), ...refused, ...ignored, ...deleting].join("; "),
    refusal: state.refusal,
    asked: state.refusal === null ? [] : askedPoolFindings(fleet, cluster, state.service),
    warnings: addresses.flatMap((address) => {
      const intent = intents.get(address)
      return intent === undefined ? [] : preferenceClashes(state.service, intent)
    }),
    verdicts: new Map(
      nodes.flatMap(({ shown, verdictOf }) => {
        const own = addresses.flatMap((address) => {
          const intent = intents.get(address)
          return (intent && verdictOf(intent, state.service)) ?? []
        })
        const best = own.find(({ _tag }) => _tag === "Announced") ?? own[0]
        return best === undefined ? [] : [[shown.name, best] as const]
      })
    )
  }
}

/** Services that are asked for with errors, which no agent tells of: they get nothing. */
const faultyServicesOf = (
  fleet: Fleet,
  cluster: ClusterMemory,
  { faulty = [] }: ClusterInput
): ReadonlyArray<PreviewedService> =>
  faulty.flatMap((each) => {
    const { object, findings } = each
    const fault = findings.find(({ severity }) => severity === "error")
    if (object._tag !== "Service" || object.value.type !== "LoadBalancer" || fault === undefined) return []
    const { namespace, name } = object.value
    return {
      ...{ namespace, name, addresses: [], pool: null },
      ...{ reason: `${fault.code} ${fault.message}`, refusal: fault, warnings: [], verdicts: new Map() },
      asked: faultyServiceFindings(fleet, cluster, each)
    }
  })

/**
 * What Services would not get. Where no pool was written at all, as in the folder of a team that has only Services,
 * nothing is held against them.
 */
const refusalsOf = (
  input: ClusterInput,
  services: ReadonlyArray<PreviewedService>,
  fleetPools: ReadonlyArray<AddressPool>
): ReadonlyArray<Finding> => {
  const { observations, findings, faulty = [] } = input
  const hasPools =
    fleetPools.length > 0 ||
    observations.some(({ object }) => object._tag === "IPAddressPool") ||
    findings.some(({ object }) => object.kind === "IPAddressPool")
  if (!hasPools) return []
  const isTold = (refusal: Finding): boolean => faulty.some((object) => object.findings.includes(refusal))
  return services.flatMap(({ refusal, asked }) => {
    const refused = refusal === null || isTold(refusal) ? [] : [refusal]
    const more = asked.filter(({ message }) => message !== refusal?.message)
    return [...refused, ...more].map((found) => located(input, found))
  })
}
