import type { BgpPeer, PeerEvent, PeerOptions } from "@lowtide/bgp/peer"
import type { RouteChange } from "@lowtide/bgp/route"
import { formatCommunity, formatPrefix } from "@lowtide/net"
import { Effect } from "effect"

/** What a router believes of one node, and until when if the node has fallen silent. */
interface Neighbour {
  readonly node: string
  /** The address of the router. */
  readonly router: string
  /** By prefix, its communities. */
  readonly prefixes: Map<string, string>
  holdTimeMs: number
  /** By the simulation's clock; undefined while the session is up. */
  forgetsAtMs: number | undefined
}

/** One end of a session and the other: a node, and a router's address. */
interface SessionEnds {
  readonly node: string
  readonly router: string
}

/** Routers take no longer hold time than this, whatever they are offered. */
const holdTimeMaxMs = 90_000

/**
 * The routers of a cluster, with a session each to its nodes. They keep what they heard until they are told otherwise or
 * the hold time passes.
 */
export class SimRouters {
  readonly #neighbours = new Map<string, Neighbour>()

  get neighbours(): ReadonlyArray<Neighbour> {
    return [...this.#neighbours.values()]
  }

  neighbour({ node, router }: SessionEnds): Neighbour {
    const key = `${node} ${router}`
    const known = this.#neighbours.get(key)
    if (known !== undefined) return known
    const neighbour = { node, router, prefixes: new Map(), holdTimeMs: holdTimeMaxMs, forgetsAtMs: undefined }
    this.#neighbours.set(key, neighbour)
    return neighbour
  }

  /** What they have of a node, from whichever session. */
  of(node: string): ReadonlyArray<Neighbour> {
    return this.neighbours.filter((neighbour) => neighbour.node === node)
  }

  /** A session came up: its table takes the place of all that was heard before. */
  established(ends: SessionEnds, table: ReadonlyMap<string, string>, holdTimeMs: number): void {
    const neighbour = this.neighbour(ends)
    neighbour.prefixes.clear()
    for (const [prefix, communities] of table) neighbour.prefixes.set(prefix, communities)
    neighbour.forgetsAtMs = undefined
    neighbour.holdTimeMs = holdTimeMs
  }

  /** The session ended; a router that was not told notices by its hold timer. */
  lost(ends: SessionEnds, nowMs: number, wasTold: boolean): void {
    const neighbour = this.neighbour(ends)
    if (wasTold) neighbour.prefixes.clear()
    else neighbour.forgetsAtMs ??= nowMs + neighbour.holdTimeMs
  }

  timePassed(nowMs: number): void {
    for (const neighbour of this.#neighbours.values()) {
      if (neighbour.forgetsAtMs !== undefined && nowMs >= neighbour.forgetsAtMs) {
        neighbour.prefixes.clear()
        neighbour.forgetsAtMs = undefined
      }
    }
  }
}

/** Changes of routes, and the token of the turn that they are of. */
interface Told {
  readonly changes: ReadonlyArray<RouteChange>
  readonly token: number | undefined
}

/**
 * One node's end of a session, in the place of the product's: what is to be sent waits until `write`, and then in the kernel,
 * until the next `write`.
 */
export class SimPeer implements BgpPeer {
  options: PeerOptions
  readonly #ends: SessionEnds
  readonly #routers: SimRouters
  readonly #onEvent: (event: PeerEvent) => void
  readonly #nowMs: () => number
  readonly #isHeardEnding: () => boolean
  readonly #wanted = new Map<string, string>()
  #unwritten: ReadonlyArray<Told> = []
  /** What the kernel has taken, and the router has yet to get. */
  #underWay: ReadonlyArray<Told> = []
  isUp = false
  isStopped = false

  constructor(setting: {
    readonly options: PeerOptions
    readonly node: string
    readonly routers: SimRouters
    readonly onEvent: (event: PeerEvent) => void
    readonly nowMs: () => number
    /** Whether the router hears that the session is ended on purpose. */
    readonly isHeardEnding: () => boolean
  }) {
    this.options = setting.options
    this.#ends = { node: setting.node, router: setting.options.host }
    this.#routers = setting.routers
    this.#onEvent = setting.onEvent
    this.#nowMs = setting.nowMs
    this.#isHeardEnding = setting.isHeardEnding
  }

  change = (changes: ReadonlyArray<RouteChange>, token?: number): void => {
    take(this.#wanted, changes)
    this.#unwritten = [...this.#unwritten, { changes: this.isUp ? changes : [], token }]
  }

  /** The session comes up with the whole table, which covers what was wanted before it. */
  establish(): void {
    if (this.isUp || this.isStopped) return
    this.isUp = true
    const holdTimeMs = Math.min(this.options.holdTimeSeconds * 1000, holdTimeMaxMs)
    this.#onEvent({
      _tag: "SessionEstablished",
      remoteRouterId: "192.0.2.1",
      remoteAsn: 64511,
      holdTimeSeconds: holdTimeMs / 1000,
      keptForSeconds: 0,
      families: [4, 6]
    })
    this.#routers.established(this.#ends, this.#wanted, holdTimeMs)
    this.#onEvent({ _tag: "TableWritten", announced: this.#wanted.size })
  }

  /** What the kernel had reaches the router, and it takes what waits. */
  write(): void {
    if (!this.isUp) return
    const arriving = this.#underWay
    this.#underWay = this.#unwritten
    this.#unwritten = []
    const { prefixes } = this.#routers.neighbour(this.#ends)
    for (const { changes, token } of arriving) {
      take(prefixes, changes)
      if (token !== undefined) this.#onEvent({ _tag: "RoutesAcknowledged", token })
    }
    for (const { token } of this.#underWay) {
      if (token !== undefined) this.#onEvent({ _tag: "RoutesWritten", token, announced: 0, withdrawn: 0 })
    }
  }

  /** The session ends. What was not written is not sent, and what was under way is lost; the table of the next one has it. */
  lose(wasTold: boolean): void {
    if (!this.isUp) return
    this.isUp = false
    this.#unwritten = this.#unwritten.map(({ token }) => ({ changes: [], token }))
    this.#underWay = []
    this.#routers.lost(this.#ends, this.#nowMs(), wasTold)
    this.#onEvent({ _tag: "SessionEnded", reason: "lost", retryInMs: 1_000, keptForSeconds: 0 })
  }

  /** The process is gone, and says nothing any more. */
  abandon(wasTold: boolean): void {
    this.isStopped = true
    if (!this.isUp) return
    this.isUp = false
    this.#routers.lost(this.#ends, this.#nowMs(), wasTold)
  }

  status: BgpPeer["status"] = () => ({
    state: this.isUp ? "Established" : "Idle",
    sinceUnixMs: 0,
    openedBy: "us",
    keptForSeconds: 0,
    families: [4, 6],
    messages: { sent: noMessages, received: noMessages },
    prefixesSent: this.isUp ? this.#routers.neighbour(this.#ends).prefixes.size : 0,
    prefixesWanted: this.#wanted.size,
    prefixesReceived: 0,
    malformedUpdates: 0,
    lastError: {}
  })

  adjust: BgpPeer["adjust"] = (options) => {
    this.options = options
    return false // these routers know no next hops
  }

  accept: BgpPeer["accept"] = () => false

  isPending: BgpPeer["isPending"] = (prefix) =>
    this.isUp &&
    this.#unwritten.some(({ changes }) =>
      changes.some((change) => change.attributes !== undefined && formatPrefix(change.prefix) === formatPrefix(prefix))
    )

  isSent: BgpPeer["isSent"] = (prefix) =>
    this.isUp && this.#routers.neighbour(this.#ends).prefixes.has(formatPrefix(prefix))

  /** No BFD here. */
  pathFailed: BgpPeer["pathFailed"] = () => {}

  stop: BgpPeer["stop"] = () =>
    Effect.sync(() => {
      this.lose(this.#isHeardEnding())
      this.isStopped = true
    })
}

const take = (table: Map<string, string>, changes: ReadonlyArray<RouteChange>): void => {
  for (const { prefix, attributes } of changes) {
    if (attributes === undefined) table.delete(formatPrefix(prefix))
    else table.set(formatPrefix(prefix), attributes.communities.map(formatCommunity).sort().join(" "))
  }
}

const noMessages = { Open: 0, Update: 0, Notification: 0, Keepalive: 0, RouteRefresh: 0 }
