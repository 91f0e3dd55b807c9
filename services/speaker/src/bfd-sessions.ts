import type { SessionRequest } from "@lowtide/bfd/session-options"
import { isInternalPeer, type NodeIntent, type NodePeer, type PeerBfd } from "@lowtide/domain/announcing/intent"
import { isUnnumbered, type LocalSettings, localAddressOf } from "./peer-options.ts"

/** BFD as a peer of the node is to have it. */
export interface WantedBfd {
  /** The BGPPeer's name. */
  readonly peer: string
  readonly profile: PeerBfd
  /** Where it runs; of our own address only what is configured. */
  readonly path: Pick<SessionRequest, "peerAddress" | "hops" | "device"> & { readonly localAddress: string | undefined }
}

/**
 * The peers of a node that BFD is to be run with; one on an interface whose address is not known has none yet. `isOnLink` says
 * whether an address is on a network of the node's own.
 */
export const wantedBfd = (
  settings: LocalSettings,
  { peers }: Pick<NodeIntent, "peers">,
  isOnLink: (address: string) => boolean
): ReadonlyArray<WantedBfd> =>
  peers.flatMap((peer) => {
    const { name, peerAddress, vrf, bfd } = peer
    if (bfd === undefined || peerAddress === "") return []
    const hops = isOneHopAway(peer, isOnLink) ? "single" : "multi"
    const localAddress = localAddressOf(settings, peer)
    return { peer: name, profile: bfd, path: { peerAddress, localAddress, hops, ...(vrf && { device: vrf }) } }
  })

/** RFC 5881 or 5883: an external peer is where it is configured to be; an internal one may be anywhere, as routers see it. */
const isOneHopAway = (peer: NodePeer, isOnLink: (address: string) => boolean): boolean =>
  isUnnumbered(peer) ||
  (isInternalPeer(peer) || peer.hops === undefined ? isOnLink(peer.peerAddress) : peer.hops === "one")

/**
 * Which addresses are on a network of the node's own, as it was when it was asked first, and when their peer was met last. An interface
 * that is down has no networks, and a path that fails would look like one over hops.
 */
export class LinkMemory {
  readonly #isOnLink: (address: string) => boolean
  readonly #known = new Map<string, boolean>()

  constructor(isOnLink: (address: string) => boolean) {
    this.#isOnLink = isOnLink
  }

  readonly isOnLink = (address: string): boolean => {
    const known = this.#known.get(address) ?? this.#isOnLink(address)
    this.#known.set(address, known)
    return known
  }

  /** Looks again where an address is that was asked for; whether it is somewhere else now. */
  judgeAnew(address: string): boolean {
    const before = this.#known.get(address)
    if (before === undefined) return false
    const now = this.#isOnLink(address)
    this.#known.set(address, now)
    return now !== before
  }
}

/** A session of the node's BFD, and the peers that share it. */
export interface SharedSession {
  readonly request: SessionRequest
  readonly peers: ReadonlyArray<string>
}

/**
 * The sessions by name. Between two addresses there is one (RFC 5881 §3, RFC 5882 §2), whatever number of BGP sessions goes
 * over the path: it runs as the most demanding of their profiles says. `localAddressOf` has our address as a peer's BGP
 * session has it; a peer waits while there is none.
 */
export const sharedSessions = (
  wanted: ReadonlyArray<WantedBfd>,
  localAddressOf: (peer: string) => string | undefined
): ReadonlyMap<string, SharedSession> => {
  const sessions = new Map<string, { readonly request: SessionRequest; readonly peers: Array<string> }>()
  const byDemand = [...wanted].sort((left, right) => patienceMs(left.profile) - patienceMs(right.profile))
  for (const { peer, profile, path } of byDemand) {
    const localAddress = path.localAddress ?? localAddressOf(peer)
    if (localAddress === undefined) continue
    const request: SessionRequest = { ...path, localAddress: withZone(localAddress, path.peerAddress), ...profile }
    const name = nameOf(request)
    const shared = sessions.get(name)
    if (shared === undefined) sessions.set(name, { request, peers: [peer] })
    else shared.peers.push(peer)
  }
  return sessions
}

/** How long a profile lets a peer be silent, as far as it is ours to say. */
const patienceMs = ({ receiveIntervalMs, detectMultiplier }: PeerBfd): number => receiveIntervalMs * detectMultiplier

/** A session is named for its path, so that the next speaker's is the same one. */
const nameOf = ({ localAddress, peerAddress, hops, device }: SessionRequest): string =>
  `${localAddress} to ${peerAddress}${hops === "multi" ? " over hops" : ""}${device === undefined ? "" : ` in ${device}`}`

/** A link-local address of ours is on the peer's link. */
const withZone = (localAddress: string, peerAddress: string): string => {
  const zone = /%.*/.exec(peerAddress)?.[0]
  return zone === undefined || localAddress.includes("%") ? localAddress : localAddress + zone
}
