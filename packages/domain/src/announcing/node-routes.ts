import { canServe, type EndpointSliceObject } from "../config/endpoint-slice.ts"
import type { Admission, AdvertisedRoute, IntentService, NodeIntent, VipIntent } from "./intent.ts"
import { localPrefDefault } from "./on-the-wire.ts"

/** What a node alone knows about a Service: whether endpoints serve, here and anywhere. */
export interface ServiceHealth {
  readonly servesHere: boolean
  readonly servesAnywhere: boolean
}

/** What a Service's EndpointSlices say to one node. */
export const healthOn = (node: string, slices: Iterable<EndpointSliceObject>): ServiceHealth => {
  const serving = [...slices].flatMap(({ endpoints }) => endpoints.filter(canServe))
  return { servesHere: serving.some(({ nodeName }) => nodeName === node), servesAnywhere: serving.length > 0 }
}

/** The attributes of one route to one peer, before the session adds what is its own (next hop, AS path). */
export interface WantedRoute {
  readonly prefix: string
  readonly localPref: number | null
  readonly communities: ReadonlyArray<string>
  /** Absent: none is sent. */
  readonly med?: number
  /** How often the own AS is to be named once more to an external peer; absent: not at all. */
  readonly prepend?: number
  /** To be a worse path than the same route of an admitted node. */
  readonly isStandby: boolean
}

/** Why a node does or does not announce a VIP. */
export type Verdict =
  | { readonly _tag: "Announced" }
  | { readonly _tag: "Standby" }
  | { readonly _tag: "Withdrawn" }
  | { readonly _tag: "NotCandidate" }
  | { readonly _tag: "Excluded"; readonly why: NonNullable<NodeIntent["excluded"]> }
  | { readonly _tag: "NoLocalEndpoint" }
  | { readonly _tag: "NoEndpoint" }
  | { readonly _tag: "NoPeer" }
  /** It is standby for each of its peers, and they take none. */
  | { readonly _tag: "NoStandby" }
  /** A person at the node took it away. */
  | { readonly _tag: "Withheld" }

/** One node's answer to all its intents. */
export interface NodeRoutes {
  /** By peer name, then by prefix. Every configured peer is present. */
  readonly byPeer: ReadonlyMap<string, ReadonlyMap<string, WantedRoute>>
  /** By address. */
  readonly verdicts: ReadonlyMap<string, Verdict>
}

/**
 * Whether this node announces a VIP. It does when it is a candidate, is not excluded, and one of the VIP's Services that a
 * route of the node is for has a serving endpoint: on this node under policy Local, anywhere in the cluster under policy
 * Cluster. As a standby where the admission lists others.
 */
export const judgeVip = (
  node: Pick<NodeIntent, "node" | "excluded">,
  intent: Pick<VipIntent, "state" | "admission" | "services" | "routes">,
  health: Health
): Verdict => {
  if (intent.state === "withdrawn") return { _tag: "Withdrawn" }
  const services = routedServices(node.node, intent)
  if (services === undefined || !intent.admission.candidates.includes(node.node)) return { _tag: "NotCandidate" }
  if (node.excluded !== null) return { _tag: "Excluded", why: node.excluded }
  if (services.some((service) => serves(service, health))) {
    return { _tag: isAdmitted(intent.admission, node.node) ? "Announced" : "Standby" }
  }
  return services.some((service) => health(service).servesAnywhere)
    ? { _tag: "NoLocalEndpoint" }
    : { _tag: "NoEndpoint" }
}

type Health = (service: IntentService) => ServiceHealth

const serves = (service: IntentService, health: Health): boolean => {
  const { servesHere, servesAnywhere } = health(service)
  return service.trafficPolicy === "Local" ? servesHere : servesAnywhere
}

/** The Services of a VIP that some route of a node is for; undefined where its routes are for none of them. */
const routedServices = (
  node: string,
  { services, routes }: Pick<VipIntent, "services" | "routes">
): ReadonlyArray<IntentService> | undefined => {
  if (routes.length === 0) return undefined
  if (!isPartial({ routes })) return services
  const own = routes.filter(({ nodes }) => nodes.includes(node))
  const routed = services.filter((service) => own.some((route) => isFor(route, service)))
  return routed.length === 0 ? undefined : routed
}

/** Whether a route is announced for this one of the Services of its VIP. */
const isFor = (
  { services }: Pick<AdvertisedRoute, "services">,
  { namespace, name }: Pick<IntentService, "namespace" | "name">
): boolean => services === undefined || services.includes(`${namespace}/${name}`)

/** The intent as far as it is about one of its Services. */
export const ofService = <Intent extends Pick<VipIntent, "services" | "routes">>(
  intent: Intent,
  { namespace, name }: Pick<IntentService, "namespace" | "name">
): Intent => ({
  ...intent,
  services: intent.services.filter((service) => service.namespace === namespace && service.name === name),
  routes: intent.routes.filter((route) => isFor(route, { namespace, name }))
})

/** Whether a route of the intent is for some of its Services alone: only then nodes that announce it may differ in its routes. */
export const isPartial = ({ routes }: Pick<VipIntent, "routes">): boolean =>
  routes.some(({ services }) => services !== undefined)

/** The intent without the routes that no Service that serves is behind, where a node is known to announce it. */
export const withServedRoutes = <Intent extends Pick<VipIntent, "services" | "routes">>(
  intent: Intent,
  health: Health
): Intent => {
  if (!isPartial(intent)) return intent
  const serving = intent.services.filter((service) => serves(service, health))
  const isServed = (route: AdvertisedRoute) =>
    route.services === undefined || serving.some((service) => isFor(route, service))
  return { ...intent, routes: intent.routes.filter(isServed) }
}

const isAdmitted = (admission: Admission, node: string): boolean => {
  switch (admission._tag) {
    case "Open":
      return true
    case "Listed":
      return admission.nodes.includes(node)
  }
}

/**
 * Everything one node announces, from its own intent, the VIPs' intents and what it sees of its own endpoints. A peer that has
 * lost a VIP of this node gets it as standby, and not at all where it takes none.
 */
export const nodeRoutes = (
  node: NodeIntent,
  intents: Iterable<VipIntent>,
  health: Health,
  hasLost: (peer: string, intent: VipIntent) => boolean = () => false
): NodeRoutes => {
  const gathered = nothingYet(node)
  const verdicts = new Map<string, Verdict>()
  for (const intent of intents) {
    let verdict = judgeVip(node, intent, health)
    const isStandby = (peer: string) => verdict._tag === "Standby" || hasLost(peer, intent)
    if (isOnTheWire(verdict)) {
      const { routes } = withServedRoutes(intent, health)
      const { added, kept } = addRoutes(gathered, node.node, routes, isStandby)
      if (added === 0) verdict = { _tag: kept === 0 ? "NoPeer" : "NoStandby" }
    }
    verdicts.set(intent.address, verdict)
  }
  return { byPeer: routesIn(gathered), verdicts }
}

/** What every configured peer of a node is to have, where it is known already which VIPs the node announces, and as what to whom. */
export const routesOf = (
  node: Pick<NodeIntent, "node" | "peers">,
  announced: Iterable<{
    readonly intent: Pick<VipIntent, "routes">
    readonly isStandby: (peer: string) => boolean
  }>
): NodeRoutes["byPeer"] => {
  const gathered = nothingYet(node)
  for (const { intent, isStandby } of announced) addRoutes(gathered, node.node, intent.routes, isStandby)
  return routesIn(gathered)
}

/** Whether the node's peers are to have the VIP, as an equal or as standby. */
export const isOnTheWire = ({ _tag }: { readonly _tag: string | null }): boolean =>
  _tag === "Announced" || _tag === "Standby"

/** What one peer is to have, while it is gathered. */
interface Gathered {
  readonly routes: Map<string, WantedRoute>
  readonly takesStandby: boolean
}

/** Nothing yet, for every configured peer. */
const nothingYet = ({ peers }: Pick<NodeIntent, "peers">): ReadonlyMap<string, Gathered> =>
  new Map(peers.map(({ name, standby }) => [name, { routes: new Map(), takesStandby: standby !== "none" }]))

const routesIn = (gathered: ReadonlyMap<string, Gathered>): NodeRoutes["byPeer"] =>
  new Map([...gathered].map(([peer, { routes }]) => [peer, routes]))

/** Adds a VIP's routes: how many to peers of this node, and how many are kept from those that take no standby. */
const addRoutes = (
  gathered: ReadonlyMap<string, Gathered>,
  node: string,
  routes: ReadonlyArray<AdvertisedRoute>,
  isStandbyTo: (peer: string) => boolean
): { readonly added: number; readonly kept: number } => {
  let added = 0
  let kept = 0
  for (const route of routes) {
    if (!route.nodes.includes(node)) continue
    for (const peerName of route.peers) {
      const peer = gathered.get(peerName)
      if (peer === undefined) continue
      const isStandby = isStandbyTo(peerName)
      if (isStandby && !peer.takesStandby) {
        kept++
        continue
      }
      const { prefix, localPref, communities, med, prepend } = route
      peer.routes.set(
        prefix,
        union(peer.routes.get(prefix), {
          ...{ prefix, localPref, communities, isStandby },
          ...(med === undefined ? {} : { med }),
          ...prepended(prepend)
        })
      )
      added++
    }
  }
  return { added, kept }
}

/**
 * One prefix wanted twice (an aggregate, or two Advertisements): communities are united, and the higher preference, the lower
 * MED (none is 0, RFC 4271 §9.1.2.2 c) and the shorter path win, a preference that is not set being 100: it is as good a path as the better of the two.
 */
const union = (present: WantedRoute | undefined, route: WantedRoute): WantedRoute => {
  if (present === undefined) return route
  const preferences = [present.localPref, route.localPref].map((localPref) => localPref ?? localPrefDefault)
  const localPref = present.localPref === route.localPref ? route.localPref : Math.max(...preferences)
  const communities = [...new Set([...present.communities, ...route.communities])].sort()
  return {
    ...{ prefix: route.prefix, localPref, communities },
    isStandby: present.isStandby && route.isStandby,
    ...(present.med === undefined || route.med === undefined ? {} : { med: Math.min(present.med, route.med) }),
    ...prepended(Math.min(present.prepend ?? 0, route.prepend ?? 0))
  }
}

const prepended = (count = 0): Pick<WantedRoute, "prepend"> => (count === 0 ? {} : { prepend: count })
