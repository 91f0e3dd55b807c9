import type { BfdEvent } from "@lowtide/bfd/client"
import type { PeerEvent } from "@lowtide/bgp/peer"
import type { NodeStatus } from "@lowtide/bus/status"
import type { NodeIntent } from "@lowtide/domain/announcing/intent"
import { codes } from "@lowtide/domain/config/codes"
import { Effect } from "effect"
import { BfdGuard } from "./bfd-guard.ts"
import { LinkMemory, wantedBfd } from "./bfd-sessions.ts"
import { Brake } from "./brake.ts"
import { BrakeWatch } from "./brake-watch.ts"
import { BreakGlass } from "./break-glass.ts"
import { leaveForGood, stopSessions } from "./departure.ts"
import { EndpointView, type SliceChange } from "./endpoints.ts"
import { formatFault } from "./fault-line.ts"
import { type Accepted, Intake } from "./intake.ts"
import type { SavedRecord } from "./journal-record.ts"
import { Losses } from "./losses.ts"
import { NodeSessions } from "./node-sessions.ts"
import { NodeStatusReport } from "./node-status.ts"
import { NodeView } from "./node-view.ts"
import type { Peers } from "./peers.ts"
import { RefusalLog } from "./refusals.ts"
import { Reporter } from "./reporter.ts"
import { RollCallAnswer } from "./roll-call.ts"
import { RouteTable } from "./route-table.ts"
import {
  describeSaved,
  healthRecord,
  recordsOf,
  restoreState,
  type SavedState,
  withLostSession
} from "./saved-state.ts"
import { Saver } from "./saver.ts"
import type { SpeakerPort } from "./speaker-port.ts"
import { StandingRefusals } from "./standing-refusals.ts"
import { StatusPace } from "./status-pace.ts"
import type { Refusal, Trust } from "./trust.ts"
import { TrustChange } from "./trust-change.ts"
import { Turns } from "./turns.ts"
import { Vouching } from "./vouching.ts"
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
  readonly #loaded: Omit<SpeakerPort["loaded"], "records"> & { readonly count: number }
  readonly #saved: SavedState
  readonly #endpoints: EndpointView
  readonly #table: RouteTable
  readonly #brake: Brake
  readonly #brakeWatch: BrakeWatch
  readonly #intake: Intake
  readonly #sessions: NodeSessions
  readonly #bfd: BfdGuard
  readonly #links: LinkMemory
  readonly #trustChange: TrustChange
  readonly #saver: Saver
  readonly #vouching: Vouching
  readonly #turns: Turns
  readonly #status: NodeStatusReport
  readonly refusals = new RefusalLog()
  readonly #standing = new StandingRefusals(() => this.#changed("soon"))
  readonly reporter: Reporter
  readonly pace = new StatusPace()
  /** The node for a person who asks it. */
  readonly view: NodeView
  /** Orders of a person at the node. */
  readonly breakGlass: BreakGlass
  readonly #withdrawals = new Withdrawals()
  readonly #rollCall = new RollCallAnswer()
  readonly #losses: Losses

  /** What the disk had is let go of once the state is made of it: it has every text of two generations. */
  constructor({ judgeSaved, loaded: { records, ...loaded }, ...port }: SpeakerPort) {
    const { settings, trust } = port
    this.#port = port
    this.#loaded = { ...loaded, count: records.length }
    this.reporter = new Reporter({ ...port, isSent: (peer, address) => this.#isSent(peer, address) })
    this.#saved = restoreState(trust, settings.node, records, judgeSaved)
    this.#vouching = new Vouching({
      loaded,
      whyOld: records.length === 0 ? undefined : port.life.whyOld(port.unixMs()),
      hasNodeIntent: this.#saved.held.nodeIntent !== undefined,
      turns: () => this.#turns,
      beginLife: () => port.life.begin(port.unixMs()),
      beginWaiting: () => this.beginWaiting(),
      compact: () => this.#saver.compact(),
      monotonicMs: port.monotonicMs
    })
    this.#losses = new Losses({ ...port, newestStamp: () => this.#saved.held.newestStamp })
    this.#endpoints = new EndpointView(settings.node, this.#saved.health)
    this.#table = new RouteTable(
      (service) => this.#endpoints.health(service),
      (peer, intent) => this.#losses.has(peer, intent),
      port.withheld
    )
    this.#brake = new Brake(settings.node, this.#table, this.#saved.kept)
    this.#brakeWatch = new BrakeWatch({
      ...port,
      brake: this.#brake,
      turns: () => this.#turns,
      isQuiet: () => this.#vouching.isQuiet,
      changed: () => this.#changed("soon")
    })
    const sessions = loaded.damage === "lost" ? withLostSession(this.#saved.sessions) : this.#saved.sessions
    this.#saver = new Saver({
      journal: port.journal,
      everything: () => this.#everything(),
      mayCompact: () => !this.#vouching.isQuiet,
      say: port.say,
      wait: (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs))
    })
    this.#turns = new Turns({
      table: this.#table,
      peers: () => this.peers,
      reporter: this.reporter,
      isQuiet: () => this.#vouching.isQuiet,
      configureSessions: (node) => this.#configureSessions(node),
      onRun: () => this.#changed("soon")
    })
    this.#sessions = new NodeSessions(
      {
        ...port,
        settings: { ...settings, hasBooted: port.life.hasBooted },
        onEvent: (peer, event) => this.#onPeerEvent(peer, event),
        onStopped: () => this.#changed("now"),
        onToldAnew: (peer) => this.#turns.toldAnew(peer),
        table: (peer) => this.#turns.tableOf(peer),
        save: (records) => this.#saver.save(records),
        onNeighbors: (node) => this.#configureSessions(node),
        isTableWhole: () => this.#vouching.isWhole
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
      brake: (proposed) => this.#brakeWatch.judge(proposed),
      inEffect: (key) => this.#brake.kept.get(key)?.inEffect,
      onAccepted: (accepted) => this.#onAccepted(accepted),
      onRefused: (refusal) => this.#onRefused(refusal),
      standing: this.#standing,
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
    this.breakGlass = new BreakGlass({
      ...port,
      turns: this.#turns,
      peers: this.peers,
      vouching: this.#vouching,
      changed: () => this.#changed("now")
    })
    this.#status = new NodeStatusReport({
      ...port,
      held: this.#saved.held,
      intake: this.#intake,
      table: this.#table,
      peers: this.peers,
      brake: this.#brake,
      bfd: this.#bfd,
      refusals: this.refusals,
      standing: this.#standing,
      notes: this.reporter.notes,
      isQuiet: () => this.#vouching.isQuiet,
      confirm: () => this.#confirm()
    })
    this.view = new NodeView({
      ...port,
      table: this.#table,
      sessions: this.#sessions,
      held: this.#saved.held,
      memory: this.reporter.memory,
      isQuiet: () => this.#vouching.isQuiet,
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
    return this.#saved.held.nodeIntent !== undefined && !this.#vouching.isQuiet
  }

  /** Announces what the disk has, with nothing else needed. */
  start(): void {
    const { held, refusals } = this.#saved
    const { damage, faults } = this.#loaded
    const { isQuiet, whyQuiet } = this.#vouching
    if (damage !== "lost") for (const fault of faults) this.#port.say("warning", `saved state: ${fault}`)
    if (isQuiet) this.#port.say("error", formatFault({ code: "LT0409", message: `saved state: ${whyQuiet}` }))
    for (const message of this.#port.withheld.atStart)
      this.#port.say("warning", formatFault({ code: "LT0408", message }))
    for (const refusal of refusals) {
      this.#standing.note(refusal, this.#port.unixMs())
      this.#onRefused(refusal)
    }
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
    this.#brakeWatch.sayStill()
    if (damage === "repaired") this.#saver.compact()
    const { settings, say, life, unixMs } = this.#port
    if (!isQuiet) life.begin(unixMs())
    const found = describeSaved(this.#saved, this.#loaded.count)
    say(found.severity, `speaker of node ${settings.node}, cluster ${settings.cluster}: ${found.text}`)
  }

  /** Takes what the source of endpoints saw. Losses reach the wire without waiting for the disk. */
  takeEndpoints(change: SliceChange): void {
    const changed = this.#endpoints.apply(change)
    if (changed.size === 0) return
    this.#turns.take({ services: changed.keys() })
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

  /** When a status is due, by the monotonic clock. */
  get statusDueAtMs(): number {
    return this.pace.dueAtMs()
  }

  /** The status of this moment. */
  status(): NodeStatus {
    return this.#status.now()
  }

  /** What is still to be told in answer to a roll call, and from then on is. */
  takeHeldPart(): NodeStatus["held"] {
    return this.#rollCall.take()
  }

  /** Whether an answer to a roll call is under way. */
  get hasHeldParts(): boolean {
    return this.#rollCall.isUnderWay
  }

  /** Ends every session. */
  stop(): Effect.Effect<void> {
    return stopSessions(this.peers)
  }

  /** Leaves for good: routers get so long to choose others. */
  leave(waitMs: number): Effect.Effect<void> {
    return Effect.suspend(() =>
      leaveForGood({ turns: this.#turns, peers: this.peers, bfd: this.#bfd, isQuiet: this.#vouching.isQuiet }, waitMs)
    )
  }

  /** Whether a peer has a route of ours that a VIP is covered by; undefined where it is to have none. */
  #isSent(peer: string, address: string): boolean | undefined {
    const vip = this.#table.vip(address)
    const routes = vip === undefined ? [] : this.#table.ownRoutes(vip).filter(({ peers }) => peers.includes(peer))
    if (routes.some(({ prefix }) => this.peers.isSent(peer, prefix))) return true
    return routes.some(({ prefix }) => this.#table.wanted(peer).has(prefix)) ? false : undefined
  }

  #onAccepted(accepted: Accepted): void {
    this.#turns.take(accepted)
    this.#withdrawals.note(
      this.#turns.next,
      accepted.vips.map(({ message }) => message)
    )
    this.#changed("soon")
  }

  #configureSessions(node: NodeIntent): void {
    // Before their sessions: a router is told first that BFD is out of use, and takes its end for no failure of the path.
    this.#configureBfd(node)
    this.#sessions.configure(node)
    this.#changed("now")
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
    this.#turns.take({ vips: listed.map((message) => ({ message, receivedAtMs: nowMs, savedAtMs: nowMs })) })
    this.#turns.run()
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
      case "TableWritten":
        this.#turns.tableWritten(peer)
        this.#changed("now")
        break
      case "SessionEnded":
        this.#losses.ended(peer, event.keptForSeconds)
        this.#changed("now")
        break
      case "RoutesAcknowledged":
        if (this.#withdrawals.count > 0) this.#changed("soon")
        break
      case "RoutesWritten":
        if (this.#status.hadUntold) this.#changed("soon")
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
    if (state === "live") this.#vouching.toldAll()
    if (state === "live") this.#vouching.vouched()
    this.#changed("now")
  }

  /** Looks at deadlines: what is stale, what is confirmed by the passing of time, what is to be reported. */
  tick(): void {
    if (this.#intake.tick()) this.#port.resync()
    this.#vouching.tick()
    this.#trustChange.tick()
    this.#sessions.tick()
    this.#settleLosses()
    this.#status.noteLife()
    this.#bfd.look()
    this.reporter.tick()
    const waiting = this.#withdrawals.count
    if (waiting > 0) this.#confirm()
    if (this.#withdrawals.count !== waiting) this.#changed("soon")
  }

  /** Looks what is confirmed by now, and up to which message. */
  #confirm(): number {
    this.#turns.run() // what is accepted and not decided yet must not look confirmed
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
