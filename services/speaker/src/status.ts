import type { BgpPeer, PeerError, PeerStatus } from "@lowtide/bgp/peer"
import type { Envelope } from "@lowtide/bus/envelope"
import type { NodeStatus, SessionStatus } from "@lowtide/bus/status"
import type { BfdWithPeer } from "./bfd-guard.ts"
import type { Brake } from "./brake.ts"
import type { HeldState } from "./held-state.ts"
import { roleName } from "./peer-options.ts"
import type { RouteTable } from "./route-table.ts"
import type { SessionFault } from "./session-fault.ts"
import type { Withheld } from "./withheld.ts"

/** A session as a node's status shows it. */
export const sessionStatus = (
  peer: BgpPeer,
  {
    fault,
    bfd,
    evidence
  }: {
    readonly fault: SessionFault | undefined
    readonly bfd: BfdWithPeer | undefined
    /** What the node found out by itself about a session in this state. */
    readonly evidence: (status: PeerStatus) => ReadonlyArray<string>
  }
): SessionStatus => {
  const status = peer.status()
  const found = evidence(status)
  const { state, sinceUnixMs, prefixesSent, prefixesReceived, remoteAsn, ...more } = status
  const { establishedAtUnixMs, localAddress, nextHops, remoteRole, lastError } = more
  const { sent, received, local } = lastError
  const { peerAsn } = peer.options
  return {
    peer: peer.options.name,
    peerAddress: peer.options.host,
    peerAsn: remoteAsn ?? (typeof peerAsn === "number" ? peerAsn : 0), // 0: any will do, and none is there yet
    state,
    since: new Date(sinceUnixMs).toISOString(),
    prefixes: prefixesSent,
    lastError: fault?.message ?? null,
    lastErrorCode: fault?.code ?? null,
    ...(bfd !== undefined && { bfd: bfd.state }),
    ...(bfd?.code !== undefined && { bfdFault: { code: bfd.code, message: bfd.detail ?? "" } }),
    ...(establishedAtUnixMs !== undefined && { establishedAt: new Date(establishedAtUnixMs).toISOString() }),
    ...(localAddress !== undefined && { localAddress }),
    ...(nextHops !== undefined && { nextHops }),
    ...(remoteRole !== undefined && { peerRole: roleName(remoteRole) }),
    received: prefixesReceived,
    ...(found.length > 0 && { evidence: found }),
    errors: {
      ...(sent && { sent: errorStatus(sent) }),
      ...(received && { received: errorStatus(received) }),
      ...(local && { local: errorStatus(local) })
    }
  }
}

const errorStatus = ({
  atUnixMs,
  reason,
  notification
}: PeerError): NonNullable<SessionStatus["errors"]>["sent"] & {} => ({
  at: new Date(atUnixMs).toISOString(),
  reason,
  ...(notification !== undefined && { notification: notification.name })
})

/** The addresses to announce as an equal of which some peer has a route that fulfils the condition, in the order of their messages. */
export const addressesWith = (
  table: RouteTable,
  isSo: (peer: string, prefix: string) => boolean
): ReadonlyArray<string> =>
  [...table.verdicts].flatMap(([address, verdict]) => {
    if (verdict._tag !== "Announced") return []
    const routes = table.vip(address)?.routes ?? []
    const hasOne = routes.some(({ prefix, peers }) =>
      peers.some((peer) => table.wanted(peer).has(prefix) && isSo(peer, prefix))
    )
    return hasOne ? address : []
  })

/** Addresses that an established session has yet to be told of, for a status: nothing where there are none. */
export const untoldStatus = (
  table: RouteTable,
  isPending: (peer: string, prefix: string) => boolean
): Pick<NodeStatus, "untold"> => {
  const untold = addressesWith(table, isPending)
  return untold.length === 0 ? {} : { untold }
}

/** Addresses that a status names of those that the brake holds. */
const brakedMax = 20

/** What the brake holds back, for a status: nothing when it holds nothing. */
export const brakeStatus = ({ kept }: Pick<Brake, "kept">): Pick<NodeStatus, "brake"> => {
  if (kept.size === 0) return {}
  const waiting = [...kept.values()]
  return {
    brake: {
      held: kept.size,
      isNodeHeld: waiting.some(({ pending }) => pending._tag === "NodeIntent"),
      addresses: waiting
        .flatMap(({ pending }) => (pending._tag === "VipIntent" ? pending.address : []))
        .slice(0, brakedMax),
      since: new Date(Math.min(...waiting.map(({ sinceMs }) => sinceMs))).toISOString()
    }
  }
}

/** Orders that a status names of those at the node. */
const withheldMax = 20

/** What is withheld by hand, for a status: nothing when nothing is. */
export const withheldStatus = ({ orders }: Pick<Withheld, "orders">): Pick<NodeStatus, "withheld"> =>
  orders.length === 0 ? {} : { withheld: { count: orders.length, orders: orders.slice(0, withheldMax) } }

/** What shows that the centre itself told the node of its stamp: nothing while it was told nothing. */
export const proofStatus = ({ proof }: Pick<HeldState, "proof">): Pick<NodeStatus, "proof"> => {
  if (proof === undefined) return {}
  const { payload, keyId, sig } = JSON.parse(proof) as Envelope // judged when it came
  return { proof: { payload, keyId, sig } }
}

/** Who signed what is in effect: the node's own intent and VIPs to be announced, what the brake keeps among them. */
export const signersOf = (
  { vips, nodeIntent }: Pick<HeldState, "vips" | "nodeIntent">,
  { kept }: Pick<Brake, "kept">
): ReadonlyArray<string> => {
  const signers = new Set(nodeIntent === undefined ? [] : [nodeIntent.keyId])
  for (const { message, keyId } of vips.values()) if (message.state === "announced") signers.add(keyId)
  for (const { inEffect } of kept.values()) signers.add(inEffect.keyId)
  return [...signers].sort()
}

/** VIPs in one status: far below what one message may hold. */
const vipsAPart = 1_000

/** Everything that is held, as the answer to a roll call; a node that holds nothing says so. */
export const heldParts = (held: HeldState, incarnation: number): Array<NonNullable<NodeStatus["held"]>> => {
  const vips = [...held.vips.values()].map(({ message }) => ({
    network: message.network,
    address: message.address,
    state: message.state,
    stamp: message.stamp,
    cseq: message.cseq,
    services: message.services.map(({ namespace, name, uid }) => ({ namespace, name, uid })),
    obliged: message.obliged
  }))
  const parts = Math.max(1, Math.ceil(vips.length / vipsAPart))
  return Array.from({ length: parts }, (_, part) => ({
    incarnation,
    part,
    parts,
    vips: vips.slice(part * vipsAPart, (part + 1) * vipsAPart)
  }))
}
