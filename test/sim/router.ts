import type { BgpPeer, PeerEvent, PeerOptions } from "@lowtide/bgp/peer"
import type { RouteChange } from "@lowtide/bgp/route"
import { formatPrefix } from "@lowtide/net"
import { Effect } from "effect"

/** What a router believes of one node, and until when if the node has fallen silent. */
interface Neighbour {
  readonly prefixes: Set<string>
  /** By the simulation's clock; undefined while the session is up. */
  forgetsAtMs: number | undefined
}

const holdTimeMs = 90_000

/** A router with a session to each node of its cluster. It keeps what it heard until it is told otherwise or the hold time passes. */
export class SimRouter {
  readonly neighbours = new Map<string, Neighbour>()

  neighbour(node: string): Neighbour {
    const known = this.neighbours.get(node)
    if (known !== undefined) return known
    const neighbour: Neighbour = { prefixes: new Set(), forgetsAtMs: undefined }
    this.neighbours.set(node, neighbour)
    return neighbour
  }

  /** A session came up: its table takes the place of all that was heard before. */
  established(node: string, prefixes: Iterable<string>): void {
    const neighbour = this.neighbour(node)
    neighbour.prefixes.clear()
    for (const prefix of prefixes) neighbour.prefixes.add(prefix)
    neighbour.forgetsAtMs = undefined
  }

  /** The session ended; a router that was not told notices by its hold timer. */
  lost(node: string, nowMs: number, wasTold: boolean): void {
    const neighbour = this.neighbour(node)
    if (wasTold) neighbour.prefixes.clear()
    else neighbour.forgetsAtMs ??= nowMs + holdTimeMs
  }

  timePassed(nowMs: number): void {
    for (const neighbour of this.neighbours.values()) {
      if (neighbour.forgetsAtMs !== undefined && nowMs >= neighbour.forgetsAtMs) {
        neighbour.prefixes.clear()
        neighbour.forgetsAtMs = undefined
      }
    }
  }
}

/** One node's end of its session, in the place of the product's: what is to be sent waits until `write`. */
export class SimPeer implements BgpPeer {
  readonly options: PeerOptions
  readonly #node: string
  readonly #router: SimRouter
  readonly #onEvent: (event: PeerEvent) => void
  readonly #nowMs: () => number
  readonly #wanted = new Set<string>()
  #unwritten: Array<{ readonly changes: ReadonlyArray<RouteChange>; readonly token: number | undefined }> = []
  isUp = false
  isStopped = false

  constructor(setting: {
    readonly options: PeerOptions
    readonly node: string
    readonly router: SimRouter
    readonly onEvent: (event: PeerEvent) => void
    readonly nowMs: () => number
  }) {
    this.options = setting.options
    this.#node = setting.node
    this.#router = setting.router
    this.#onEvent = setting.onEvent
    this.#nowMs = setting.nowMs
  }

  change = (changes: ReadonlyArray<RouteChange>, token?: number): void => {
    for (const { prefix, attributes } of changes) {
      if (attributes === undefined) this.#wanted.delete(formatPrefix(prefix))
      else this.#wanted.add(formatPrefix(prefix))
    }
    this.#unwritten.push({ changes: this.isUp ? changes : [], token })
  }

  /** The session comes up with the whole table, which covers what was wanted before it. */
  establish(): void {
    if (this.isUp || this.isStopped) return
    this.isUp = true
    this.#onEvent({
      _tag: "SessionEstablished",
      remoteRouterId: "192.0.2.1",
      remoteAsn: 64511,
      holdTimeSeconds: holdTimeMs / 1000,
      keptForSeconds: 0,
      families: [4, 6]
    })
    this.#router.established(this.#node, this.#wanted)
    this.#onEvent({ _tag: "TableWritten", announced: this.#wanted.size })
  }

  /** The kernel takes what waits. */
  write(): void {
    if (!this.isUp) return
    const waiting = this.#unwritten
    this.#unwritten = []
    const { prefixes } = this.#router.neighbour(this.#node)
    for (const { changes, token } of waiting) {
      for (const { prefix, attributes } of changes) {
        if (attributes === undefined) prefixes.delete(formatPrefix(prefix))
        else prefixes.add(formatPrefix(prefix))
      }
      if (token !== undefined) this.#onEvent({ _tag: "RoutesWritten", token, announced: 0, withdrawn: 0 })
    }
  }

  /** The session ends. What was not written is not sent; the table of the next one has it. */
  lose(wasTold: boolean): void {
    if (!this.isUp) return
    this.isUp = false
    this.#unwritten = this.#unwritten.map(({ token }) => ({ changes: [], token }))
    this.#router.lost(this.#node, this.#nowMs(), wasTold)
    this.#onEvent({ _tag: "SessionEnded", reason: "lost", retryInMs: 1_000 })
  }

  /** The process is gone, and says nothing any more. */
  abandon(wasTold: boolean): void {
    this.isStopped = true
    if (!this.isUp) return
    this.isUp = false
    this.#router.lost(this.#node, this.#nowMs(), wasTold)
  }

  status: BgpPeer["status"] = () => ({
    state: this.isUp ? "Established" : "Idle",
    sinceUnixMs: 0,
    openedBy: "us",
    keptForSeconds: 0,
    families: [4, 6],
    messages: { sent: noMessages, received: noMessages },
    prefixesSent: this.isUp ? this.#router.neighbour(this.#node).prefixes.size : 0,
    prefixesWanted: this.#wanted.size,
    prefixesReceived: 0,
    malformedUpdates: 0,
    lastError: {}
  })

  accept: BgpPeer["accept"] = () => false

  /** What is not written counts as handed over: it leaves in its order. */
  isPending: BgpPeer["isPending"] = () => false

  isSent: BgpPeer["isSent"] = (prefix) =>
    this.isUp && this.#router.neighbour(this.#node).prefixes.has(formatPrefix(prefix))

  stop: BgpPeer["stop"] = () =>
    Effect.sync(() => {
      this.lose(true)
      this.isStopped = true
    })
}

const noMessages = { Open: 0, Update: 0, Notification: 0, Keepalive: 0, RouteRefresh: 0 }
