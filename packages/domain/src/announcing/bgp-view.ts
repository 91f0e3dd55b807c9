import { inPrefixOrder } from "@lowtide/net"
import { isFindingCode } from "../config/codes.ts"
import { compareTexts } from "../words.ts"
import type { NodeIntent, NodePeer, VipIntent } from "./intent.ts"
import type { WantedRoute } from "./node-routes.ts"
import { attributesTo, type PathAttributes } from "./on-the-wire.ts"
import { sessionFix } from "./session-fix.ts"

/** What ended or prevented a session, by one side: when (RFC 3339, the node's clock), in words, and the NOTIFICATION's code and name. */
export interface SessionError {
  readonly at: string
  readonly reason: string
  readonly notification: string | null
}

/** A code and words. */
export interface BfdFault {
  readonly code: string
  readonly message: string
}

/** What a person at a node took away: how many orders stand, and the first of them. */
export interface WithheldOrders {
  readonly count: number
  /** `prefix` is null where the order is about every route; `since` is RFC 3339, the node's clock. */
  readonly orders: ReadonlyArray<{
    readonly prefix: string | null
    readonly reason: string
    readonly actor: string
    readonly since: string
  }>
}

/** What is known of one session: all of it at the node itself, what its status or its reports have of it at the centre. */
export interface SessionFacts {
  readonly state: string
  readonly since: string | null
  readonly establishedAt: string | null
  /** The AS that the peer is in, or said that it is in; 0 where it is not known. */
  readonly remoteAsn: number
  readonly localAddress: string | null
  readonly nextHops: { readonly 4?: string; readonly 6?: string }
  /** What the peer of a session that is up says that it is to us (RFC 9234); null where it tells none, or is not known to. */
  readonly peerRole: string | null
  readonly prefixesSent: number
  readonly prefixesReceived: number | null
  readonly lastError: string | null
  readonly lastErrorCode: string | null
  /** By who ended it: the peer told us (`received`), we told it (`sent`), or neither was told anything (`local`). */
  readonly errors: { readonly sent?: SessionError; readonly received?: SessionError; readonly local?: SessionError }
  readonly bfd: string | null
  /** What keeps BFD from being run with it. */
  readonly bfdFault?: BfdFault
  /** What was found out about it while it did not come up, or did not last. */
  readonly evidence: ReadonlyArray<string>
}

/** A session as its speaker says it in a status; a release of before, and the wire journal, say less. */
export interface SessionSaid {
  readonly state: string
  readonly since: string
  readonly peerAsn: number
  readonly prefixes: number
  readonly lastError: string | null
  readonly lastErrorCode: string | null
  readonly establishedAt?: string
  readonly localAddress?: string
  readonly nextHops?: { readonly 4?: string; readonly 6?: string }
  readonly peerRole?: string
  readonly received?: number
  readonly bfd?: string
  readonly bfdFault?: BfdFault
  readonly evidence?: ReadonlyArray<string>
  readonly errors?: { readonly sent?: ErrorSaid; readonly received?: ErrorSaid; readonly local?: ErrorSaid }
}

type ErrorSaid = Omit<SessionError, "notification"> & { readonly notification?: string }

/** What is known of a session by what its speaker says. */
export const sessionFacts = (said: SessionSaid): SessionFacts => {
  const { state, since, peerAsn, prefixes, lastError, lastErrorCode, errors = {} } = said
  return {
    state,
    since,
    establishedAt: said.establishedAt ?? (state === "Established" ? since : null),
    remoteAsn: peerAsn,
    localAddress: said.localAddress ?? null,
    nextHops: said.nextHops ?? {},
    peerRole: said.peerRole ?? null,
    prefixesSent: prefixes,
    prefixesReceived: said.received ?? null,
    lastError,
    lastErrorCode,
    errors: Object.fromEntries(Object.entries(errors).map(([side, error]) => [side, { notification: null, ...error }])),
    bfd: said.bfd ?? null,
    ...(said.bfdFault && { bfdFault: said.bfdFault }),
    evidence: said.evidence ?? []
  }
}

/** What a node told one peer of one VIP, and since when, by its own clock. */
export interface ToldFacts {
  readonly state: "announced" | "withdrawn" | "lost" | "unknown"
  readonly since: string
}

/** What a route says of a VIP that it is for. */
export type RoutedVip = Pick<VipIntent, "network" | "address" | "state" | "services" | "routes"> & {
  readonly event: RouteEvent | null
}

/** A node with what is known of it, at the node itself or at the centre: the views below are made of nothing else. */
export interface NodeFacts {
  readonly cluster: string
  readonly node: string
  /** How well it is heard: `live`, `stale`, `silent`, `reported` or `unknown`. */
  readonly sync: string
  /** When what it holds last agreed with a head of the centre, RFC 3339 by the node's clock; null where that is not known. */
  readonly agreedAt: string | null
  /** Undefined where the node was told of no sessions. */
  readonly intent: Pick<NodeIntent, "peers" | "excluded"> | undefined
  readonly session: (peer: string) => SessionFacts | undefined
  /** Why the node announces nothing of what it is to; missing where it does. */
  readonly quiet?: string
  /** Missing where nothing is withheld there by hand, or that is not known. */
  readonly withheld?: WithheldOrders
  /** What a peer is to have, by prefix. */
  readonly wanted: (peer: string) => ReadonlyMap<string, WantedRoute>
  /** VIPs with one of whose routes a prefix is. */
  readonly vipsOf: (prefix: string) => Iterable<RoutedVip>
  readonly told: (vip: Pick<VipIntent, "network" | "address">, peer: string) => ToldFacts | undefined
  /** What the peer's router says of a prefix from this node; undefined where it says neither. */
  readonly routerHas: (peer: string, prefix: string) => RouterWord | undefined
}

/** What a router itself says of a route: that it has it, and since when, or that it has it not, in words. */
export type RouterWord =
  | { readonly has: true; readonly router: string; readonly at: string }
  | { readonly has: false; readonly router: string; readonly reason: string }

/** Settings of a session for which MetalLB has no field, as they are configured. */
export interface SessionSettings {
  readonly ttlSecurityHops: number | null
  readonly maximumPrefixes: number | null
  /** What the node is to the peer. */
  readonly role: string | null
  readonly roleStrict: boolean
  /** `none`: it is told nothing that the node is standby for. */
  readonly standby: "none" | null
}

const settingsOf = (peer: NodePeer): SessionSettings => ({
  ttlSecurityHops: peer.ttlSecurityHops ?? null,
  maximumPrefixes: peer.maximumPrefixes ?? null,
  role: peer.role ?? null,
  roleStrict: peer.roleStrict === true,
  standby: peer.standby ?? null
})

/** One session of one node. */
export interface SessionView {
  readonly cluster: string
  readonly node: string
  readonly peer: string
  readonly peerAddress: string
  readonly peerPort: number
  readonly localAsn: number
  readonly peerAsn: number
  readonly localAddress: string | null
  readonly state: string
  readonly since: string | null
  readonly establishedAt: string | null
  /** Prefixes on the wire, that the peer is to have, and that it announced to us. */
  readonly prefixesSent: number
  readonly prefixesWanted: number
  /** What the peer is not to have because a person at the node took it away; missing where nothing, or not known. */
  readonly withheld?: WithheldOrders
  readonly prefixesReceived: number | null
  readonly bfd: string | null
  readonly bfdFault?: BfdFault
  /** What its BGPPeer asks for by annotations; null where one is not set. */
  readonly settings: SessionSettings
  /** What the peer says that it is to us (RFC 9234); null where it tells none, or no session is up. */
  readonly peerRole: string | null
  /** Why it is not established; null where it is. */
  readonly why: { readonly code: string | null; readonly reason: string; readonly fix: string | null } | null
  /** What the node found out about one that does not come up, a sentence each. */
  readonly evidence: ReadonlyArray<string>
  readonly lastErrors: {
    readonly sent: SessionError | null
    readonly received: SessionError | null
    readonly local: SessionError | null
  }
  readonly sync: string
}

/** A VIP that a route is announced for, and what led to it. */
export interface RouteVip {
  readonly network: string
  readonly address: string
  readonly services: ReadonlyArray<string>
  readonly advertisements: ReadonlyArray<string>
  /** The event that what the node has in effect rests on; null where that is not known. */
  readonly event: RouteEvent | null
}

/** An event of the log; what it is and who caused it is null where only its place is known. */
export interface RouteEvent {
  readonly seq: number
  readonly type: string | null
  readonly reason: string | null
  readonly actor: string | null
}

/** What shows that a router has a route: a router's own word, that our octets left, or nothing, and why. */
export type Confirmation =
  | { readonly by: "bmp"; readonly router: string; readonly at: string }
  | { readonly by: "written"; readonly at: string }
  | { readonly by: null; readonly reason: string }

/** One prefix that one peer of one node is to have. */
export interface RouteView extends PathAttributes {
  readonly cluster: string
  readonly node: string
  readonly peer: string
  readonly prefix: string
  readonly isStandby: boolean
  readonly vips: ReadonlyArray<RouteVip>
  /** Since when the peer has it on this session, RFC 3339 by the node's clock; null where it has it not, or nothing is known. */
  readonly since: string | null
  readonly intentAgreedAt: string | null
  readonly confirmed: Confirmation
}

/** The sessions that a node is to have, in the order of its configuration. */
export const sessionViews = (facts: NodeFacts): ReadonlyArray<SessionView> =>
  (facts.intent?.peers ?? []).map((peer) => sessionView(facts, peer))

const sessionView = (facts: NodeFacts, peer: NodePeer): SessionView => {
  const session = facts.session(peer.name)
  const { errors = {} } = session ?? {}
  return {
    cluster: facts.cluster,
    node: facts.node,
    peer: peer.name,
    peerAddress: peer.peerAddress,
    peerPort: peer.peerPort,
    localAsn: peer.myAsn,
    peerAsn: session?.remoteAsn || peer.peerAsn,
    localAddress: session?.localAddress ?? null,
    state: session?.state ?? "Unknown",
    since: session?.since ?? null,
    establishedAt: session?.establishedAt ?? null,
    prefixesSent: session?.prefixesSent ?? 0,
    prefixesWanted: facts.wanted(peer.name).size,
    ...(facts.withheld && { withheld: facts.withheld }),
    prefixesReceived: session?.prefixesReceived ?? null,
    bfd: session?.bfd ?? null,
    ...(session?.bfdFault && { bfdFault: session.bfdFault }),
    settings: settingsOf(peer),
    peerRole: isUp(session) ? (session?.peerRole ?? null) : null,
    why: whyDown(facts, session),
    evidence: session?.evidence ?? [],
    lastErrors: { sent: errors.sent ?? null, received: errors.received ?? null, local: errors.local ?? null },
    sync: facts.sync
  }
}

/** Whether a session carries routes. */
export const isUp = (session: Pick<SessionFacts, "state"> | undefined): boolean => session?.state === "Established"

const whyDown = ({ sync, node }: NodeFacts, session: SessionFacts | undefined): SessionView["why"] => {
  if (isUp(session)) return null
  if (session === undefined) return { code: codeOfUnknown(sync), reason: unknownReasons(node, sync), fix: null }
  const { lastErrorCode: code, lastError } = session
  const fix = isFindingCode(code) ? sessionFix(code, lastError ?? "") : null
  return { code, reason: lastError ?? "it is being opened, and nothing has gone wrong with it", fix }
}

const codeOfUnknown = (sync: string): string | null => (sync === "silent" ? "LT0307" : null)

const unknownReasons = (node: string, sync: string): string => {
  switch (sync) {
    case "silent":
      return `node ${node} has not been heard for 45 s or more: whether the session is up is not known here; ask at the node, with --node-local`
    case "unknown":
      return `node ${node} was never heard: is its speaker running, and does it reach NATS?`
    case "reported":
      return `node ${node} had reported nothing of the session`
    default:
      return `node ${node} has no session with it: it has not taken what it was told of its peers, or waits for the peer's password or for a table that is whole`
  }
}

/** What the peers of a node are to have: `isWanted` chooses peers and prefixes. */
export const routeViews = (
  facts: NodeFacts,
  isWanted: (peer: string, prefix: string) => boolean = () => true
): ReadonlyArray<RouteView> =>
  (facts.intent?.peers ?? []).flatMap((peer) =>
    [...facts.wanted(peer.name).values()]
      .filter(({ prefix }) => isWanted(peer.name, prefix))
      .map((route) => routeView(facts, peer, route))
  )

/** Routes by address, then by cluster, node and peer: one order for tables and JSON, at the node and at the centre. */
export const inRouteOrder = <Route extends Pick<RouteView, "cluster" | "node" | "peer" | "prefix">>(
  routes: Iterable<Route>
): Array<Route> =>
  inPrefixOrder(
    routes,
    (left, right) =>
      compareTexts(left.cluster, right.cluster) ||
      compareTexts(left.node, right.node) ||
      compareTexts(left.peer, right.peer)
  )

/** What one answer has of routes: the first of them in their order, and how many are left out. */
export const firstRoutes = <Route extends Pick<RouteView, "cluster" | "node" | "peer" | "prefix">>(
  routes: Iterable<Route>,
  most: number
): { readonly items: ReadonlyArray<Route>; readonly leftOut: number } => {
  const all = inRouteOrder(routes)
  return { items: all.slice(0, most), leftOut: Math.max(0, all.length - most) }
}

const routeView = (facts: NodeFacts, peer: NodePeer, route: WantedRoute): RouteView => {
  const { prefix, isStandby } = route
  const session = facts.session(peer.name)
  const vips = [...facts.vipsOf(prefix)].filter(({ state }) => state === "announced")
  const told = vips.flatMap((vip) => facts.told(vip, peer.name) ?? [])
  const confirmed = confirmationOf(facts, { peer: peer.name, prefix, session, told })
  return {
    cluster: facts.cluster,
    node: facts.node,
    peer: peer.name,
    prefix,
    isStandby,
    ...attributesTo(peer, route, session?.nextHops),
    vips: vips.map(({ network, address, services, routes, event }) => ({
      network,
      address,
      services: services.map(({ namespace, name }) => `${namespace}/${name}`),
      advertisements: [
        ...new Set(
          routes.flatMap((each) => (each.prefix === prefix && each.peers.includes(peer.name) ? each.advertisement : []))
        )
      ],
      event
    })),
    since: confirmed.by === null ? null : sinceOf(told),
    intentAgreedAt: facts.agreedAt,
    confirmed
  }
}

/** Faults of a session that is up and cannot carry some routes. */
const keepsRoutes: ReadonlyArray<string> = ["LT0145", "LT0303", "LT0306"]

/** An aggregate is there since the first of its VIPs is. */
const sinceOf = (told: ReadonlyArray<ToldFacts>): string | null =>
  told.flatMap(({ state, since }) => (state === "announced" ? since : [])).sort()[0] ?? null

/**
 * The one place that says what shows that a router has a route. A router's own word counts most; that our octets were handed
 * to the kernel on a session that is up since is the next best thing; and else it says what is missing.
 */
const confirmationOf = (
  facts: NodeFacts,
  route: {
    readonly peer: string
    readonly prefix: string
    readonly session: SessionFacts | undefined
    readonly told: ReadonlyArray<ToldFacts>
  }
): Confirmation => {
  const { session, told } = route
  if (facts.quiet !== undefined) return { by: null, reason: facts.quiet }
  const evidence = facts.routerHas(route.peer, route.prefix)
  if (evidence?.has === true) return { by: "bmp", router: evidence.router, at: evidence.at }
  if (evidence?.has === false) return { by: null, reason: `the router ${evidence.router} ${evidence.reason}` }
  const writtenAt = sinceOf(told)
  // Of an earlier time a report of the route tells of the session as well.
  const isReported = facts.sync === "reported" && writtenAt !== null
  if (session === undefined && !isReported) {
    return { by: null, reason: `the session is not known: its node is ${facts.sync}` }
  }
  if (session !== undefined && !isUp(session)) return { by: null, reason: `the session is ${session.state}` }
  if (writtenAt !== null) return { by: "written", at: writtenAt }
  if (told.some(({ state }) => state === "unknown" || state === "lost")) {
    return { by: null, reason: "the session came up since, and what it was told is not reported yet" }
  }
  const { lastError = null, lastErrorCode = null } = session ?? {}
  return lastErrorCode !== null && keepsRoutes.includes(lastErrorCode)
    ? { by: null, reason: `${lastErrorCode} ${lastError}` }
    : { by: null, reason: "the session is up, and it is not written there" }
}
