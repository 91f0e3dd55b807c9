import type { PeerEvent, PeerOptions } from "@lowtide/bgp/peer"
import type { NodeIntent, NodePeer } from "@lowtide/domain/announcing/intent"
import { Result } from "effect"
import type { SavedRecord } from "./journal-record.ts"
import { isUnnumbered, sessionName, type UnnumberedPeer, wantedPeers } from "./peer-options.ts"
import { believedSeconds, mostBelievedSeconds, Peers, type PeersPort } from "./peers.ts"
import { sessionRecord } from "./saved-state.ts"
import type { SpeakerPort } from "./speaker-port.ts"

/** What the sessions of a node ask of its speaker. */
export interface NodeSessionsPort
  extends Pick<SpeakerPort, "settings" | "passwordOf" | "mayBegin" | "startPeer" | "monotonicMs" | "neighbors" | "say">,
    Pick<PeersPort, "onEvent" | "onStopped" | "onToldAnew" | "table"> {
  /** Ends once they are on the disk. */
  readonly save: (records: ReadonlyArray<SavedRecord>) => Promise<unknown>
  /** An unnumbered peer is somewhere else now: the sessions are to be configured anew. */
  readonly onNeighbors: (node: NodeIntent) => void
  /** Whether the node has all that it is to announce. */
  readonly isTableWhole: () => boolean
}

/** Which sessions the node is to have by its own intent, which of them wait, and what the disk knows of them. */
export class NodeSessions {
  readonly peers: Peers
  readonly #port: NodeSessionsPort
  /** In seconds, by `sessionName`, as the disk has them. */
  readonly #holdTimes: Map<string, number>
  /** What the sessions are made of, kept for those that wait. */
  #configured: NodeIntent | undefined
  /**
   * Where unnumbered peers are, by name: a link-local address with its zone, which the disk knows a session with, or the
   * interface alone, where it is not known who is on it. None where that is still being found out.
   */
  #neighbors: ReadonlyMap<string, string> = new Map()
  #isFollowing = false

  /** `saved`: hold times in seconds of the sessions that an earlier process had. */
  constructor(port: NodeSessionsPort, saved: ReadonlyMap<string, number>) {
    this.#port = port
    this.#holdTimes = new Map(saved)
    this.peers = new Peers(port, saved)
  }

  /** Without its own intent a node does not know its sessions, and an earlier life may have had some: it confirms nothing. */
  get isKnown(): boolean {
    return this.#configured !== undefined
  }

  /** The intent that the sessions are made of. */
  get configured(): NodeIntent | undefined {
    return this.#configured
  }

  /** Has the sessions that the intent asks for, as far as they need not wait. */
  configure(node: NodeIntent): void {
    this.#configured = node
    this.#port.neighbors.want(new Set(node.peers.flatMap((peer) => peer.interface ?? [])))
    // A router that has kept our routes drops at End-of-RIB what is not told again: it waits for a table that is whole.
    const isWhole = this.#port.isTableWhole()
    const isSought = (peer: NodePeer) => isUnnumbered(peer) && this.#hostOf(peer) === undefined
    const mayBegin = (peer: NodePeer) =>
      (isWhole || peer.gracefulRestart !== true) && !isSought(peer) && this.#port.mayBegin(peer)
    const begins = new Set(node.peers.filter(mayBegin).map(({ name }) => name))
    this.peers.configure(new Map([...this.#wanted(node)].filter(([name]) => begins.has(name))))
  }

  /** Something that sessions waited for is there, such as passwords, or a table that is whole. */
  beginWaiting(): void {
    if (this.#configured !== undefined) this.configure(this.#configured)
  }

  #wanted(node: NodeIntent): ReadonlyMap<string, PeerOptions> {
    // By its name, in what the node is told now: a session that begins anew asks for the password of that moment.
    const passwordNow = (name: string): Result.Result<Uint8Array, string> => {
      const peer = this.#configured?.peers.find((configured) => configured.name === name)
      return (peer && this.#port.passwordOf(peer)?.()) ?? Result.fail("its password is not asked for any more")
    }
    return wantedPeers(this.#port.settings, node, {
      passwordOf: ({ name, password }) => (password === undefined ? undefined : () => passwordNow(name)),
      neighborOf: (peer) => ({
        host: this.#hostOf(peer) ?? peer.interface,
        whyNoAddress: () => this.#port.neighbors.whyNot(peer.interface)
      })
    })
  }

  /** As it was found on the interface that the peer has now. */
  #hostOf({ name, interface: device }: UnnumberedPeer): string | undefined {
    const host = this.#neighbors.get(name)
    return host === device || host?.endsWith(`%${device}`) ? host : undefined
  }

  /** The intent with the addresses that its unnumbered peers have now, as far as they are known. */
  located(node: NodeIntent): NodeIntent {
    const located = (peer: NodePeer): NodePeer => {
      const host = isUnnumbered(peer) ? this.#hostOf(peer) : undefined
      return host === undefined || host === peer.interface ? peer : { ...peer, peerAddress: host }
    }
    return { ...node, peers: node.peers.map(located) }
  }

  /** Has sessions with whoever is on unnumbered interfaces now, once the disk knows of them. */
  tick(): void {
    this.#port.neighbors.tick()
    const node = this.#configured
    if (node === undefined || this.#isFollowing) return
    const found = new Map(
      node.peers.filter(isUnnumbered).flatMap((peer) => {
        const host = this.#neighborOf(peer)
        return host === undefined ? [] : [[peer.name, host] as const]
      })
    )
    if (isSameMap(found, this.#neighbors)) return
    this.#isFollowing = true
    const records = this.#newRecords(
      [...this.#wanted(node).values()].map((options) => ({ ...options, host: found.get(options.name) ?? options.host }))
    )
    void this.#port.save(records).then(() => {
      this.#isFollowing = false
      this.#neighbors = found
      if (this.#configured !== undefined) this.#port.onNeighbors(this.#configured)
    })
  }

  /**
   * Where a peer is now, as `#neighbors` has it. Of two routers on one segment neither is chosen. A session that is up stays with
   * whom it is: that one is there whatever is advertised, and somebody on the segment could end it otherwise.
   */
  #neighborOf({ name, interface: device }: UnnumberedPeer): string | undefined {
    const neighbor = this.#port.neighbors.on(device)
    switch (neighbor._tag) {
      case "Sought":
        return undefined
      case "Nobody":
        return device
      case "One":
        return this.#hostInUse(name, device) ?? `${neighbor.address}%${device}`
      case "Several":
        return this.#hostInUse(name, device) ?? device
    }
  }

  /** The address on the interface with which a session is up. */
  #hostInUse(name: string, device: string): string | undefined {
    const host = this.#neighbors.get(name)
    return host?.endsWith(`%${device}`) === true && this.peers.isUp(name) ? host : undefined
  }

  /** What was agreed with a peer is on the disk from now on. */
  rememberHoldTime(
    peer: string,
    event: Pick<Extract<PeerEvent, { readonly _tag: "SessionEstablished" }>, "holdTimeSeconds" | "keptForSeconds">
  ): void {
    const options = this.peers.running.find((running) => running.options.name === peer)?.options
    if (options === undefined) return
    const session = sessionName(options)
    const seconds = believedSeconds(event) || Number.POSITIVE_INFINITY
    if (this.#holdTimes.get(session) === seconds) return
    this.#holdTimes.set(session, seconds)
    void this.#port.save([sessionRecord(session, seconds)])
  }

  /** Before a session is begun the disk knows of it, so that the next process knows who may believe this one. */
  newRecords(node: NodeIntent): ReadonlyArray<SavedRecord> {
    return this.#newRecords([...this.#wanted(node).values()])
  }

  #newRecords(sessions: ReadonlyArray<PeerOptions>): ReadonlyArray<SavedRecord> {
    return sessions.flatMap((options) => {
      const session = sessionName(options)
      const seconds = mostBelievedSeconds(options) || Number.POSITIVE_INFINITY
      if ((this.#holdTimes.get(session) ?? 0) >= seconds) return []
      this.#holdTimes.set(session, seconds)
      return [sessionRecord(session, seconds)]
    })
  }

  /** For a snapshot. Sessions whose routers must have forgotten this node are left out, and forgotten here. */
  holdTimes(): ReadonlyMap<string, number> {
    const believed = this.peers.holdTimes()
    for (const session of this.#holdTimes.keys()) {
      if (!believed.has(session)) this.#holdTimes.delete(session)
    }
    return this.#holdTimes
  }
}

const isSameMap = (left: ReadonlyMap<string, string>, right: ReadonlyMap<string, string>): boolean =>
  left.size === right.size && [...left].every(([name, host]) => right.get(name) === host)
