import type { PathFailure } from "@lowtide/bgp/path-failure"
import type { BgpPeer, PeerEvent, PeerOptions, StopReason } from "@lowtide/bgp/peer"
import type { RouteChange } from "@lowtide/bgp/route"
import type { startPeer } from "@lowtide/bgp/session"
import { parsePrefix } from "@lowtide/net"
import { Effect, Exit, Result, Scope } from "effect"
import type { SessionTrace } from "./confirm.ts"
import { restartingChanges, sessionName } from "./peer-options.ts"

/** What the peers ask of their owner. */
export interface PeersPort {
  readonly startPeer: typeof startPeer
  /** Runs on the turn in which it happened. */
  readonly onEvent: (peer: string, event: PeerEvent) => void
  /** A session that was stopped is gone, or begun anew. */
  readonly onStopped: () => void
  /** A session that is up is about to be told every route anew, with other next hops. */
  readonly onToldAnew: (peer: string) => void
  /** All that the peer is to have. */
  readonly table: (peer: string) => ReadonlyArray<RouteChange>
  readonly monotonicMs: () => number
  readonly say: (severity: "info" | "warning" | "error", text: string) => void
}

interface Slot {
  readonly name: string
  /** Undefined when the peer is to go. */
  wanted: PeerOptions | undefined
  /** `begun`: the options that it was started with. */
  running: { readonly peer: BgpPeer; readonly scope: Scope.Closeable; readonly begun: PeerOptions } | undefined
  isStopping: boolean
  /** Why it is stopped to begin anew. */
  why: string | undefined
}

type Trace = { -readonly [Field in keyof SessionTrace]: SessionTrace[Field] }

/** The node's sessions: runs those that are wanted, and remembers of every session of its life what confirming needs. */
export class Peers {
  readonly #port: PeersPort
  readonly #slots = new Map<string, Slot>()
  /** By `sessionName`. */
  readonly #traces = new Map<string, Trace>()
  readonly #startedAtMs: number
  #turn = 0

  /** `sessions`: hold times in seconds of the sessions that an earlier process had. */
  constructor(port: PeersPort, sessions: ReadonlyMap<string, number>) {
    this.#port = port
    this.#startedAtMs = port.monotonicMs()
    for (const [session, holdTimeSeconds] of sessions) this.#trace(session, holdTimeSeconds)
  }

  get running(): ReadonlyArray<BgpPeer> {
    return [...this.#slots.values()].flatMap(({ running }) => running?.peer ?? [])
  }

  get traces(): Iterable<SessionTrace> {
    return this.#traces.values()
  }

  /** Hold times in seconds of sessions whose routers may still believe what they heard, for the disk. */
  holdTimes(): ReadonlyMap<string, number> {
    const configured = new Set([...this.#slots.values()].flatMap(({ wanted }) => (wanted ? sessionName(wanted) : [])))
    const nowMs = this.#port.monotonicMs()
    const isOver = ({ isUp, downSinceMs, holdTimeMs }: Trace) => !isUp && nowMs - downSinceMs >= holdTimeMs
    return new Map(
      [...this.#traces]
        .filter(([session, trace]) => configured.has(session) || !isOver(trace))
        .map(([session, { holdTimeMs }]) => [session, holdTimeMs / 1000])
    )
  }

  /** Those with a session that is up. */
  get up(): ReadonlyArray<string> {
    return this.running.map(({ options }) => options.name).filter((peer) => this.isUp(peer))
  }

  isUp(peer: string): boolean {
    return this.#slots.get(peer)?.running?.peer.status().state === "Established"
  }

  /** Whether a peer has a route of ours to a prefix; what its session cannot carry it has not, though it is to have it. */
  isSent(peer: string, prefix: string): boolean {
    const parsed = Result.getOrUndefined(parsePrefix(prefix))
    return parsed !== undefined && this.#slots.get(peer)?.running?.peer.isSent(parsed) === true
  }

  /** Whether a peer with a session has yet to be told of a prefix. */
  isPending(peer: string, prefix: string): boolean {
    const parsed = Result.getOrUndefined(parsePrefix(prefix))
    return parsed !== undefined && this.#slots.get(peer)?.running?.peer.isPending(parsed) === true
  }

  /** Up to which turn the router of the session that is up has everything; undefined where none is. */
  acknowledgedTurn(peer: string): number | undefined {
    const options = this.#slots.get(peer)?.running?.peer.options
    const trace = options && this.#traces.get(sessionName(options))
    return trace?.isUp === true ? trace.acknowledgedTurn : undefined
  }

  /** Our address on the peer's connection, as long as there is one. */
  localAddress(peer: string): string | undefined {
    return this.#slots.get(peer)?.running?.peer.status().localAddress
  }

  /** Ends the peer's session if it is up; it is tried again as after any loss. */
  pathFailed(peer: string, failure: PathFailure): void {
    this.#slots.get(peer)?.running?.peer.pathFailed(failure)
  }

  /** Starts, stops and restarts peers so that exactly the wanted ones run; one whose session need not change goes on. */
  configure(wanted: ReadonlyMap<string, PeerOptions>): void {
    for (const [name, options] of wanted) {
      const slot = this.#slots.get(name) ?? {
        name,
        wanted: undefined,
        running: undefined,
        isStopping: false,
        why: undefined
      }
      this.#slots.set(name, slot)
      slot.wanted = options
    }
    for (const slot of this.#slots.values()) {
      if (!wanted.has(slot.name)) slot.wanted = undefined
      this.#settle(slot)
    }
  }

  /** Gives every running peer its changes of a turn; `turn` comes back in `RoutesWritten` from each of them. */
  change(turn: number, changes: ReadonlyMap<string, ReadonlyArray<RouteChange>>): void {
    this.#turn = turn
    for (const { name, running } of this.#slots.values()) running?.peer.change(changes.get(name) ?? [], turn)
  }

  /** Asks one peer for `RoutesWritten` once it has all that is told it now. */
  mark(peer: string, turn: number): void {
    this.#turn = turn
    this.#slots.get(peer)?.running?.peer.change([], turn)
  }

  /** Ends all sessions for good. */
  stopAll(reasonFor: (peer: BgpPeer) => StopReason): Effect.Effect<void> {
    return Effect.suspend(() => {
      for (const slot of this.#slots.values()) slot.wanted = undefined
      const stop = (peer: BgpPeer) => peer.stop(reasonFor(peer))
      return Effect.forEach(this.running, stop, { concurrency: "unbounded", discard: true })
    })
  }

  #settle(slot: Slot): void {
    if (slot.isStopping) return
    const { running, wanted } = slot
    if (running === undefined) {
      if (wanted === undefined) this.#slots.delete(slot.name)
      else this.#start(slot, wanted)
    } else if (wanted === undefined) {
      this.#stop(slot, running, { subcode: "peer-de-configured" })
    } else {
      const changes = restartingChanges(running.peer.options, wanted)
      if (changes.length === 0) {
        if (running.peer.adjust(wanted)) this.#port.onToldAnew(slot.name)
        return
      }
      slot.why = `changed: ${changes.join(", ")}`
      this.#port.say("info", `peer ${slot.name}: its session begins anew, for what ${slot.why}`)
      const isKept = wanted.gracefulRestart !== undefined && running.peer.status().keptForSeconds > 0
      // A router that keeps our routes does so until the next session has its table, and a NOTIFICATION would have it drop them.
      this.#stop(slot, running, isKept ? { subcode: "none" } : { subcode: "administrative-reset", text: slot.why })
    }
  }

  #stop(slot: Slot, { peer, scope }: NonNullable<Slot["running"]>, reason: StopReason): void {
    slot.isStopping = true
    Effect.runFork(
      Effect.andThen(
        peer.stop(reason),
        Effect.andThen(
          Scope.close(scope, Exit.void),
          Effect.sync(() => {
            slot.isStopping = false
            slot.running = undefined
            slot.why = undefined
            this.#settle(slot)
            this.#port.onStopped()
          })
        )
      )
    )
  }

  #start(slot: Slot, options: PeerOptions): void {
    this.#trace(sessionName(options), mostBelievedSeconds(options))
    const scope = Scope.makeUnsafe()
    const peer = Effect.runSync(
      Scope.provide(
        this.#port.startPeer(options, (event) => this.#onEvent(options, event)),
        scope
      )
    )
    slot.running = { peer, scope, begun: options }
    peer.change(this.#port.table(slot.name), this.#turn)
  }

  #trace(session: string, holdTimeSeconds: number): Trace {
    const known = this.#traces.get(session)
    if (known !== undefined) return known
    const trace = {
      isUp: false,
      acknowledgedTurn: -1,
      downSinceMs: this.#startedAtMs,
      holdTimeMs: holdMs(holdTimeSeconds)
    }
    this.#traces.set(session, trace)
    return trace
  }

  /** Behind what the session says of its own end: that it is to begin anew, and for what. */
  #whyRestarted(peer: string): string {
    const why = this.#slots.get(peer)?.why
    return why === undefined ? "" : `; it begins anew, for what ${why}`
  }

  #runningWith(options: PeerOptions): BgpPeer | undefined {
    const running = this.#slots.get(options.name)?.running
    return running?.begun === options ? running.peer : undefined
  }

  #onEvent(options: PeerOptions, event: PeerEvent): void {
    const trace = this.#trace(sessionName(options), mostBelievedSeconds(options))
    switch (event._tag) {
      case "SessionEstablished":
        trace.isUp = true
        // What the router was told on the session before it may have forgotten, or kept until End-of-RIB.
        trace.acknowledgedTurn = -1
        trace.holdTimeMs = holdMs(believedSeconds(event))
        // The table was made before this moment, and changes wait behind it: only the token says that the router has all of it.
        this.#runningWith(options)?.change([], this.#turn)
        break
      case "SessionEnded":
        trace.isUp = false
        trace.downSinceMs = this.#port.monotonicMs()
        return this.#port.onEvent(options.name, { ...event, reason: event.reason + this.#whyRestarted(options.name) })
      case "RoutesAcknowledged":
        trace.acknowledgedTurn = Math.max(trace.acknowledgedTurn, event.token)
        break
      case "RoutesWritten":
      case "TableWritten":
      case "ConnectFailed":
      case "RoutesRefused":
        break
    }
    this.#port.onEvent(options.name, event)
  }
}

/**
 * How long a router goes on believing what a lost session told it, in seconds: until it has heard nothing for the hold time,
 * and then for as long as it keeps our routes over a restart (RFC 4724 §4.2). 0: for ever.
 */
export const believedSeconds = (agreed: {
  readonly holdTimeSeconds: number
  readonly keptForSeconds: number
}): number => (agreed.holdTimeSeconds === 0 ? 0 : agreed.holdTimeSeconds + agreed.keptForSeconds)

/** The same before anything is agreed: what is proposed is the most. */
export const mostBelievedSeconds = ({ holdTimeSeconds, gracefulRestart }: PeerOptions): number =>
  believedSeconds({ holdTimeSeconds, keptForSeconds: gracefulRestart?.restartTimeSeconds ?? 0 })

/** RFC 4271 §4.2: a hold time of 0 means that neither side ever gives the other up for its silence. */
const holdMs = (seconds: number): number => (seconds === 0 ? Number.POSITIVE_INFINITY : seconds * 1000)
