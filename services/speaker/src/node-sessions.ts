import type { PeerEvent, PeerOptions } from "@lowtide/bgp/peer"
import type { NodeIntent, NodePeer } from "@lowtide/domain/announcing/intent"
import { Result } from "effect"
import type { SavedRecord } from "./journal-record.ts"
import { sessionName, wantedPeers } from "./peer-options.ts"
import { believedSeconds, mostBelievedSeconds, Peers, type PeersPort } from "./peers.ts"
import { sessionRecord } from "./saved-state.ts"
import type { SpeakerPort } from "./speaker-port.ts"

/** What the sessions of a node ask of its speaker. */
export interface NodeSessionsPort
  extends Pick<SpeakerPort, "settings" | "passwordOf" | "mayBegin" | "startPeer" | "monotonicMs">,
    Pick<PeersPort, "onEvent" | "onStopped" | "table"> {
  readonly save: (records: ReadonlyArray<SavedRecord>) => void
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
    // A router that has kept our routes drops at End-of-RIB what is not told again: it waits for a table that is whole.
    const isWhole = this.#port.isTableWhole()
    const mayBegin = (peer: NodePeer) => (isWhole || peer.gracefulRestart !== true) && this.#port.mayBegin(peer)
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
    return wantedPeers(this.#port.settings, node, ({ name, password }) =>
      password === undefined ? undefined : () => passwordNow(name)
    )
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
    this.#port.save([sessionRecord(session, seconds)])
  }

  /** Before a session is begun the disk knows of it, so that the next process knows who may believe this one. */
  newRecords(node: NodeIntent): ReadonlyArray<SavedRecord> {
    return [...this.#wanted(node).values()].flatMap((options) => {
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
