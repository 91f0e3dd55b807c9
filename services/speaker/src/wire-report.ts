import type { WireEntry } from "@lowtide/bus/status"
import type { Stamp } from "@lowtide/domain/announcing/intent"

type Applied = Extract<WireEntry, { readonly _tag: "Applied" }>

/** What one turn did for one VIP, before it is known when each router was told. */
export interface VipTurn {
  readonly network: string
  readonly address: string
  readonly stamp: Stamp
  readonly cseq: number
  readonly verdict: string
  readonly trigger: Applied["trigger"]
  /** Milliseconds since 1970; absent where the turn was not caused by a message. */
  readonly receivedAtMs?: number
  readonly savedAtMs?: number
  readonly actions: ReadonlyMap<string, Applied["peers"][number]["action"]>
  /** Peers for which the node is standby of it. */
  readonly standby?: ReadonlySet<string>
  /** The order of a person at the node that caused the turn. */
  readonly byHand?: Applied["byHand"] & {}
}

/** A turn is reported after this long even if a session has not taken its octets. */
export const reportDelayMsMax = 1_000

interface OpenTurn {
  readonly beganAtMs: number
  readonly waitingFor: Set<string>
  readonly writtenAt: Map<string, string>
  readonly vips: ReadonlyArray<VipTurn>
}

/** Joins what turns did with when it was written, and gives the entries when they are as complete as they will be. */
export class TurnReports {
  readonly #open = new Map<number, OpenTurn>()
  readonly #isSent: (peer: string, address: string) => boolean | undefined
  readonly #onReady: (entries: ReadonlyArray<WireEntry>) => void

  constructor(
    isSent: (peer: string, address: string) => boolean | undefined,
    onReady: (entries: ReadonlyArray<WireEntry>) => void
  ) {
    this.#isSent = isSent
    this.#onReady = onReady
  }

  /** `sessions` are those that were given the turn's token and are up. */
  begin(turn: number, vips: ReadonlyArray<VipTurn>, sessions: Iterable<string>, nowMs: number): void {
    if (vips.length === 0) return
    const waitingFor = new Set<string>()
    for (const session of sessions) if (vips.some(({ actions }) => actions.has(session))) waitingFor.add(session)
    this.#open.set(turn, { beganAtMs: nowMs, waitingFor, writtenAt: new Map(), vips })
    if (waitingFor.size === 0) this.#finish(turn)
  }

  /** A session has taken a turn's octets. */
  written(turn: number, session: string, atUnixMs: number): void {
    const open = this.#open.get(turn)
    if (!open?.waitingFor.delete(session)) return
    open.writtenAt.set(session, new Date(atUnixMs).toISOString())
    if (open.waitingFor.size === 0) this.#finish(turn)
  }

  /** A session ended: what it did not take is told again when it is up. */
  ended(session: string): void {
    for (const [turn, open] of [...this.#open]) {
      if (open.waitingFor.delete(session) && open.waitingFor.size === 0) this.#finish(turn)
    }
  }

  expire(nowMs: number): void {
    for (const [turn, { beganAtMs }] of [...this.#open]) if (nowMs - beganAtMs >= reportDelayMsMax) this.#finish(turn)
  }

  #finish(turn: number): void {
    const open = this.#open.get(turn)
    if (open === undefined) return
    this.#open.delete(turn)
    this.#onReady(open.vips.map((vip) => appliedEntry(vip, open.writtenAt, this.#isSent)))
  }
}

const appliedEntry = (
  vip: VipTurn,
  writtenAt: ReadonlyMap<string, string>,
  isSent: (peer: string, address: string) => boolean | undefined
): Applied => ({
  _tag: "Applied",
  network: vip.network,
  address: vip.address,
  stamp: vip.stamp,
  cseq: vip.cseq,
  verdict: vip.verdict,
  trigger: vip.trigger,
  receivedAt: timeText(vip.receivedAtMs),
  savedAt: timeText(vip.savedAtMs),
  ...(vip.byHand !== undefined && { byHand: vip.byHand }),
  peers: [...vip.actions].flatMap(([peer, action]): Applied["peers"] => {
    const at = writtenAt.get(peer)
    if (at === undefined) return []
    const standby = vip.standby?.has(peer) === true && { standby: true as const }
    if (action === "withdrawn") return [{ peer, action, writtenAt: at, ...standby }]
    const sent = isSent(peer, vip.address)
    // What a session cannot carry is wanted as before. Of an aggregate that others hold up a VIP that left it has no route.
    if (sent === false || (sent === undefined && action === "announced")) {
      return [{ peer, action: "refused", writtenAt: at }]
    }
    return [{ peer, action, writtenAt: at, ...standby }]
  })
})

const timeText = (unixMs: number | undefined): string | null =>
  unixMs === undefined ? null : new Date(unixMs).toISOString()

/** Entries that wait for NATS; beyond it the oldest are dropped. */
export const entriesMax = 20_000

/** Entries of one message, to stay well below a server's limit of 1 MiB. */
export const entriesPerReportMax = 1_000

/** What is to be reported and has not been acknowledged. */
export class ReportOutbox {
  #entries: Array<WireEntry> = []
  #dropped = 0

  get size(): number {
    return this.#entries.length
  }

  /** Since the process began. */
  get dropped(): number {
    return this.#dropped
  }

  /** How many old entries had to make room. */
  add(entries: ReadonlyArray<WireEntry>): number {
    this.#entries.push(...entries.slice(-entriesMax))
    const excess = Math.max(0, this.#entries.length - entriesMax)
    this.#entries.splice(0, excess)
    const dropped = excess + Math.max(0, entries.length - entriesMax)
    this.#dropped += dropped
    return dropped
  }

  /** The oldest entries, for one message; they are kept until `acknowledge`. */
  peek(): ReadonlyArray<WireEntry> {
    return this.#entries.slice(0, entriesPerReportMax)
  }

  /** Forgets what `peek` gave and the server has, also when some of it was dropped meanwhile. */
  acknowledge(entries: ReadonlyArray<WireEntry>): void {
    const sent = new Set(entries)
    const firstUnsent = this.#entries.findIndex((entry) => !sent.has(entry))
    this.#entries = firstUnsent < 0 ? [] : this.#entries.slice(firstUnsent)
  }
}
