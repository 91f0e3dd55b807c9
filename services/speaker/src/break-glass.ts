import { prefixOrder } from "@lowtide/net"
import { formatFault } from "./fault-line.ts"
import type { Peers } from "./peers.ts"
import type { SpeakerPort } from "./speaker-port.ts"
import type { Turns } from "./turns.ts"
import type { Vouching } from "./vouching.ts"
import type { VipTurn } from "./wire-report.ts"

/** An order of a person at the node. */
export type HandOrder = NonNullable<VipTurn["byHand"]>

/** What orders at the node act on. */
export interface BreakGlassPort extends Pick<SpeakerPort, "say"> {
  readonly turns: Turns
  readonly peers: Peers
  readonly vouching: Vouching
  readonly changed: () => void
}

/** What an order changed: which prefixes, and the turn after which which peers are told. */
export interface HandOrderDone {
  readonly turn: number
  readonly prefixes: ReadonlyArray<string>
  readonly peers: ReadonlyArray<string>
}

/** Orders of a person at the node, who needs nothing else: they win over intents, and no brake applies. */
export class BreakGlass {
  readonly #port: BreakGlassPort

  constructor(port: BreakGlassPort) {
    this.#port = port
  }

  /** Whether there is something that an order which speaks of everything would vouch for. */
  get mayVouch(): boolean {
    return this.#port.vouching.isForAPerson
  }

  /** Takes routes away at once, or gives them back. `isAll`: the order speaks of everything, and so vouches for what is old. */
  order(order: HandOrder, isAll: boolean): HandOrderDone {
    const { turns, say, vouching, changed } = this.#port
    const vouches = order.order === "restore" && isAll && this.mayVouch
    if (vouches) vouching.vouched()
    const { turn, byPeer } = turns.runByHand(order)
    const told = vouches ? turns.wanted : byPeer
    const prefixes = [...prefixOrder([...told.values()].flatMap((routes) => [...routes.keys()])).keys()]
    const { reason, actor } = order
    const message = `${order.order} by ${actor} at this node: ${reason}; ${prefixes.length} prefixes`
    say("warning", formatFault({ code: "LT0408", message }))
    changed()
    return { turn, prefixes, peers: [...told.keys()] }
  }

  /** Whether a peer that a turn changed something for has been told. */
  toldState(peer: string, turn: number): "written" | "waiting" | "down" {
    const written = this.#port.peers.acknowledgedTurn(peer)
    return written === undefined ? "down" : written >= turn ? "written" : "waiting"
  }
}
