import type { PeerEvent } from "@lowtide/bgp/peer"
import type { RouteChange } from "@lowtide/bgp/route"
import type { NodeStatus } from "@lowtide/bus/status"
import type { NodeIntent, NodePeer, VipIntent } from "@lowtide/domain/announcing/intent"
import { vipKey } from "@lowtide/domain/announcing/subject"
import { codes, type FindingCode } from "@lowtide/domain/config/codes"
import { newestFleetVersion } from "@lowtide/domain/fleet/fleet-version"
import { formatPrefix } from "@lowtide/net"
import { Effect, Result } from "effect"
import { RouteTranslator } from "./announce.ts"
import { Brake, brakeLimit, type Kept, type Proposed } from "./brake.ts"
import { confirm, type PendingTombstones } from "./confirm.ts"
import { EndpointView, type SliceChange } from "./endpoints.ts"
import { type Accepted, type AcceptedVip, Intake, type IntakePort } from "./intake.ts"
import type { Journal, LoadedRecords } from "./journal.ts"
import type { SavedRecord } from "./journal-record.ts"
import type { PasswordLookup } from "./passwords.ts"
import { type LocalSettings, restartTimeSeconds, sessionName, wantedPeers } from "./peer-options.ts"
import { believedSeconds, mostBelievedSeconds, Peers, type PeersPort } from "./peers.ts"
import { RefusalLog } from "./refusals.ts"
import { Reporter } from "./reporter.ts"
import { type RouteDifference, RouteTable } from "./route-table.ts"
import {
  healthRecord,
  recordsOf,
  restoreState,
  type SavedState,
  sessionRecord,
  withLostSession
} from "./saved-state.ts"
import { Saver } from "./saver.ts"
import { addressesWith, brakeStatus, heldParts, proofStatus, sessionStatus, signersOf, untoldStatus } from "./status.ts"
import { StatusPace } from "./status-pace.ts"
import { judgeMessage, type Refusal, type Trust } from "./trust.ts"
import { tableTurns, vipTurns } from "./vip-turns.ts"

/** What a speaker runs on. */
export interface SpeakerPort {
  readonly settings: LocalSettings
  readonly trust: Trust
  readonly journal: Journal
  readonly loaded: LoadedRecords
  readonly startPeer: PeersPort["startPeer"]
  /** How a peer's password is found now; undefined where it has none. */
  readonly passwordOf: (peer: NodePeer) => PasswordLookup | undefined
  /** Whether what a peer's session needs of this node was looked for yet; `beginWaiting` says that it is so now. */
  readonly mayBegin: (peer: NodePeer) => boolean
  /** Names this run in statuses. */
  readonly runId: string
  readonly say: (severity: "info" | "warning" | "error", text: string) => void
  /** Asks for everything to be read again. */
  readonly resync: () => void
  /** A status or a report is due, or may be sooner than was last answered. */
  readonly wake: () => void
  readonly monotonicMs: () => number
  readonly unixMs: () => number
  /** 0 to below 1. */
  readonly random: () => number
  /** `judgeMessages`, or what answers as it does and without other threads. */
  readonly judge: IntakePort["judge"]
}

/** What a key signed that is believed no more stays in effect for so long at most while NATS does not answer, milliseconds. */
const readAnewMsMax = 10_000

/** How often whoever runs a speaker calls its `tick`. */
export const tickMs = 500

/**
 * One node's speaker: from signed intents and its own view of endpoints to routes on its sessions. Everything that came
 * in one turn of the event loop goes out as one set of changes; intents take effect after they are on the disk, losses of
 * endpoints at once.
 */
export class Speaker {
  readonly #port: SpeakerPort
  readonly #saved: SavedState
  readonly #endpoints: EndpointView
  readonly #table: RouteTable
  readonly #brake: Brake
  readonly #intake: Intake
  readonly #peers: Peers
  readonly #translator = new RouteTranslator()
  readonly #saver: Saver
  readonly #sessionHoldTimes: Map<string, number>
  readonly refusals = new RefusalLog()
  readonly reporter: Reporter
  readonly pace = new StatusPace()
  #turn = 0
  #dirty: { node: NodeIntent | undefined; vips: Array<AcceptedVip>; services: Set<string> } | undefined
  #pending: ReadonlyArray<PendingTombstones> = []
  /** Something that was acknowledged is gone from the disk: nothing is announced before a head vouches for what is left. */
  #isQuiet: boolean
  /** Nothing was on the disk, and the centre has not told everything yet. */
  #isNew: boolean
  readonly #startedAtMs: number
  /** What the sessions are made of, kept for those that wait. */
  #configuredNode: NodeIntent | undefined
  /** Without its own intent a node does not know its sessions, and an earlier life may have had some: it confirms nothing. */
  #knowsSessions = false
  /** When keys were taken away by which something is in effect still, monotonic. */
  #rejudgeSinceMs: number | undefined
  #heldParts: Array<NonNullable<NodeStatus["held"]>> = []

  constructor(port: SpeakerPort) {
    const { settings, trust, loaded } = port
    this.#port = port
    this.reporter = new Reporter({ ...port, isSent: (peer, address) => this.#isSent(peer, address) })
    this.#saved = restoreState(trust, settings.node, loaded.records)
    this.#isQuiet = loaded.damage === "lost"
    this.#endpoints = new EndpointView(settings.node, this.#saved.health)
    this.#table = new RouteTable((service) => this.#endpoints.health(service))
    this.#brake = new Brake(settings.node, this.#table, this.#saved.kept)
    const sessions = this.#isQuiet ? withLostSession(this.#saved.sessions) : this.#saved.sessions
    this.#sessionHoldTimes = new Map(sessions)
    this.#isNew = this.#saved.held.nodeIntent === undefined
    this.#startedAtMs = port.monotonicMs()
    this.#saver = new Saver({
      journal: port.journal,
      everything: () => this.#everything(),
      mayCompact: () => !this.#isQuiet,
      say: port.say,
      wait: (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs))
    })
    this.#peers = new Peers(
      {
        startPeer: port.startPeer,
        onEvent: (peer, event) => this.#onPeerEvent(peer, event),
        onStopped: () => this.#changed("now"),
        table: (peer) => (this.#isQuiet ? [] : this.#translator.changes(this.#table.wanted(peer))),
        monotonicMs: port.monotonicMs
      },
      sessions
    )
    this.#intake = new Intake(trust, this.#saved.held, {
      save: (records) => this.#saver.save(records),
      recordsFor: (node) => this.#newSessionRecords(node),
      brake: (proposed) => this.#judgeByBrake(proposed),
      inEffect: (key) => this.#brake.kept.get(key)?.inEffect,
      onAccepted: (accepted) => this.#onAccepted(accepted),
      onRefused: (refusal) => this.#onRefused(refusal),
      judge: port.judge,
      onRollCall: ({ stamp, nodes }) => {
        if (nodes?.includes(settings.node) ?? true) this.#onRollCall(stamp.incarnation)
      },
      onSync: (state) => this.#onSync(state),
      monotonicMs: port.monotonicMs,
      unixMs: port.unixMs,
      random: port.random
    })
  }

  get intake(): Intake {
    return this.#intake
  }

  get brake(): Brake {
    return this.#brake
  }

  get peers(): Peers {
    return this.#peers
  }

  /** Messages in effect, tombstones included. */
  get intentCount(): number {
    return this.#saved.held.vips.size
  }

  /** Whether the node knows its sessions and may announce. */
  get isReady(): boolean {
    return this.#saved.held.nodeIntent !== undefined && !this.#isQuiet
  }

  /** Announces what the disk has, with nothing else needed. */
  start(): void {
    const { held, refusals } = this.#saved
    for (const fault of this.#port.loaded.faults) this.#port.say("warning", `saved state: ${fault}`)
    if (this.#isQuiet) {
      const text = "saved state: something that was in effect is lost; nothing is announced until NATS brings it again"
      this.#port.say("error", text)
    }
    for (const refusal of refusals) this.#onRefused(refusal)
    const vips = [...held.vips.values()].map(({ key, message }) => {
      const kept = this.#brake.kept.get(key)?.inEffect.message
      return kept?._tag === "VipIntent" ? kept : message
    })
    const tombstones = vips.flatMap(({ state, cseq }) => (state === "withdrawn" ? cseq : []))
    if (tombstones.length > 0) this.#pending = [{ turn: 0, cseq: Math.min(...tombstones) }]
    const own = held.nodeIntent
    const keptOwn = own === undefined ? undefined : this.#brake.kept.get(own.key)?.inEffect.message
    const node = keptOwn?._tag === "NodeIntent" ? keptOwn : own?.message
    this.#table.update({ node, vips })
    if (node !== undefined) this.#configurePeers(node)
    if (this.#brake.kept.size > 0) this.#sayBrake(`${this.#brake.kept.size} messages`, "still ")
    if (this.#port.loaded.damage === "repaired") this.#saver.compact()
    const from = node === undefined ? "nothing is saved yet" : `${vips.length} VIPs are known from the disk`
    this.#port.say(
      "info",
      `speaker of node ${this.#port.settings.node}, cluster ${this.#port.settings.cluster}: ${from}`
    )
  }

  /** Takes what the source of endpoints saw. Losses reach the wire without waiting for the disk. */
  takeEndpoints(change: SliceChange): void {
    const changed = this.#endpoints.apply(change)
    if (changed.size === 0) return
    for (const service of changed.keys()) this.#change().services.add(service)
    void this.#saver.save([...changed].map(([service, health]) => healthRecord(service, health)))
  }

  /**
   * Believes other keys, or allows other prefixes, from now on (L3). What is not signed or allowed any more is withdrawn: at
   * once, or, where only keys went, when what the centre says now is read, which may say the same by another key. What was
   * refused before is read again. Sessions stay as they are.
   */
  takeTrust(trust: Trust): void {
    const { held } = this.#saved
    const allowed = prefixTexts(trust)
    const isSameAllowed = allowed === prefixTexts(this.#intake.trust)
    const unsigned = isSameAllowed ? held.countSignedByOthers(trust.intentKeys) : 0
    const rest =
      unsigned === 0 ? "" : `; ${unsigned} VIPs are signed by none of these: what the centre says now is read first`
    const keys = [...trust.intentKeys.keys()].join(", ")
    this.#port.say("info", `trust is read anew: keys [${keys}], prefixes [${allowed}]${rest}`)
    if (unsigned === 0) return this.#rejudge(trust)
    this.#intake.believe(trust)
    this.#rejudgeSinceMs ??= this.#port.monotonicMs()
    this.#port.resync()
  }

  /** A key was taken away: a head that agrees since shows that what is held is what the centre says now. */
  #rejudgeWhenRead(): void {
    const sinceMs = this.#rejudgeSinceMs
    if (sinceMs === undefined) return
    const { state, agreedAtMs } = this.#intake.sync
    const isRead = state === "live" && agreedAtMs > sinceMs
    if (isRead || this.#port.monotonicMs() - sinceMs >= readAnewMsMax) this.#rejudge(this.#intake.trust)
  }

  #rejudge(trust: Trust): void {
    this.#rejudgeSinceMs = undefined
    const gone = this.#intake.takeTrust(trust)
    const nowMs = this.#port.unixMs()
    this.#dropDistrusted(trust, gone)
    for (const message of gone) {
      this.#change().vips.push({ message: { ...message, state: "withdrawn" }, receivedAtMs: nowMs, savedAtMs: nowMs })
    }
    if (gone.length > 0) this.#port.say("warning", `by that trust ${gone.length} VIPs may not be announced any more`)
    this.#changed("now")
    // A rotation that goes well changes nothing: then a whole fleet need not read everything again at once.
    if (gone.length > 0 || this.refusals.counts.size > 0) this.#port.resync()
  }

  /** What the brake keeps in effect has to be believed as well; else what waits is in effect, if that is. */
  #dropDistrusted(trust: Trust, gone: ReadonlyArray<VipIntent>): void {
    for (const { address } of gone) this.#brake.drop(vipKey(address))
    const nowMs = this.#port.unixMs()
    for (const [key, { inEffect, pending }] of [...this.#brake.kept]) {
      const judged = judgeMessage(trust, key, inEffect.envelope)
      if (Result.isSuccess(judged) && judged.success.notAllowed === undefined) continue
      this.#brake.drop(key)
      if (pending._tag === "NodeIntent") this.#change().node = pending
      else this.#change().vips.push({ message: pending, receivedAtMs: nowMs, savedAtMs: nowMs })
    }
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
      sessions: this.#peers.running.map((peer) =>
        sessionStatus(peer, this.reporter.notes.lastFault(peer.options.name))
      ),
      announcing: this.#isQuiet ? [] : addressesWith(this.#table, (peer, prefix) => this.#peers.isSent(peer, prefix)),
      ...untoldStatus(this.#table, (peer, prefix) => this.#peers.isPending(peer, prefix)),
      refused: this.refusals.recent,
      ...brakeStatus(this.#brake)
    }
  }

  /** What is still to be told in answer to a roll call, and from then on is. */
  takeHeldPart(): NodeStatus["held"] {
    return this.#heldParts.shift()
  }

  /** Whether an answer to a roll call is under way. */
  get hasHeldParts(): boolean {
    return this.#heldParts.length > 0
  }

  /** A call is repeated until the centre has its answer, which may be lost: it is given again, not twice at once. */
  #onRollCall(incarnation: number): void {
    if (this.#heldParts.length > 0) return
    this.#heldParts = heldParts(this.#saved.held, incarnation)
    this.#changed("now")
  }

  /** Ends every session. Routers that were asked to keep the node's routes do so for the restart time. */
  stop(): Effect.Effect<void> {
    return this.#peers.stopAll((peer) =>
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
      if (!this.#isQuiet) this.#peers.change(++this.#turn, this.#fullTables())
      yield* Effect.sleep(waitMs)
      yield* this.#peers.stopAll(() => ({ subcode: "hard-reset", text: "node leaves" }))
    })
  }

  /** Whether a peer has a route of ours that a VIP is covered by. */
  #isSent(peer: string, address: string): boolean {
    const routes = this.#table.vip(address)?.routes ?? []
    return routes.some(({ prefix, peers }) => peers.includes(peer) && this.#peers.isSent(peer, prefix))
  }

  /** What the next turn is to bring; the turn is run at the end of this turn of the event loop. */
  #change() {
    if (this.#dirty === undefined) {
      this.#dirty = { node: undefined, vips: [], services: new Set() }
      setImmediate(() => this.#runTurn())
    }
    return this.#dirty
  }

  #onAccepted({ vips, node }: Accepted): void {
    const change = this.#change()
    change.vips.push(...vips)
    change.node = node ?? change.node
    const tombstones = vips.flatMap(({ message }) => (message.state === "withdrawn" ? message.cseq : []))
    if (tombstones.length > 0) {
      this.#pending = [...this.#pending, { turn: this.#turn + 1, cseq: Math.min(...tombstones) }]
    }
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
    if (change.node !== undefined) this.#configurePeers(change.node)
    this.#peers.change(turn, this.#isQuiet ? new Map() : this.#translate(difference))
    const vips = vipTurns(this.#table, difference, {
      vips: change.vips,
      before,
      isNodeChange: change.node !== undefined
    })
    const up = this.#peers.running.map(({ options }) => options.name).filter((peer) => this.#peers.isUp(peer))
    this.reporter.begin(turn, vips, up)
    this.#changed("soon")
  }

  #translate({ byPeer }: RouteDifference): ReadonlyMap<string, ReadonlyArray<RouteChange>> {
    return new Map([...byPeer].map(([peer, routes]) => [peer, this.#translator.changes(routes)]))
  }

  #configurePeers(node: NodeIntent): void {
    this.#knowsSessions = true
    this.#configuredNode = node
    // A router that has kept our routes drops at End-of-RIB what is not told again: it waits for a table that is whole.
    const isWhole = !this.#isQuiet && !this.#isNew
    const mayBegin = (peer: NodePeer) => (isWhole || peer.gracefulRestart !== true) && this.#port.mayBegin(peer)
    const begins = new Set(node.peers.filter(mayBegin).map(({ name }) => name))
    this.#peers.configure(new Map([...this.#wantedPeers(node)].filter(([name]) => begins.has(name))))
    this.#changed("now")
  }

  /** Something that sessions waited for is there, such as passwords, or a table that is whole. */
  beginWaiting(): void {
    if (this.#configuredNode !== undefined) this.#configurePeers(this.#configuredNode)
  }

  #wantedPeers(node: NodeIntent) {
    // By its name, in what the node is told now: a session that begins anew asks for the password of that moment.
    const passwordNow = (name: string): Result.Result<Uint8Array, string> => {
      const peer = this.#configuredNode?.peers.find((configured) => configured.name === name)
      return (peer && this.#port.passwordOf(peer)?.()) ?? Result.fail("its password is not asked for any more")
    }
    return wantedPeers(this.#port.settings, node, ({ name, password }) =>
      password === undefined ? undefined : () => passwordNow(name)
    )
  }

  #onPeerEvent(peer: string, event: PeerEvent): void {
    const isNews = this.reporter.onPeerEvent(peer, event)
    switch (event._tag) {
      case "SessionEstablished":
        this.#rememberHoldTime(peer, believedSeconds(event))
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
        this.#changed("now")
        break
      case "RoutesWritten":
        if (this.#pending.length > 0) this.#changed("soon")
        break
      case "ConnectFailed":
      case "RoutesRefused":
        if (isNews) this.#changed("now")
    }
  }

  #rememberHoldTime(peer: string, holdTimeSeconds: number): void {
    const options = this.#peers.running.find((running) => running.options.name === peer)?.options
    if (options === undefined) return
    const session = sessionName(options)
    const seconds = holdTimeSeconds === 0 ? Number.POSITIVE_INFINITY : holdTimeSeconds
    if (this.#sessionHoldTimes.get(session) === seconds) return
    this.#sessionHoldTimes.set(session, seconds)
    void this.#saver.save([sessionRecord(session, seconds)])
  }

  /** Before a session is begun the disk knows of it, so that the next process knows who may believe this one. */
  #newSessionRecords(node: NodeIntent): ReadonlyArray<SavedRecord> {
    return [...this.#wantedPeers(node).values()].flatMap((options) => {
      const session = sessionName(options)
      const seconds = mostBelievedSeconds(options) || Number.POSITIVE_INFINITY
      if ((this.#sessionHoldTimes.get(session) ?? 0) >= seconds) return []
      this.#sessionHoldTimes.set(session, seconds)
      return [sessionRecord(session, seconds)]
    })
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
    if (state === "live" && this.#isQuiet) {
      this.#runTurn() // a tombstone that came with the head is in the table before the table is announced
      this.#isQuiet = false
      this.beginWaiting()
      this.#peers.change(++this.#turn, this.#fullTables())
      this.#saver.compact()
    }
    this.#changed("now")
  }

  #noLongerNew(): void {
    if (!this.#isNew) return
    this.#runTurn() // what came last is in the table before a table is announced
    this.#isNew = false
    this.beginWaiting()
  }

  #fullTables(): ReadonlyMap<string, ReadonlyArray<RouteChange>> {
    const peers = this.#peers.running.map(({ options }) => options.name)
    return new Map(peers.map((peer) => [peer, this.#translator.changes(this.#table.wanted(peer))]))
  }

  /** Looks at deadlines: what is stale, what is confirmed by the passing of time, what is to be reported. */
  tick(): void {
    if (this.#intake.tick()) this.#port.resync()
    // By then no router keeps anything of a process before.
    if (this.#port.monotonicMs() - this.#startedAtMs >= restartTimeSeconds * 1000) this.#noLongerNew()
    this.#rejudgeWhenRead()
    this.reporter.tick()
    const waiting = this.#pending.length
    if (waiting > 0) this.#confirm()
    if (this.#pending.length !== waiting) this.#changed("soon")
  }

  /** Looks what is confirmed by now, and up to which message. */
  #confirm(): number {
    this.#runTurn() // what is accepted and not decided yet must not look confirmed
    if (!this.#knowsSessions) return 0
    const confirmation = confirm({
      completeCseq: this.#intake.completeCseq,
      pending: this.#pending,
      sessions: this.#peers.traces,
      nowMs: this.#port.monotonicMs()
    })
    this.#pending = confirmation.pending
    return Math.max(0, Math.min(confirmation.confirmedCseq, this.#brake.tombstoneCseq - 1))
  }

  #changed(need: "soon" | "now"): void {
    this.pace.changed(need)
    this.#port.wake()
  }

  /** For a snapshot. Sessions whose routers must have forgotten this node are left out, and forgotten here. */
  #everything(): ReadonlyArray<SavedRecord> {
    const holdTimes = this.#peers.holdTimes()
    for (const session of this.#sessionHoldTimes.keys()) {
      if (!holdTimes.has(session)) this.#sessionHoldTimes.delete(session)
    }
    return recordsOf({
      held: this.#saved.held,
      kept: this.#brake.kept,
      health: this.#endpoints.known,
      sessions: this.#sessionHoldTimes
    })
  }
}

const prefixTexts = ({ allowedPrefixes }: Trust): string => allowedPrefixes.map(formatPrefix).join(", ")

/** One line for stderr, with what to do. */
export const formatFault = ({ code, message }: { readonly code: FindingCode; readonly message: string }): string =>
  `${code} ${message}. Fix: ${codes[code].fix}`
