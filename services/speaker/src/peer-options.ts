import { hash } from "node:crypto"
import type { PeerOptions } from "@lowtide/bgp/peer"
import { changesSession } from "@lowtide/bgp/peer-change"
import { isInternalPeer, type NodeIntent, type NodePeer } from "@lowtide/domain/announcing/intent"
import { parseIpAddress } from "@lowtide/net"
import { Result } from "effect"
import type { PasswordLookup } from "./passwords.ts"

/** What a node is told by whoever started its speaker, and not by the centre. */
export interface LocalSettings {
  readonly cluster: string
  readonly node: string
  readonly routerId?: string | undefined
  /** Sessions to peers of its family go out from it. */
  readonly localAddress?: string | undefined
  readonly nextHopIpv4?: string | undefined
  readonly nextHopIpv6?: string | undefined
  /** The node has booted since what it announced before: it forwards nothing of that any more. */
  readonly hasBooted?: boolean | undefined
}

/** How long routers are asked to keep a node's routes while it has no session: what FRR and BIRD ask for as well. */
export const restartTimeSeconds = 120

/** The most that the field holds, which each hop takes one from. */
const ttlMax = 255

/** Roles as the session calls them. */
const roles: Readonly<Record<NonNullable<NodePeer["role"]>, NonNullable<PeerOptions["role"]>>> = {
  ...{ provider: "provider", customer: "customer", peer: "peer" },
  ...{ "route-server": "rs", "route-server-client": "rs-client" }
}

/** A role as the configuration calls it. */
export const roleName = (role: NonNullable<PeerOptions["role"]>): NonNullable<NodePeer["role"]> => {
  switch (role) {
    case "rs":
      return "route-server"
    case "rs-client":
      return "route-server-client"
    default:
      return role
  }
}

/** What a node finds out about its peers by itself. */
export interface Found {
  /** Undefined for a peer without a password. */
  readonly passwordOf: (peer: NodePeer) => PasswordLookup | undefined
  /** Where the peer on an interface is, or the interface, with why that is not known. */
  readonly neighborOf: (peer: UnnumberedPeer) => Pick<PeerOptions, "host" | "whyNoAddress">
}

/** A peer that is whoever is on an interface. */
export type UnnumberedPeer = NodePeer & { readonly interface: string }

export const isUnnumbered = (peer: NodePeer): peer is UnnumberedPeer => peer.interface !== undefined

/** The sessions that a node is to hold, by peer name. */
export const wantedPeers = (
  settings: LocalSettings,
  intent: NodeIntent,
  found: Found
): ReadonlyMap<string, PeerOptions> =>
  new Map(intent.peers.map((peer) => [peer.name, peerOptions(settings, intent, { peer, found })]))

/**
 * A peer's own source address and router id come before the node's. The next hop of the family that the session does not
 * go over is the node's first address of that family; of an unnumbered peer's it is that of the session too (RFC 8950), since
 * nothing says that the router can reach another.
 */
const peerOptions = (
  settings: LocalSettings,
  intent: NodeIntent,
  { peer, found }: { readonly peer: NodePeer; readonly found: Found }
): PeerOptions => {
  const password = found.passwordOf(peer)
  const isByInterface = isUnnumbered(peer)
  const family = isByInterface ? 6 : familyOf(peer.peerAddress)
  const localAddress = localAddressOf(settings, peer)
  const other = family === 4 ? 6 : 4
  const configured = { 4: settings.nextHopIpv4, 6: settings.nextHopIpv6 } as const
  const ofNode = isByInterface ? undefined : intent.addresses.find((address) => familyOf(address) === other)
  const otherNextHop = configured[other] ?? ofNode
  const ownNextHop = family === undefined ? undefined : configured[family]
  const nextHops = {
    ...(ownNextHop !== undefined && family !== undefined && { [family]: ownNextHop }),
    ...(otherNextHop !== undefined && { [other]: otherNextHop })
  }
  return {
    name: peer.name,
    ...(isByInterface ? found.neighborOf(peer) : { host: peer.peerAddress }),
    port: peer.peerPort,
    ...(localAddress !== undefined && { localAddress }),
    localAsn: peer.myAsn,
    peerAsn: peer.dynamicAsn ?? peer.peerAsn,
    routerId: peer.routerId ?? routerIdOf(settings, intent.addresses),
    holdTimeSeconds: peer.holdTimeSeconds,
    ...(peer.keepaliveTimeSeconds !== null && { keepaliveTimeSeconds: peer.keepaliveTimeSeconds }),
    ...(peer.connectTimeSeconds !== null && { connectRetrySeconds: peer.connectTimeSeconds }),
    families: [4, 6],
    nextHops,
    ...(password !== undefined && { md5Key: password }),
    ...(peer.vrf !== undefined && { device: peer.vrf }),
    // RFC 4271 §5.1.3 takes an external peer to be on the same link, and routers send to it with TTL 1 as well.
    ...(!isInternalPeer(peer) && peer.hops === "one" && { ttl: 1 }),
    // Nobody further away can send what arrives with more than this (RFC 5082 §3).
    ...(peer.ttlSecurityHops !== undefined && { ttl: ttlMax, ttlMin: ttlMax + 1 - peer.ttlSecurityHops }),
    ...(peer.maximumPrefixes !== undefined && { prefixesReceivedMax: peer.maximumPrefixes }),
    ...(peer.role !== undefined && { role: roles[peer.role], isRoleStrict: peer.roleStrict === true }),
    // To a router every process of ours is a restart: it may keep what one before has told it.
    ...(peer.gracefulRestart === true && {
      gracefulRestart: {
        restartTimeSeconds,
        hasRestarted: true,
        ...(settings.hasBooted && { forwardingPreserved: false })
      }
    })
  }
}

/** The address that a peer's session is to come from; undefined: the kernel's choice. */
export const localAddressOf = (settings: LocalSettings, peer: NodePeer): string | undefined => {
  if (isUnnumbered(peer)) return undefined // the interface's own link-local one
  const { sourceAddress, peerAddress } = peer
  return (
    sourceAddress ?? (familyOf(settings.localAddress) === familyOf(peerAddress) ? settings.localAddress : undefined)
  )
}

/**
 * The BGP Identifier: as set, else the node's first IPv4 address, else one made of its name: never 0 (RFC 6286 §2.1), and
 * below 224.0.0.0, since some routers refuse what is no unicast address.
 */
export const routerIdOf = (settings: LocalSettings, addresses: ReadonlyArray<string>): string => {
  const own = settings.routerId ?? addresses.find((address) => familyOf(address) === 4 && address !== "0.0.0.0")
  if (own !== undefined) return own
  const [first = 0, ...rest] = hash("sha256", `${settings.cluster}/${settings.node}`, "buffer").subarray(0, 4)
  return [1 + (first % 223), ...rest].join(".")
}

/** The options of a session by the fields of the BGPPeer that they come from, and what else they do. */
const fieldNames: Partial<Readonly<Record<keyof PeerOptions, string>>> = {
  port: "peerPort",
  localAddress: "sourceAddress",
  localAsn: "myASN or localASN",
  peerAsn: "peerASN",
  routerId: "routerID, else the node's first IPv4 address,",
  holdTimeSeconds: "holdTime",
  md5Key: "password",
  device: "vrf",
  gracefulRestart: "enableGracefulRestart",
  prefixesReceivedMax: "lowtide.dev/maximum-prefixes",
  role: "lowtide.dev/role",
  ttlMin: "least TTL, by lowtide.dev/ttl-security-hops,"
}

/** Who is on an interface is found out (`neighborOf`): another router there is no change of the BGPPeer. */
const hostName = (now: PeerOptions, wanted: PeerOptions): string => {
  const [before, after] = [now, wanted].map(({ host, whyNoAddress }) =>
    whyNoAddress === undefined ? undefined : (host.split("%")[1] ?? host)
  )
  if (before === undefined && after === undefined) return "peerAddress"
  return before === after ? "address of the router on the interface" : "peerAddress or interface"
}

/**
 * For what a session has to begin anew, by the fields of its BGPPeer or what else it comes from, and how that changed: `holdTime from
 * 90 to 30`. None: what changed, if anything, is taken up while it is up, or waits for the next one, as a password does.
 */
export const restartingChanges = (now: PeerOptions, wanted: PeerOptions): ReadonlyArray<string> =>
  changesSession(now, wanted).map((option) => {
    const field = option === "host" ? hostName(now, wanted) : (fieldNames[option] ?? option)
    const [from, to] = [now[option], wanted[option]].map((value) =>
      typeof value === "number" || typeof value === "string" ? String(value) : value === undefined ? "none" : "set"
    )
    return from === to ? field : `${field} from ${from} to ${to}`
  })

/** Names a session over restarts of this process and of the peer: its router's address and port, under the peer's name. */
export const sessionName = ({ name, host, port }: PeerOptions): string => `${name} ${host} ${port}`

const familyOf = (text: string | undefined): 4 | 6 | undefined =>
  text === undefined ? undefined : Result.getOrUndefined(parseIpAddress(text))?.family
