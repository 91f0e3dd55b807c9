import type { Socket } from "node:net"
import { judgeCollision, type Opening } from "./fsm/collision.ts"
import type { SessionConfig } from "./fsm/config.ts"
import { type Action, nextDeadlineMs } from "./fsm/machine.ts"
import { type MessageCounters, makeRunner, type Runner, type RunnerPort } from "./runner.ts"
import { adoptSocket, type Transport } from "./transport.ts"
import { type BgpNotification, notification } from "./wire/notification.ts"
import type { BgpOpen } from "./wire/open.ts"

/** One connection with a peer, and its machine. */
export interface Connection {
  readonly opens: Opening
  readonly runner: Runner
}

/** What the owner of a peer's connections does for them. */
export interface ConnectionsPort extends Pick<RunnerPort, "dial" | "onDrain"> {
  readonly config: (opens: Opening) => SessionConfig
  /** What concerns routes and people. Of connections that lost against another, or ended beside a session that is up, nothing is told. */
  readonly onAction: (action: Parameters<RunnerPort["onAction"]>[0], connection: Connection) => void
}

interface Member extends Connection {
  /** It lost against another connection: what becomes of it concerns nobody. */
  isAside: boolean
}

/** How many connections of the peer's may be there at a time: an old one that is dead, and the one that replaces it. */
export const acceptedMax = 2

/**
 * The connections with one peer: one that we dial, and those that it opens, each with a machine of its own, of which one
 * becomes the session (RFC 4271 §6.8).
 */
export class Connections {
  readonly #port: ConnectionsPort
  readonly #dialled: Member | undefined
  #accepted: ReadonlyArray<Member> = []
  #isStopped = false
  /** Messages over accepted connections that are gone. */
  readonly #past: Sums = { sent: noCounts(), received: noCounts() }

  constructor(port: ConnectionsPort, { isDialled }: { readonly isDialled: boolean }) {
    this.#port = port
    this.#dialled = isDialled ? this.#make("dial") : undefined
  }

  /** Begins to dial; until then nothing happens. */
  start(): void {
    this.#dialled?.runner.input({ _tag: "Start" })
  }

  /** The connection that has come furthest; of equals the one that we dialled. None where only the peer connects and has not. */
  leading(): Connection | undefined {
    return this.#all().reduce<Member | undefined>(
      (best, member) => (best === undefined || progress(member) > progress(best) ? member : best),
      undefined
    )
  }

  /** The machine whose session is up. */
  established(): Runner | undefined {
    const runner = this.leading()?.runner
    return runner?.state()._tag === "Established" ? runner : undefined
  }

  /** Takes a connection that the peer opened, unless it has too many. */
  accept(socket: Socket): boolean {
    if (this.#isStopped) return false
    // One on which no OPEN came is dead, or the peer would not connect again.
    for (const member of this.#accepted) {
      if (member.runner.state()._tag === "OpenSent") this.#setAside(member)
    }
    if (this.#accepted.length >= acceptedMax) return false
    const member = this.#make("accept")
    this.#accepted = [...this.#accepted, member]
    member.runner.input({ _tag: "Start" })
    member.runner.adopt((events) => adoptSocket(socket, events))
    return true
  }

  /** The TCP connections that are open. */
  open(): ReadonlyArray<Transport> {
    return this.#all().flatMap(({ runner }) => runner.transport() ?? [])
  }

  /** Ends all connections for good. */
  stop(reason: BgpNotification | undefined): void {
    this.#isStopped = true
    const up = this.established()
    for (const member of this.#all()) {
      if (up !== undefined && member.runner !== up) member.isAside = true
      member.runner.input({ _tag: "Stop", notification: reason })
    }
  }

  /** Messages over all connections there ever were. */
  counters(): { readonly sent: MessageCounters; readonly received: MessageCounters } {
    const sums = { sent: { ...this.#past.sent }, received: { ...this.#past.received } }
    for (const { runner } of this.#all()) addCounts(sums, runner.counters())
    return sums
  }

  /** How long until we dial again; `undefined` when only the peer will connect. */
  retryInMs(): number | undefined {
    const state = this.#dialled?.runner.state()
    const deadlineMs = this.#isStopped || state === undefined ? Number.POSITIVE_INFINITY : nextDeadlineMs(state)
    return deadlineMs === Number.POSITIVE_INFINITY ? undefined : Math.max(0, deadlineMs - performance.now())
  }

  #all(): ReadonlyArray<Member> {
    return this.#dialled === undefined ? this.#accepted : [this.#dialled, ...this.#accepted]
  }

  #make(opens: Opening): Member {
    const runner = makeRunner(() => this.#port.config(opens), {
      dial: this.#port.dial,
      onDrain: this.#port.onDrain,
      judgeOpen: (open) => this.#judgeOpen(member, open),
      onAction: (action) => this.#onAction(member, action)
    })
    const member: Member = { opens, runner, isAside: false }
    return member
  }

  /** Cease where the connection loses against another; the others that lose against it are ended here. */
  #judgeOpen(member: Member, open: BgpOpen): BgpNotification | undefined {
    const { localAsn, routerId } = this.#port.config(member.opens)
    const speakers = { opens: member.opens, own: { routerId, asn: localAsn }, peer: open }
    const others = this.#all().filter((other) => other !== member)
    const judged = others.map((other) => ({
      other,
      verdict: judgeCollision(speakers, { opens: other.opens, state: other.runner.state() })
    }))
    if (judged.some(({ verdict }) => verdict === "drop-this")) {
      member.isAside = true
      return collision
    }
    for (const { other, verdict } of judged) if (verdict === "drop-other") this.#setAside(other)
    return undefined
  }

  /** Ends a connection in favour of another. A session that was up is lost, and told of. */
  #setAside(member: Member): void {
    const isUp = member.runner.state()._tag === "Established"
    if (isUp) member.runner.input({ _tag: "TcpClosed", reason: "the peer has restarted and connected anew" })
    member.isAside = true
    member.runner.input({ _tag: "Stop", notification: isUp ? undefined : collision })
    this.#forget(member)
  }

  #onAction(member: Member, action: Exclude<Action, { readonly _tag: "Send" | "CloseTcp" | "DialTcp" }>): void {
    if (action._tag === "SessionUp") {
      for (const other of this.#all()) if (other !== member) this.#setAside(other)
    }
    if (action._tag === "SessionDown") {
      this.#forget(member)
      this.#dialAgain()
    }
    if (!member.isAside && !this.#isStray(action)) this.#port.onAction(action, member)
  }

  /** The end of a connection besides the session that is up: it says nothing of the session. */
  #isStray(action: Action): boolean {
    return action._tag === "SessionDown" && this.established() !== undefined
  }

  /** No connection of the peer's is left: we try ourselves, a little later than the peer most likely does. */
  #dialAgain(): void {
    const dialled = this.#dialled
    if (this.#isStopped || dialled?.isAside !== true || this.#accepted.length > 0) return
    dialled.isAside = false
    const { connectRetryMs } = this.#port.config("dial")
    dialled.runner.input({ _tag: "Start", delayMs: connectRetryMs * (0.75 + Math.random() / 4) })
  }

  #forget(member: Member): void {
    if (!this.#accepted.includes(member)) return
    addCounts(this.#past, member.runner.counters())
    this.#accepted = this.#accepted.filter((other) => other !== member)
  }
}

/** Cease 6/7: RFC 4271 §6.8, RFC 4486 §3. */
const collision = notification(6, 7)

const order = ["Idle", "Active", "Connect", "OpenSent", "OpenConfirm", "Established"] as const

const progress = ({ runner }: Connection): number => order.indexOf(runner.state()._tag)

type Counts = { -readonly [Kind in keyof MessageCounters]: number }

interface Sums {
  readonly sent: Counts
  readonly received: Counts
}

const noCounts = (): Counts => ({ Open: 0, Update: 0, Notification: 0, Keepalive: 0, RouteRefresh: 0 })

const addCounts = (sums: Sums, more: ReturnType<Runner["counters"]>): void => {
  for (const kind of Object.keys(sums.sent) as ReadonlyArray<keyof Counts>) {
    sums.sent[kind] += more.sent[kind]
    sums.received[kind] += more.received[kind]
  }
}
