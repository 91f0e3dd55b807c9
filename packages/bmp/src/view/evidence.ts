import type { Prefix } from "@lowtide/net"
import type { RibView } from "../wire/peer-header.ts"
import { peerTypes } from "../wire/peer-header.ts"
import { isSettled, type ReportedPeer, type RouterView, settleMs, type ViewOfPeer } from "./router-view.ts"

/** Whose route is asked about: the two ends of a session as the node has them. */
export interface SessionEnds {
  /** The node's address on the session, which is the peer's to the router. */
  readonly nodeAddress: string
  /** The router's. */
  readonly routerAddress: string
}

/**
 * What a router says of one route from one node. Times are the station's clock, milliseconds since 1970. It is evidence:
 * `LetGo`, `Never` and `SessionDown` say what the router told, not that nobody forwards by it any more.
 */
export type RouteEvidence =
  | {
      readonly _tag: "Has"
      readonly view: RibView
      readonly sinceMs: number
      /** It was there when the router began to tell: it may be older. */
      readonly isOlder: boolean
      readonly nextHop: string | undefined
      /** Whether the router's Loc-RIB has a path with that next hop; undefined where it does not tell its Loc-RIB. */
      readonly isSelected: boolean | undefined
    }
  | { readonly _tag: "LetGo"; readonly view: RibView; readonly atMs: number }
  /** The router tells the table, and the route was never in it since it began to. */
  | { readonly _tag: "Never"; readonly view: RibView; readonly sinceMs: number }
  | { readonly _tag: "SessionDown"; readonly atMs: number; readonly reason: string }
  /** It tells the table, but what is missing in it may be there. */
  | { readonly _tag: "Unsure"; readonly why: string }
  /** It tells nothing of such a session. */
  | { readonly _tag: "NotReported" }

/** Views of what a router got from a peer, the one that says most first: what policy left is what it uses. */
const inViews = ["adj-rib-in-post", "adj-rib-in-pre"] as const

/** What the router says of a node's route to a prefix. */
export const evidenceOf = (router: RouterView, ends: SessionEnds, prefix: Prefix, nowMs: number): RouteEvidence => {
  const peer = sessionOf(router, ends)
  return peer === undefined ? { _tag: "NotReported" } : evidenceIn(router, peer, prefix, nowMs)
}

/** What it says of a prefix in one of its sessions, that `sessionOf` found. */
export const evidenceIn = (router: RouterView, peer: ReportedPeer, prefix: Prefix, nowMs: number): RouteEvidence => {
  if (peer.upSinceMs === undefined) {
    return peer.down === undefined ? { _tag: "NotReported" } : { _tag: "SessionDown", ...peer.down }
  }
  const family = prefix.address.family
  const told = inViews.flatMap((name) => {
    const view = peer.views.get(name)
    return view === undefined || view.isHollow ? [] : [{ name, view }]
  })
  const has = presence(told, prefix)
  if (has !== undefined) return { ...has, isSelected: isSelected(router, prefix, has.nextHop) }
  const [first] = told
  if (first === undefined) {
    return tellsTables(router) ? nothingYet(peer, nowMs) : { _tag: "NotReported" }
  }
  const doubt = told.find(({ view }) => view.doubt !== undefined)?.view.doubt
  if (doubt !== undefined) return { _tag: "Unsure", why: doubt }
  const gone = told.flatMap(({ name, view }) => {
    const route = view.table.gone(prefix)
    return route === undefined ? [] : [{ _tag: "LetGo" as const, view: name, atMs: route.atMs }]
  })
  const [letGo] = gone.toSorted((left, right) => right.atMs - left.atMs)
  if (letGo !== undefined) return letGo
  return isSettled(first.view, family, nowMs)
    ? { _tag: "Never", view: first.name, sinceMs: first.view.sinceMs }
    : { _tag: "Unsure", why: "the router's first table is not whole yet" }
}

interface ToldView {
  readonly name: (typeof inViews)[number]
  readonly view: ViewOfPeer
}

/**
 * The route in the view that says most. What was taken back before policy is gone after it as well, though it may not be said:
 * GoBGP 3.10 tells a peer's withdrawals in the view before policy alone.
 */
const presence = (
  told: ReadonlyArray<ToldView>,
  prefix: Prefix
): Omit<Extract<RouteEvidence, { readonly _tag: "Has" }>, "isSelected"> | undefined => {
  const before = told.find(({ name }) => name === "adj-rib-in-pre")?.view.table
  const arrived = before?.get(prefix)
  const left = arrived === undefined ? before?.gone(prefix) : undefined
  for (const { name, view } of told) {
    const route = view.table.get(prefix)
    if (route === undefined || (left !== undefined && left.atMs >= route.sinceMs)) continue
    // Where only the view before policy told that it went and came back, the other has it since before.
    const { sinceMs, isFromDump } = arrived !== undefined && arrived.sinceMs > route.sinceMs ? arrived : route
    return { _tag: "Has", view: name, sinceMs, isOlder: isFromDump, nextHop: route.nextHop }
  }
  return undefined
}

/** A router that tells no End-of-RIB has said nothing of a session without routes: after a while that is what it means. */
const nothingYet = (peer: ReportedPeer, nowMs: number): RouteEvidence => {
  const sinceMs = peer.upSinceMs ?? nowMs
  return nowMs - sinceMs >= settleMs
    ? { _tag: "Never", view: "adj-rib-in-post", sinceMs }
    : { _tag: "Unsure", why: "the router has said nothing of the session's routes yet" }
}

/** Whether the router tells what it got from peers at all. */
const tellsTables = (router: RouterView): boolean =>
  router.peers.some(({ views }) => inViews.some((name) => views.get(name)?.isHollow === false))

/** The session with these ends. A router that did not tell its own address (no Peer Up) is taken by the peer's. */
export const sessionOf = (
  router: RouterView,
  { nodeAddress, routerAddress }: SessionEnds
): ReportedPeer | undefined => {
  const [node, own] = [withoutZone(nodeAddress), withoutZone(routerAddress)]
  const found = router.peers.filter(
    ({ peerType, address, localAddress }) =>
      peerType !== peerTypes.locRib && address === node && (localAddress === undefined || localAddress === own)
  )
  return found.find(({ upSinceMs }) => upSinceMs !== undefined) ?? found[0]
}

const isSelected = (router: RouterView, prefix: Prefix, nextHop: string | undefined): boolean | undefined => {
  const tables = router.locRibs.flatMap(({ views }) => views.get("loc-rib")?.table ?? [])
  return tables.length === 0 ? undefined : tables.some((table) => table.get(prefix)?.nextHop === nextHop)
}

const withoutZone = (address: string): string => address.replace(/%.*$/, "")
