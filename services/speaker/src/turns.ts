import type { RouteChange } from "@lowtide/bgp/route"
import type { NodeIntent } from "@lowtide/domain/announcing/intent"
import type { WantedRoute } from "@lowtide/domain/announcing/node-routes"
import { RouteTranslator } from "./announce.ts"
import type { AcceptedVip } from "./intake.ts"
import type { Peers } from "./peers.ts"
import type { Reporter } from "./reporter.ts"
import type { RouteDifference, RouteTable } from "./route-table.ts"
import { tableTurns, vipTurns } from "./vip-turns.ts"
import type { VipTurn } from "./wire-report.ts"

/** What turns change, and who is told of them. */
export interface TurnsPort {
  readonly table: RouteTable
  readonly peers: () => Peers
  readonly reporter: Pick<Reporter, "begin" | "table">
  /** Whether nothing is announced yet. */
  readonly isQuiet: () => boolean
  /** Has the sessions that the node's own intent asks for. */
  readonly configureSessions: (node: NodeIntent) => void
  /** A turn has run. */
  readonly onRun: () => void
}

/** What came: a newer word of the node itself, VIPs, Services whose endpoints changed. */
export interface Brought {
  readonly node?: NodeIntent | undefined
  readonly vips?: ReadonlyArray<AcceptedVip>
  readonly services?: Iterable<string>
}

interface Gathered {
  node: NodeIntent | undefined
  readonly vips: Array<AcceptedVip>
  readonly services: Set<string>
}

/**
 * The turns of a speaker, numbered: everything that came in one turn of the event loop goes out as one set of changes, and its number
 * comes back from each session that has written it.
 */
export class Turns {
  readonly #port: TurnsPort
  readonly #translator = new RouteTranslator()
  #turn = 0
  #gathered: Gathered | undefined
  /** Peers that the turn under way has told anew; undefined where none is, or it is told already. */
  #toldAnew: Array<string> | undefined

  constructor(port: TurnsPort) {
    this.#port = port
  }

  /** The number of the turn that is to come. */
  get next(): number {
    return this.#turn + 1
  }

  /** What each peer with a session, or on its way to one, is to have. */
  get wanted(): ReadonlyMap<string, ReadonlyMap<string, WantedRoute>> {
    return new Map(this.#peers.running.map(({ options: { name } }) => [name, this.#port.table.wanted(name)]))
  }

  /** All that a peer is to be told when its session begins. */
  tableOf(peer: string): ReadonlyArray<RouteChange> {
    return this.#port.isQuiet() ? [] : this.#translator.changes(this.#port.table.wanted(peer))
  }

  /** What the next turn is to bring; it is run at the end of this turn of the event loop. */
  take({ node, vips = [], services = [] }: Brought): void {
    if (this.#gathered === undefined) setImmediate(() => this.run())
    this.#gathered ??= { node: undefined, vips: [], services: new Set() }
    this.#gathered.vips.push(...vips)
    this.#gathered.node = node ?? this.#gathered.node
    for (const service of services) this.#gathered.services.add(service)
  }

  /** Runs what was gathered now. What is gathered in a turn that is not told yet has to wait: its own would be told before. */
  run(): void {
    const change = this.#gathered
    if (change === undefined || this.#toldAnew !== undefined) return
    this.#gathered = undefined
    const { table } = this.#port
    const turn = ++this.#turn
    const before = new Map(change.vips.map(({ message }) => [message.address, table.vip(message.address)]))
    const difference = table.update({
      node: change.node,
      vips: change.vips.map(({ message }) => message),
      services: change.services
    })
    const toldAnew: Array<string> = []
    this.#toldAnew = toldAnew
    try {
      if (change.node !== undefined) this.#port.configureSessions(change.node)
    } finally {
      this.#toldAnew = undefined
    }
    this.#tell(turn, difference, { vips: change.vips, before, isNodeChange: change.node !== undefined })
    for (const peer of toldAnew) this.toldAnew(peer)
    this.#port.onRun()
  }

  /** A turn of its own for an order of a person at the node, which has changed what the table is asked of; what came before is not its doing. */
  runByHand(byHand: NonNullable<VipTurn["byHand"]>): { readonly turn: number } & RouteDifference {
    const { table } = this.#port
    const turn = this.#begin()
    const difference = table.update({ prefixes: table.prefixes })
    this.#tell(turn, difference, { vips: [], before: new Map(), isNodeChange: false, byHand })
    return { turn, ...difference }
  }

  /**
   * What a peer has is told anew: a route that its session could not carry it may have now, and the other way round. Where a turn
   * has that done, it is a turn after that one: a session that has written a turn has written all before it.
   */
  toldAnew(peer: string): void {
    if (this.#toldAnew !== undefined) {
      this.#toldAnew.push(peer)
      return
    }
    const turn = this.#begin()
    this.#peers.mark(peer, turn)
    this.#port.reporter.begin(turn, this.#tableTurns(peer), [peer])
  }

  /** A session came up and has its table: every VIP that it carries was announced there now. */
  tableWritten(peer: string): void {
    this.#port.reporter.table(this.#begin(), this.#tableTurns(peer), peer)
  }

  /** Gives every session all that it is to have. */
  tellAll(): void {
    const turn = this.#begin()
    const tables = [...this.wanted].map(([peer, routes]) => [peer, this.#translator.changes(routes)] as const)
    this.#peers.change(turn, new Map(tables))
  }

  /** From now on all that is told is the last choice. */
  leave(): void {
    this.#translator.isLeaving = true
  }

  get #peers(): Peers {
    return this.#port.peers()
  }

  /** The number of one more turn. What is gathered runs first: its withdrawals count as told with the number that was to come next. */
  #begin(): number {
    this.run()
    return ++this.#turn
  }

  #tell(turn: number, difference: RouteDifference, of: Parameters<typeof vipTurns>[2]): void {
    const peers = this.#peers
    const changes = [...difference.byPeer].map(([peer, routes]) => [peer, this.#translator.changes(routes)] as const)
    peers.change(turn, this.#port.isQuiet() ? new Map() : new Map(changes))
    this.#port.reporter.begin(turn, vipTurns(this.#port.table, difference, of), peers.up)
  }

  #tableTurns(peer: string): ReadonlyArray<VipTurn> {
    return this.#port.isQuiet() ? [] : tableTurns(this.#port.table, peer)
  }
}
