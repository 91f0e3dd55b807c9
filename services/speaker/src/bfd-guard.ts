import type { BfdClient, BfdEvent } from "@lowtide/bfd/client"
import type { ControlState } from "@lowtide/bfd/control/messages"
import { isPathFailure } from "@lowtide/bfd/machine/machine"
import { diagnosticName } from "@lowtide/bfd/packet/control-packet"
import type { SessionChange, SessionStatus } from "@lowtide/bfd/session-status"
import type { PathFailure } from "@lowtide/bgp/path-failure"
import { type SharedSession, sharedSessions, type WantedBfd } from "./bfd-sessions.ts"
import { formatFault } from "./fault-line.ts"

/** The node's BFD as a speaker has it: `connectBfd`, or what answers as it does. */
export type BfdProcess = Pick<BfdClient, "set" | "remove" | "sessions" | "isConnected">

/** What the guard asks of its owner. */
export interface BfdGuardPort {
  readonly bfd: BfdProcess
  /** Our address on the peer's TCP connection, as long as there is one. */
  readonly localAddressOf: (peer: string) => string | undefined
  /** Ends the peer's BGP session, if it is up. */
  readonly pathFailed: (peer: string, failure: PathFailure) => void
  readonly say: (severity: "info" | "warning" | "error", text: string) => void
  /** What is to be said of BFD is something else now. */
  readonly changed: () => void
}

/** BFD with a peer as people are shown it. */
export interface BfdWithPeer {
  /** RFC 5880 §6.2 state; `Unknown`: BFD is not run with it now, `detail` says why. */
  readonly state: SessionStatus["state"] | "Unknown"
  /** When it entered the state, milliseconds since 1970. */
  readonly sinceUnixMs: number | undefined
  readonly code: "LT0312" | "LT0313" | undefined
  readonly detail: string | undefined
}

/** What of a session is remembered once its peer is not heard any more. */
interface Memory {
  readonly isUp: boolean
  /** The C bit: its BFD goes on while its control plane restarts. */
  readonly isIndependent: boolean
  readonly detectionTimeUs: number | undefined
}

/**
 * Guards BGP sessions by BFD (RFC 5882): what BFD loses is ended at once. A BGP session may come up before its BFD session,
 * and is guarded from when that is up; nothing is ended for want of BFD, of its process, or for AdminDown on either side.
 */
export class BfdGuard {
  readonly #port: BfdGuardPort
  #wanted: ReadonlyArray<WantedBfd> = []
  /** Our addresses as BGP had them last, by peer. */
  readonly #localAddresses = new Map<string, string>()
  #sessions: ReadonlyMap<string, SharedSession> = new Map()
  readonly #memory = new Map<string, Memory>()
  readonly #refusals = new Map<string, string>()
  /** Which process the memory is of. */
  #process: string | undefined
  /** Why there is no connection; undefined while there is one, or none was tried yet. */
  #away: string | undefined

  constructor(port: BfdGuardPort) {
    this.#port = port
  }

  /** Has BFD run with these peers from now on, and with no others. */
  configure(wanted: ReadonlyArray<WantedBfd>): void {
    const before = this.#wanted
    this.#wanted = wanted
    const pathOf = (peer: string, of: ReadonlyArray<WantedBfd>) =>
      JSON.stringify(of.find((each) => each.peer === peer)?.path)
    for (const peer of [...this.#localAddresses.keys()]) {
      if (pathOf(peer, before) !== pathOf(peer, wanted)) this.#localAddresses.delete(peer)
    }
    if (before.length === 0 && wanted.length > 0 && this.#away !== undefined) this.#sayAway(this.#away)
    this.look()
  }

  /** Looks where the peers' BGP sessions come from now. */
  look(): void {
    for (const { peer } of this.#wanted) {
      const address = this.#port.localAddressOf(peer)
      // A socket that takes both families shows an IPv4 address as an IPv6 one (RFC 4291 §2.5.5.2).
      if (address !== undefined) this.#localAddresses.set(peer, address.replace(/^::ffff:(?=\d+\.)/, ""))
    }
    this.#settle()
  }

  /** Something came from the BFD process. */
  take(event: BfdEvent): void {
    switch (event._tag) {
      case "BfdConnected":
        this.#connected(event.state)
        break
      case "BfdDisconnected":
        this.#away = event.reason
        // While it hung BGP sessions may have ended and come up again: what BFD finds lost afterwards is none of theirs.
        if (event.isHanging) this.#memory.clear()
        if (this.#wanted.length > 0) this.#sayAway(event.reason)
        break
      case "BfdSessionChanged":
        if (!event.session.isLeaving) this.#sessionChanged(event)
        break
      case "BfdSessionRefused":
        this.#refusals.set(event.name, event.reason)
        this.#sayRefused(event.name, event.reason)
    }
    this.#port.changed()
  }

  /** Whether BFD is wanted, and its process does not answer. */
  get isAway(): boolean {
    return this.#wanted.length > 0 && !this.#port.bfd.isConnected()
  }

  /** Peers that BFD is to be run with, and the names of their sessions as far as these are known. */
  get peers(): ReadonlyArray<{ readonly peer: string; readonly session: string | undefined }> {
    return this.#wanted.map(({ peer }) => ({ peer, session: this.#sessionOf(peer) }))
  }

  /** BFD with a peer; undefined where none is wanted. */
  of(peer: string): BfdWithPeer | undefined {
    if (!this.#wanted.some((wanted) => wanted.peer === peer)) return undefined
    const name = this.#sessionOf(peer)
    const none = (code: BfdWithPeer["code"], detail: string): BfdWithPeer => ({
      state: "Unknown",
      sinceUnixMs: undefined,
      code,
      detail
    })
    if (this.isAway) return none("LT0312", this.#away ?? "the BFD process was not reached yet")
    if (name === undefined) return none(undefined, "it begins once TCP has reached the peer, from the same address")
    const status = this.#port.bfd.sessions().get(name)
    if (status !== undefined) {
      return { state: status.state, sinceUnixMs: status.sinceUnixMs, code: undefined, detail: status.cause }
    }
    const refusal = this.#refusals.get(name)
    return refusal === undefined ? none(undefined, "it is being set up") : none("LT0313", refusal)
  }

  #sessionOf(peer: string): string | undefined {
    return [...this.#sessions].find(([, { peers }]) => peers.includes(peer))?.[0]
  }

  /** Tells the process what is another now. A session that is not wanted any more goes before another takes its path. */
  #settle(): void {
    const sessions = sharedSessions(this.#wanted, (peer) => this.#localAddresses.get(peer))
    const before = this.#sessions
    this.#sessions = sessions
    for (const name of before.keys()) {
      if (sessions.has(name)) continue
      this.#port.bfd.remove(name)
      this.#memory.delete(name)
      this.#refusals.delete(name)
    }
    for (const [name, { request }] of sessions) {
      if (JSON.stringify(before.get(name)?.request) !== JSON.stringify(request)) this.#port.bfd.set(name, request)
    }
  }

  #connected(state: ControlState): void {
    const { pid, startedUnixMs } = state
    const sessions = state.sessions.filter(({ isLeaving }) => !isLeaving)
    this.#away = undefined
    this.#refusals.clear()
    if (this.#wanted.length > 0 || sessions.length > 0) {
      this.#port.say("info", `BFD: its process answers and has ${sessions.length} sessions`)
    }
    const isSame = this.#process === `${pid} ${startedUnixMs}`
    this.#process = `${pid} ${startedUnixMs}`
    if (!isSame) this.#memory.clear()
    for (const session of sessions) {
      // What was lost while nobody listened is lost now; a process that is another one has seen nothing of the path.
      const { lastDown } = session
      if (lastDown !== undefined) this.#judge({ ...session, cause: lastDown.cause }, isPathFailure(lastDown.cause))
      this.#remember(session)
    }
    // A speaker that has just begun takes its sessions over before its peers are reached.
    for (const { peer, path } of this.#wanted) {
      const same = sessions.find(
        (session) =>
          session.peerAddress === path.peerAddress && session.hops === path.hops && session.device === path.device
      )
      if (same !== undefined && !this.#localAddresses.has(peer)) this.#localAddresses.set(peer, same.localAddress)
    }
    this.#settle()
  }

  #sessionChanged({ from, cause, isPathFailure: isFailure, session }: SessionChange): void {
    const peers = this.#sessions.get(session.name)?.peers
    if (peers === undefined) return
    if (cause !== undefined && (from === "Up" || session.state === "Up")) {
      const why = session.state === "Up" ? "" : `: ${cause}`
      this.#port.say(
        isFailure ? "warning" : "info",
        `BFD with ${peersText(peers)}, ${session.name}: ${session.state}${why}`
      )
    }
    this.#judge(session, isFailure)
    this.#remember(session)
  }

  /** Ends what a session guards when it was up and its path has failed. */
  #judge(session: SessionStatus, isFailure: boolean): void {
    const memory = this.#memory.get(session.name)
    if (!isFailure || session.state === "Up" || memory?.isUp !== true) return
    const reason = `BFD has lost it: ${lossText(session, memory)}`
    const mayBeRestart = !memory.isIndependent
    for (const peer of this.#sessions.get(session.name)?.peers ?? []) {
      this.#port.pathFailed(peer, { reason, mayBeRestart })
    }
  }

  #remember({ name, state, remote, detectionTimeUs }: SessionStatus): void {
    const before = this.#memory.get(name)
    this.#memory.set(name, {
      isUp: state === "Up",
      isIndependent: remote?.controlPlaneIndependent ?? before?.isIndependent ?? false,
      detectionTimeUs: detectionTimeUs ?? before?.detectionTimeUs
    })
  }

  #sayAway(reason: string): void {
    const peers = peersText(this.#wanted.map(({ peer }) => peer))
    const message = `BFD: expected its process to answer, found: ${reason}; ${peers} held without its watch, or with one that is not heard`
    this.#port.say("error", formatFault({ code: "LT0312", message }))
  }

  #sayRefused(name: string, reason: string): void {
    const peers = this.#sessions.get(name)?.peers
    if (peers === undefined) return
    const message = `BFD with ${peersText(peers)}: expected a session ${name}, found: ${reason}`
    this.#port.say("error", formatFault({ code: "LT0313", message }))
  }
}

const peersText = (peers: ReadonlyArray<string>): string =>
  `${peers.length === 1 ? "peer" : "peers"} ${[...peers].sort().join(", ")}`

const lossText = ({ cause, remote }: SessionStatus, { detectionTimeUs }: Memory): string =>
  cause === "detection-time-expired"
    ? `nothing came for ${detectionTimeUs === undefined ? "the detection time" : `${Math.round(detectionTimeUs / 1000)} ms`}`
    : `it says that its own session is down (${remote === undefined ? "no reason given" : diagnosticName(remote.diagnostic)})`
