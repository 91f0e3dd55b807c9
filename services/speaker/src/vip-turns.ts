import type { VipIntent } from "@lowtide/domain/announcing/intent"
import { isOnTheWire } from "@lowtide/domain/announcing/node-routes"
import type { AcceptedVip } from "./intake.ts"
import type { RouteDifference, RouteTable } from "./route-table.ts"
import type { VipTurn } from "./wire-report.ts"

/**
 * What a turn did, VIP by VIP: those with a new message, those whose verdict changed, and those whose routes it gave to a peer
 * or took away, when the node's own intent or what is withheld changed, or the routes are for some of their Services.
 */
export const vipTurns = (
  table: RouteTable,
  difference: RouteDifference,
  change: {
    readonly vips: ReadonlyArray<AcceptedVip>
    /** By address: what was in effect before the turn. */
    readonly before: ReadonlyMap<string, VipIntent | undefined>
    readonly isNodeChange: boolean
    readonly byHand?: VipTurn["byHand"]
  }
): ReadonlyArray<VipTurn> => {
  const accepted = new Map(change.vips.map((vip) => [vip.message.address, vip]))
  const addresses = new Set([...accepted.keys(), ...difference.verdicts.keys()])
  const isAnyRoute = change.isNodeChange || change.byHand !== undefined
  for (const routes of difference.byPeer.values()) {
    for (const prefix of routes.keys()) {
      for (const address of table.addressesOf(prefix)) {
        if (isAnyRoute || table.isInPart(address)) addresses.add(address)
      }
    }
  }
  return [...addresses].flatMap((address) => {
    const intent = table.vip(address)
    if (intent === undefined) return []
    const vip = accepted.get(address)
    return {
      ...identity(table, intent),
      trigger: vip !== undefined || change.isNodeChange || change.byHand !== undefined ? "intent" : "endpoints",
      ...(change.byHand !== undefined && { byHand: change.byHand }),
      ...(vip !== undefined && { receivedAtMs: vip.receivedAtMs, savedAtMs: vip.savedAtMs }),
      actions: actionsOf(table, difference, intent, change.before.get(address))
    }
  })
}

/** A session came up: the VIPs that its first table announced, and those that it kept from a peer that takes no standby. */
export const tableTurns = (table: RouteTable, peer: string): ReadonlyArray<VipTurn> => {
  const addresses = new Set<string>()
  const wanted = table.wanted(peer)
  const has = (intent: VipIntent) =>
    table.ownRoutes(intent).some(({ prefix, peers }) => peers.includes(peer) && wanted.has(prefix))
  for (const prefix of wanted.keys()) {
    for (const address of table.addressesOf(prefix)) addresses.add(address)
  }
  const turn = (intent: VipIntent, action: "announced" | "withdrawn"): VipTurn => ({
    ...identity(table, intent),
    trigger: "session",
    actions: new Map([[peer, action]])
  })
  const announced = [...addresses].flatMap((address) => {
    const intent = table.vip(address)
    const verdict = table.verdicts.get(address)
    if (intent === undefined || verdict === undefined || !isOnTheWire(verdict)) return []
    return has(intent) && !table.isKept(peer, intent) ? turn(intent, "announced") : []
  })
  const kept = table.listed.filter((intent) => table.isKept(peer, intent))
  return [...announced, ...kept.map((intent) => turn(intent, "withdrawn"))]
}

const identity = (table: RouteTable, intent: VipIntent) => {
  const { network, address, stamp, cseq, admission } = intent
  const verdict = table.verdicts.get(address)?._tag ?? "Unknown"
  return {
    ...{ network, address, stamp, cseq, verdict },
    ...(admission._tag === "Listed" && { standby: standbyOf(table, intent) })
  }
}

/**
 * Peers for which the node is standby of the VIP: all of a standby, and those that have lost it. The VIP's own route says so where
 * it has one, since routers prefer it to an aggregate, which others may hold up as equals; of aggregates every one. A peer that
 * takes no standby has none.
 */
const standbyOf = (table: RouteTable, intent: VipIntent): ReadonlySet<string> => {
  const { address } = intent
  const routes = table.ownRoutes(intent)
  const own = `${address}/${address.includes(":") ? 128 : 32}`
  const isStandby = (peer: string): boolean => {
    if (table.isKept(peer, intent)) return true
    const wanted = table.wanted(peer)
    const alone = wanted.get(own)
    if (alone !== undefined) return alone.isStandby
    const covering = routes.flatMap(({ prefix, peers }) => (peers.includes(peer) ? (wanted.get(prefix) ?? []) : []))
    return covering.length > 0 && covering.every((route) => route.isStandby)
  }
  return new Set(routes.flatMap(({ peers }) => peers).filter(isStandby))
}

/** An aggregate that others still hold up is unchanged for the VIP that left it. */
const actionsOf = (
  table: RouteTable,
  { byPeer }: RouteDifference,
  intent: VipIntent,
  before: VipIntent | undefined
): VipTurn["actions"] => {
  const routes = [intent, ...(before === undefined ? [] : [before])].flatMap((one) => table.ownRoutes(one))
  const peers = new Set(routes.flatMap((route) => route.peers))
  const actions = new Map<string, "announced" | "withdrawn" | "unchanged">()
  for (const peer of peers) {
    const changes = byPeer.get(peer)
    const changed = routes.filter(({ prefix }) => changes?.has(prefix))
    if (changed.some(({ prefix }) => changes?.get(prefix) !== undefined)) actions.set(peer, "announced")
    else if (changed.length > 0) actions.set(peer, "withdrawn")
    else if (routes.some(({ prefix }) => table.wanted(peer).has(prefix))) actions.set(peer, "unchanged")
  }
  return actions
}
