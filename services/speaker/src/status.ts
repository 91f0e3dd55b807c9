import type { BgpPeer } from "@lowtide/bgp/peer"
import type { SessionStatus } from "@lowtide/bus/status"
import type { RouteTable } from "./route-table.ts"
import type { SessionFault } from "./session-fault.ts"

/** A session as a node's status shows it. */
export const sessionStatus = (peer: BgpPeer, fault: SessionFault | undefined): SessionStatus => {
  const { state, sinceUnixMs, prefixesSent } = peer.status()
  return {
    peer: peer.options.name,
    peerAddress: peer.options.host,
    peerAsn: peer.options.peerAsn,
    state,
    since: new Date(sinceUnixMs).toISOString(),
    prefixes: prefixesSent,
    lastError: fault?.message ?? null,
    lastErrorCode: fault?.code ?? null
  }
}

/** The addresses that are announced as an equal on a session that is up, in the order of their messages. */
export const announcedAddresses = (table: RouteTable, isUp: (peer: string) => boolean): ReadonlyArray<string> => {
  const upByPeer = new Map<string, boolean>()
  const isPeerUp = (peer: string): boolean => {
    const known = upByPeer.get(peer) ?? isUp(peer)
    upByPeer.set(peer, known)
    return known
  }
  return [...table.verdicts].flatMap(([address, verdict]) => {
    if (verdict._tag !== "Announced") return []
    const routes = table.vip(address)?.routes ?? []
    const isAnnounced = routes.some(({ prefix, peers }) =>
      peers.some((peer) => isPeerUp(peer) && table.wanted(peer).has(prefix))
    )
    return isAnnounced ? address : []
  })
}
