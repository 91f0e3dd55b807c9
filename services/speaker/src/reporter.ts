import type { PeerEvent } from "@lowtide/bgp/peer"
import type { WireEntry } from "@lowtide/bus/status"
import { SessionNotes } from "./session-notes.ts"
import { WireMemory } from "./wire-memory.ts"
import { ReportOutbox, TurnReports, type VipTurn } from "./wire-report.ts"

/** What reporting asks of its owner. */
export interface ReporterPort {
  readonly settings: { readonly cluster: string; readonly node: string }
  readonly say: (severity: "info" | "warning" | "error", text: string) => void
  /** Whether a peer has a route that a VIP is covered by: what its session cannot carry it has not. Undefined: it is to have none. */
  readonly isSent: (peer: string, address: string) => boolean | undefined
  /** There is something in the outbox. */
  readonly wake: () => void
  readonly monotonicMs: () => number
  readonly unixMs: () => number
}

/** That entries had to be dropped is said at most this often. */
const dropRepeatMs = 60_000

/** Gathers what sessions and turns are worth for the operator's log and for the wire journal. */
export class Reporter {
  readonly notes = new SessionNotes()
  readonly outbox = new ReportOutbox()
  readonly memory: WireMemory
  readonly #port: ReporterPort
  readonly #turns: TurnReports
  readonly #downs = new Map<string, number>()
  #saidDropAtMs = Number.NEGATIVE_INFINITY

  constructor(port: ReporterPort) {
    this.#port = port
    this.memory = new WireMemory(port.settings)
    this.#turns = new TurnReports(port.isSent, (entries) => this.#add(entries))
  }

  /** How often the peer's session was lost since the process began; one that we ended ourselves, such as to begin anew, was not. */
  downs(peer: string): number {
    return this.#downs.get(peer) ?? 0
  }

  /** Whether the event was news. */
  onPeerEvent(peer: string, event: PeerEvent): boolean {
    const { line, entries } = this.notes.note(peer, event, this.#port.unixMs())
    if (line !== undefined) this.#port.say(line.severity, line.text)
    this.#add(entries)
    if (event._tag === "RoutesWritten") this.#turns.written(event.token, peer, this.#port.unixMs())
    if (event._tag === "SessionEnded") {
      if (event.isStopped !== true) this.#downs.set(peer, this.downs(peer) + 1)
      this.#turns.ended(peer)
    }
    return line !== undefined
  }

  /** What a turn did; `sessions` were given it and are up. */
  begin(turn: number, vips: ReadonlyArray<VipTurn>, sessions: Iterable<string>): void {
    this.#turns.begin(turn, vips, sessions, this.#port.monotonicMs())
  }

  /** What a session was told with its first table, which is written. */
  table(turn: number, vips: ReadonlyArray<VipTurn>, session: string): void {
    this.begin(turn, vips, [session])
    this.#turns.written(turn, session, this.#port.unixMs())
  }

  /** Time passed. */
  tick(): void {
    this.#turns.expire(this.#port.monotonicMs())
  }

  #add(entries: ReadonlyArray<WireEntry>): void {
    if (entries.length === 0) return
    this.memory.note(entries)
    const dropped = this.outbox.add(entries)
    const nowMs = this.#port.monotonicMs()
    if (dropped > 0 && nowMs - this.#saidDropAtMs >= dropRepeatMs) {
      this.#saidDropAtMs = nowMs
      this.#port.say("warning", `wire reports: ${dropped} of the oldest entries are dropped while NATS is away`)
    }
    this.#port.wake()
  }
}
