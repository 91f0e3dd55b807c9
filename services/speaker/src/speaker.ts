import type { BfdEvent } from "@lowtide/bfd/client"
import type { BgpPeer, PeerEvent } from "@lowtide/bgp/peer"
import type { RouteChange } from "@lowtide/bgp/route"
import type { NodeStatus, SessionStatus } from "@lowtide/bus/status"
import type { NodeIntent } from "@lowtide/domain/announcing/intent"
import type { WantedRoute } from "@lowtide/domain/announcing/node-routes"
import { codes } from "@lowtide/domain/config/codes"
import { newestFleetVersion } from "@lowtide/domain/fleet/fleet-version"
import { Effect } from "effect"
import { RouteTranslator } from "./announce.ts"
import { BfdGuard } from "./bfd-guard.ts"
import { LinkMemory, wantedBfd } from "./bfd-sessions.ts"
import { Brake, brakeLimit, type Kept, type Proposed } from "./brake.ts"
import { EndpointView, type SliceChange } from "./endpoints.ts"
import { formatFault } from "./fault-line.ts"
import { type Accepted, type AcceptedVip, Intake } from "./intake.ts"
import type { SavedRecord } from "./journal-record.ts"
import { Losses } from "./losses.ts"
import { NodeSessions } from "./node-sessions.ts"
import { NodeView } from "./node-view.ts"
import { restartTimeSeconds } from "./peer-options.ts"
import type { Peers } from "./peers.ts"
import { RefusalLog } from "./refusals.ts"
import { Reporter } from "./reporter.ts"
import { RollCallAnswer } from "./roll-call.ts"
import { type RouteDifference, RouteTable } from "./route-table.ts"
import { healthRecord, recordsOf, restoreState, type SavedState, withLostSession } from "./saved-state.ts"
import { Saver } from "./saver.ts"
import type { SpeakerPort } from "./speaker-port.ts"
import {
  addressesWith,
  brakeStatus,
  proofStatus,
  sessionStatus,
  signersOf,
  untoldStatus,
  withheldStatus
} from "./status.ts"
import { StatusPace } from "./status-pace.ts"
import type { Refusal, Trust } from "./trust.ts"
import { TrustChange } from "./trust-change.ts"
import { tableTurns, vipTurns } from "./vip-turns.ts"
import type { VipTurn } from "./wire-report.ts"
import { Withdrawals } from "./withdrawals.ts"

/** How often whoever runs a speaker calls its `tick`. */
export const tickMs = 500

/**
 * One node's speaker: from signed intents and its own view of endpoints to routes on its sessions. Everything that came
 * in one turn of the event loop goes out as one set of changes; intents take effect after they are on the disk, losses of
 * endpoints at once.
 */
export class Speaker {
  readonly #port: Omit<SpeakerPort, "judgeSaved" | "loaded">
  readonly #loaded: Omit<SpeakerPort["loaded"], "records">
  readonly #saved: SavedState
  readonly #endpoints: EndpointView
  readonly #table: RouteTable
  readonly #brake: Brake
  readonly #intake: Intake
  readonly #sessions: NodeSessions
  readonly #bfd: BfdGuard
  readonly #links: LinkMemory
  readonly #trustChange: TrustChange
  readonly #translator = new RouteTranslator()
  readonly #saver: Saver
  readonly refusals = new RefusalLog()
  readonly reporter: Reporter
  readonly pace = new StatusPace()
  /** The node for a person who asks it. */
  readonly view: NodeView
  #turn = 0
  /** Whether the last status named what some session has yet to be told. */
  #hadUntold = false
  #dirty: { node: NodeIntent | undefined; vips: Array<AcceptedVip>; services: Set<string> } | undefined
  readonly #withdrawals = new Withdrawals()
  readonly #rollCall = new RollCallAnswer()
  /** How old what the disk has is, in milliseconds, where the node has booted and it is too old. */
  readonly #oldMs: number | undefined
  readonly #losses: Losses
  /**
   * Something that was acknowledged is gone from the disk, or what is there is too old: nothing is announced before a head vouches
   * for it.
   */
  #isQuiet: boolean
  /** Nothing was on the disk, and the centre has not told everything yet. */
  #isNew: boolean
  readonly #startedAtMs: number
  /** What the intake says of its last agreement before there was any. */
  readonly #beganAgreedMs: number

  /** What the disk had is let go of once the state is made of it: it has every text of two generations. */
  constructor({ judgeSaved, loaded: { records, ...loaded }, ...port }: SpeakerPort) {
    const { settings, trust } = port
    this.#port = port
    this.#loaded = loaded
    this.reporter = new Reporter({ ...port, isSent: (peer, address) => this.#isSent(peer, address) })
    this.#saved = restoreState(trust, settings.node, records, judgeSaved)
    this.#oldMs = port.life.tooOldMs(port.unixMs())
    this.#isQuiet = loaded.damage === "lost" || this.#oldMs !== undefined
    this.#losses = new Losses({ ...port, newestStamp: () => this.#saved.held.newestStamp })
    this.#endpoints = new EndpointView(settings.node, this.#saved.health)
    this.#table = new RouteTable(
      (service) => this.#endpoints.health(service),
      (peer, intent) => this.#losses.has(peer, intent),
      port.withheld
    )
    this.#brake = new Brake(settings.node, this.#table, this.#saved.kept)
    const sessions = loaded.damage === "lost" ? withLostSession(this.#saved.sessions) : this.#saved.sessions
    this.#isNew = this.#saved.held.nodeIntent === undefined
    this.#startedAtMs = port.monotonicMs()
    this.#saver = new Saver({
      journal: port.journal,
      everything: () => this.#everything(),
      mayCompact: () => !this.#isQuiet,
      say: port.say,
      wait: (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs))
    })
    this.#sessions = new NodeSessions(
      {
        ...port,
        settings: { ...settings, hasBooted: port.life.hasBooted },
        onEvent: (peer, event) => this.#onPeerEvent(peer, event),
        onStopped: () => this.#changed("now"),
        onToldAnew: (peer) => this.#toldAnew(peer),
        table: (peer) => (this.#isQuiet ? [] : this.#translator.changes(this.#table.wanted(peer))),
        save: (records) => this.#saver.save(records),
        onNeighbors: (node) => this.#configureSessions(node),
        isTableWhole: () => !this.#isQuiet && !this.#isNew
      },
      sessions
    )
    this.#links = new LinkMemory(port.isOnLink)
    this.#bfd = new BfdGuard({
      bfd: port.bfd,
      localAddressOf: (peer) => this.peers.localAddress(peer),
      pathFailed: (peer, failure) => this.peers.pathFailed(peer, failure),
      say: port.say,
      changed: () => this.#changed("now")
    })
    this.#intake = new Intake(trust, this.#saved.held, {
      save: (records) => this.#saver.save(records),
      recordsFor: (node) => this.#sessions.newRecords(node),
      brake: (proposed) => this.#judgeByBrake(proposed),
      inEffect: (key) => this.#brake.kept.get(key)?.inEffect,
      onAccepted: (accepted) => this.#onAccepted(accepted),
      onRefused: (refusal) => this.#onRefused(refusal),
      judge: port.judge,
      onRollCall: ({ stamp, nodes }) => {
        if (!(nodes?.includes(settings.node) ?? true)) return
        this.#rollCall.begin(this.#saved.held, stamp.incarnation)
        this.#changed("now")
      },
      onSync: (state) => this.#onSync(state),
      monotonicMs: port.monotonicMs,
      unixMs: port.unixMs,
      random: port.random
    })
    this.#beganAgreedMs = this.#intake.sync.agreedAtMs
    this.view = new NodeView({
      ...port,
      table: this.#table,
      sessions: this.#sessions,
      held: this.#saved.held,
      memory: this.reporter.memory,
      isQuiet: () => this.#isQuiet,
      status: () => this.status(),
      intentCount: () => this.intentCount
    })
    this.#trustChange = new TrustChange({
      ...port,
      intake: this.#intake,
      brake: this.#brake,
      held: this.#saved.held,
      refusals: this.refusals,
      change: (accepted) => this.#onAccepted(accepted),
      changed: () => this.#changed("now")
    })
  }

  get intake(): Intake {
    return this.#intake
  }

  get brake(): Brake {
    return this.#brake
  }

  get peers(): Peers {
    return this.#sessions.peers
  }

  get bfd(): Pick<BfdGuard, "of" | "peers" | "isAway"> {
    return this.#bfd
  }

  /** Messages in effect, tombstones included. */
  get intentCount(): number {
    return this.#saved.held.vips.size
  }

  /** Whether the node knows its sessions and may announce. */
  get isReady(): boolean {
    return this.#saved.held.nodeIntent !== undefined && !this.#isQuiet
  }

  /** Whether what the disk has waits to be vouched for because it is old; what is lost a person cannot vouch for. */
  get isQuiet(): boolean {
    return this.#isQuiet && this.#oldMs !== undefined && this.#loaded.damage !== "lost"
  }

  /** Announces what the disk has, with nothing else needed. */
  start(): void {
    const { held, refusals } = this.#saved
    for (const fault of this.#loaded.faults) this.#port.say("warning", `saved state: ${fault}`)
    if (this.#isQuiet)
      this.#port.say("error", formatFault({ code: "LT0409", message: `saved state: ${this.#whyQuiet}` }))
    for (const refusal of refusals) this.#onRefused(refusal)
    const vips = [...held.vips.values()].map(({ key, message }) => {
      const kept = this.#brake.kept.get(key)?.inEffect.message
      return kept?._tag === "VipIntent" ? kept : message
    })
    this.#withdrawals.note(0, vips)
    const own = held.nodeIntent
    const keptOwn = own === undefined ? undefined : this.#brake.kept.get(own.key)?.inEffect.message
    const node = keptOwn?._tag === "NodeIntent" ? keptOwn : own?.message
    if (node !== undefined) this.#losses.noteRestart(node)
    this.#table.update({ node, vips })
    if (node !== undefined) this.#configureSessions(node)
    if (this.#brake.kept.size > 0) this.#sayBrake(`${this.#brake.kept.size} messages`, "still ")
    if (this.#loaded.damage === "repaired") this.#saver.compact()
    const from = node === undefined ? "nothing is saved yet" : `${vips.length} VIPs are known from the disk`
    this.#port.say(
      "info",
      `speaker of node ${this.#port.settings.node}, cluster ${this.#port.settings.cluster}: ${from}`
    )
  }

  get #whyQuiet(): string {
    const rest = "nothing is announced until NATS brings"
    return this.#oldMs === undefined
      ? `something that was in effect is lost; ${rest} it again`
      : `this node has booted, and what it knows is ${Math.floor(this.#oldMs / 3_600_000)} h old; ${rest} what the centre says now`
  }

  /** Takes what the source of endpoints saw. Losses reach the wire without waiting for the disk. */
  takeEndpoints(change: SliceChange): void {
    const changed = this.#endpoints.apply(change)
    if (changed.size === 0) return
    for (const service of changed.keys()) this.#change().services.add(service)
    void this.#saver.save([...changed].map(([service, health]) => healthRecord(service, health)))
  }

  /** Takes what the node's BFD says. */
  takeBfd(event: BfdEvent): void {
    this.#bfd.take(event)
  }

  /** Believes other keys, or allows other prefixes, from now on; see `TrustChange`. */
  takeTrust(trust: Trust): void {
    this.#trustChange.take(trust)
  }

  #judgeByBrake(proposed: ReadonlyArray<Proposed>): ReadonlyMap<string, Kept> {
    if (this.#isQuiet) {
      // Nothing is announced, so nothing is taken away.
      for (const { key } of proposed) this.#brake.drop(key)
      return new Map()
    }
    this.#runTurn() // what was accepted before counts as it is by now
    const nowMs = this.#port.monotonicMs()
    const before = this.#brake.kept.size
    const kept = this.#brake.judge(proposed, { nowMs, unixMs: this.#port.unixMs() })
    if (this.#brake.kept.size > before) this.#sayBrake(`${this.#brake.kept.size - before} more messages`, "")
    if (kept.size > 0 || this.#brake.kept.size !== before) this.#changed("soon")
    return kept
  }

  #sayBrake(what: string, still: string): void {
    const { of } = this.#brake.minute(this.#port.monotonicMs())
    const expected = `expected at most ${brakeLimit(of)} of ${of} prefixes to be withdrawn within a minute`
    const message = `brake: ${expected}, found more; ${what} ${still}wait, and what was in effect before stays`
    this.#port.say("error", formatFault({ code: "LT0406", message }))
  }

  /** When a status is due, by the monotonic clock. */
  get statusDueAtMs(): number {
    return this.pace.dueAtMs()
  }

  /** The status of this moment. */
  status(): NodeStatus {
    const { settings, runId, unixMs } = this.#port
    const { held } = this.#saved
    const agreedAtMs = this.#agreedAtMs
    const untold = untoldStatus(this.#table, (peer, prefix) => this.peers.isPending(peer, prefix))
    this.#hadUntold = untold.untold !== undefined
    return {
      _tag: "NodeStatus",
      cluster: settings.cluster,
      node: settings.node,
      at: new Date(unixMs()).toISOString(),
      runId,
      fleetVersion: newestFleetVersion,
      sync: this.#intake.sync.state,
      cseq: held.newest.cseq,
      ...(held.newestStamp === undefined ? {} : { stamp: held.newestStamp }),
      ...proofStatus(held),
      ...(held.formerCount === 0 ? {} : { former: held.formerCount }),
      confirmedCseq: this.#confirm(),
      signers: signersOf(held, this.#brake),
      sessions: this.peers.running.map((peer) => this.#sessionStatus(peer)),
      announcing: this.#isQuiet ? [] : addressesWith(this.#table, (peer, prefix) => this.peers.isSent(peer, prefix)),
      ...untold,
      refused: this.refusals.recent,
      ...brakeStatus(this.#brake),
      ...withheldStatus(this.#port.withheld),
      ...(agreedAtMs === undefined ? {} : { agreedAt: new Date(agreedAtMs).toISOString() })
    }
  }

  #sessionStatus(peer: BgpPeer): SessionStatus {
    const { name } = peer.options
    const evidence = this.#port.diagnosis.of(name)
    return sessionStatus(peer, { fault: this.reporter.notes.lastFault(name), bfd: this.#bfd.of(name), evidence })
  }

  /** When what is held last agreed with a head, milliseconds since 1970; undefined where neither this process nor the one before knows. */
  get #agreedAtMs(): number | undefined {
    const { life, unixMs, monotonicMs } = this.#port
    const { agreedAtMs } = this.#intake.sync
    return agreedAtMs === this.#beganAgreedMs
      ? (life.former?.agreedAtMs ?? undefined)
      : unixMs() - (monotonicMs() - agreedAtMs)
  }

  /**
   * Takes routes away at once, or gives them back, by the order of a person at the node; no brake applies. `isAll`: it speaks of
   * everything, and so vouches for what is old. Answers which prefixes that changed, and the turn after which peers are told.
   */
  byHand(
    order: NonNullable<VipTurn["byHand"]>,
    isAll: boolean
  ): {
    readonly turn: number
    readonly prefixes: ReadonlyArray<string>
    readonly peers: ReadonlyArray<string>
  } {
    this.#runTurn() // what came before is not this order's doing
    const vouches = order.order === "restore" && isAll && this.isQuiet
    if (vouches) this.#vouched()
    const turn = ++this.#turn
    const difference = this.#table.update({ prefixes: this.#table.prefixes })
    const { byPeer } = difference
    this.peers.change(turn, this.#isQuiet ? new Map() : this.#translate(difference))
    const vips = vipTurns(this.#table, difference, { vips: [], before: new Map(), isNodeChange: false, byHand: order })
    this.reporter.begin(turn, vips, this.#up)
    const changed = vouches ? this.#wanted : byPeer
    const prefixes = [...new Set([...changed.values()].flatMap((routes) => [...routes.keys()]))]
    const { reason, actor } = order
    this.#port.say(
      "warning",
      `${formatFault({ code: "LT0408", message: `${order.order} by ${actor} at this node: ${reason}; ${prefixes.length} prefixes` })}`
    )
    this.#changed("now")
    return { turn, prefixes, peers: [...changed.keys()] }
  }

  /** Whether a peer that a turn changed something for has been told. */
  toldState(peer: string, turn: number): "written" | "waiting" | "down" {
    const written = this.peers.acknowledgedTurn(peer)
    return written === undefined ? "down" : written >= turn ? "written" : "waiting"
  }

  get #up(): ReadonlyArray<string> {
    return this.peers.running.map(({ options }) => options.name).filter((peer) => this.peers.isUp(peer))
  }

  /** What is still to be told in answer to a roll call, and from then on is. */
  takeHeldPart(): NodeStatus["held"] {
    return this.#rollCall.take()
  }

  /** Whether an answer to a roll call is under way. */
  get hasHeldParts(): boolean {
    return this.#rollCall.isUnderWay
  }

  /** Ends every session. Routers that were asked to keep the node's routes do so for the restart time. */
  stop(): Effect.Effect<void> {
    return this.peers.stopAll((peer) =>
      peer.status().keptForSeconds > 0
        ? { subcode: "none" }
        : { subcode: "administrative-shutdown", text: "speaker stops" }
    )
  }

  /**
   * Leaves for good: every route becomes the last choice (RFC 8326), routers get so long to choose others, and then drop
   * what is left at once.
   */
  leave(waitMs: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      this.#runTurn()
      this.#translator.isLeaving = true
      if (!this.#isQuiet) this.peers.change(++this.#turn, this.#fullTables())
      yield* Effect.sleep(waitMs)
      yield* this.peers.stopAll(() => ({ subcode: "hard-reset", text: "node leaves" }))
      this.#bfd.configure([])
    })
  }

  /** Whether a peer has a route of ours that a VIP is covered by; undefined where it is to have none. */
  #isSent(peer: string, address: string): boolean | undefined {
    const routes = this.#table.vip(address)?.routes.filter(({ peers }) => peers.includes(peer)) ?? []
    if (routes.some(({ prefix }) => this.peers.isSent(peer, prefix))) return true
    return routes.some(({ prefix }) => this.#table.wanted(peer).has(prefix)) ? false : undefined
  }

  /** What the next turn is to bring; the turn is run at the end of this turn of the event loop. */
  #change() {
    if (this.#dirty === undefined) {
      this.#dirty = { node: undefined, vips: [], services: new Set() }
      setImmediate(() => this.#runTurn())
    }
    return this.#dirty
  }

  #take({ vips, node }: Accepted): void {
    const change = this.#change()
    change.vips.push(...vips)
    change.node = node ?? change.node
  }

  #onAccepted(accepted: Accepted): void {
    this.#take(accepted)
    this.#withdrawals.note(
      this.#turn + 1,
      accepted.vips.map(({ message }) => message)
    )
    this.#changed("soon")
  }

  #runTurn(): void {
    const change = this.#dirty
    if (change === undefined) return
    this.#dirty = undefined
    const turn = ++this.#turn
    const before = new Map(change.vips.map(({ message }) => [message.address, this.#table.vip(message.address)]))
    const difference = this.#table.update({
      node: change.node,
      vips: change.vips.map(({ message }) => message),
      services: change.services
    })
    if (change.node !== undefined) this.#configureSessions(change.node)
    this.peers.change(turn, this.#isQuiet ? new Map() : this.#translate(difference))
    const vips = vipTurns(this.#table, difference, {
      vips: change.vips,
      before,
      isNodeChange: change.node !== undefined
    })
    this.reporter.begin(turn, vips, this.#up)
    this.#changed("soon")
  }

  #translate({ byPeer }: RouteDifference): ReadonlyMap<string, ReadonlyArray<RouteChange>> {
    return new Map([...byPeer].map(([peer, routes]) => [peer, this.#translator.changes(routes)]))
  }

  #configureSessions(node: NodeIntent): void {
    // Before their sessions: a router is told first that BFD is out of use, and takes its end for no failure of the path.
    this.#configureBfd(node)
    this.#sessions.configure(node)
    this.#changed("now")
  }

  /** What a peer has is told anew: a route that its session could not carry it may have now, and the other way round. */
  #toldAnew(peer: string): void {
    const turn = ++this.#turn
    this.peers.mark(peer, turn)
    this.reporter.begin(turn, this.#isQuiet ? [] : tableTurns(this.#table, peer), [peer])
  }

  #configureBfd(node: NodeIntent): void {
    this.#bfd.configure(wantedBfd(this.#port.settings, this.#sessions.located(node), this.#links.isOnLink))
  }

  /** A peer is met: the node's interfaces are as its session needs them, and say where BFD is to look for it. */
  #guardAnew(peer: string): void {
    const node = this.#sessions.configured
    const met = node?.peers.find(({ name }) => name === peer)
    if (node === undefined || met === undefined || !this.#links.judgeAnew(met.peerAddress)) return this.#bfd.look()
    this.#configureBfd(node)
  }

  /** Something that sessions waited for is there, such as passwords, or a table that is whole. */
  beginWaiting(): void {
    if (!this.#sessions.isKnown) return
    this.#sessions.beginWaiting()
    this.#changed("now")
  }

  /** Peers that have lost this node's routes by now get them as the centre's admission says. */
  #settleLosses(): void {
    if (!this.#losses.take()) return
    const { listed } = this.#table
    if (listed.length === 0) return
    this.#losses.keep()
    const nowMs = this.#port.unixMs()
    this.#change().vips.push(...listed.map((message) => ({ message, receivedAtMs: nowMs, savedAtMs: nowMs })))
    this.#runTurn()
  }

  #onPeerEvent(peer: string, event: PeerEvent): void {
    const isNews = this.reporter.onPeerEvent(peer, event)
    const options = this.peers.running.find((running) => running.options.name === peer)?.options
    if (options !== undefined) this.#port.diagnosis.note(options, event)
    switch (event._tag) {
      case "SessionEstablished":
        if (event.keptForSeconds === 0) this.#losses.keepsNothing(peer)
        this.#settleLosses() // before the table is told
        this.#losses.up(peer)
        this.#sessions.rememberHoldTime(peer, event)
        this.#guardAnew(peer)
        this.#changed("now")
        break
      case "TableWritten": {
        // A session came up and has its table: every VIP that it carries was announced there now.
        const vips = this.#isQuiet ? [] : tableTurns(this.#table, peer)
        this.reporter.table(++this.#turn, vips, peer)
        this.#changed("now")
        break
      }
      case "SessionEnded":
        this.#losses.ended(peer, event.keptForSeconds)
        this.#changed("now")
        break
      case "RoutesAcknowledged":
        if (this.#withdrawals.count > 0) this.#changed("soon")
        break
      case "RoutesWritten":
        if (this.#hadUntold) this.#changed("soon")
        break
      case "ConnectFailed":
      case "RoutesRefused":
        if (isNews) this.#changed("now")
    }
  }

  /** Something was found out about a peer that does not come up. */
  diagnosed(): void {
    this.#changed("soon")
  }

  #onRefused(refusal: Refusal): void {
    if (!this.refusals.note(refusal, this.#port.unixMs())) return
    this.#port.say(codes[refusal.code].severity === "warning" ? "warning" : "error", formatFault(refusal))
    this.#changed("soon")
  }

  #onSync(state: "live" | "stale"): void {
    const text =
      state === "live" ? "everything the centre speaks of is held" : "held state may lack something; it stays in effect"
    this.#port.say("info", `sync ${state}: ${text}`)
    if (state === "live") this.#noLongerNew()
    if (state === "live") this.#vouched()
    this.#changed("now")
  }

  /** What the disk had is vouched for, by the centre or by a person at the node, and is announced if it was not. */
  #vouched(): void {
    if (!this.#isQuiet) return
    this.#runTurn() // a tombstone that came with the head is in the table before the table is announced
    this.#isQuiet = false
    this.beginWaiting()
    this.peers.change(++this.#turn, this.#fullTables())
    this.#saver.compact()
  }

  #noLongerNew(): void {
    if (!this.#isNew) return
    this.#runTurn() // what came last is in the table before a table is announced
    this.#isNew = false
    this.beginWaiting()
  }

  /** What each peer with a session, or on its way to one, is to have. */
  get #wanted(): ReadonlyMap<string, ReadonlyMap<string, WantedRoute>> {
    return new Map(this.peers.running.map(({ options: { name } }) => [name, this.#table.wanted(name)]))
  }

  #fullTables(): ReadonlyMap<string, ReadonlyArray<RouteChange>> {
    return new Map([...this.#wanted].map(([peer, routes]) => [peer, this.#translator.changes(routes)]))
  }

  /** Looks at deadlines: what is stale, what is confirmed by the passing of time, what is to be reported. */
  tick(): void {
    if (this.#intake.tick()) this.#port.resync()
    // By then no router keeps anything of a process before.
    if (this.#port.monotonicMs() - this.#startedAtMs >= restartTimeSeconds * 1000) this.#noLongerNew()
    this.#trustChange.tick()
    this.#sessions.tick()
    this.#settleLosses()
    this.#noteLife()
    this.#bfd.look()
    this.reporter.tick()
    const waiting = this.#withdrawals.count
    if (waiting > 0) this.#confirm()
    if (this.#withdrawals.count !== waiting) this.#changed("soon")
  }

  #noteLife(): void {
    const { life, unixMs, monotonicMs } = this.#port
    const { state, agreedAtMs } = this.#intake.sync
    const nowMs = unixMs()
    life.note(nowMs, state === "live" ? nowMs - (monotonicMs() - agreedAtMs) : undefined)
  }

  /** Looks what is confirmed by now, and up to which message. */
  #confirm(): number {
    this.#runTurn() // what is accepted and not decided yet must not look confirmed
    if (!this.#sessions.isKnown) return 0
    const confirmedCseq = this.#withdrawals.confirm({
      completeCseq: this.#intake.completeCseq,
      sessions: this.peers.traces,
      nowMs: this.#port.monotonicMs()
    })
    return Math.max(0, Math.min(confirmedCseq, this.#brake.tombstoneCseq - 1))
  }

  #changed(need: "soon" | "now"): void {
    this.pace.changed(need)
    this.#port.wake()
  }

  /** For a snapshot. */
  #everything(): ReadonlyArray<SavedRecord> {
    return recordsOf({
      held: this.#saved.held,
      kept: this.#brake.kept,
      health: this.#endpoints.known,
      sessions: this.#sessions.holdTimes()
    })
  }
}
