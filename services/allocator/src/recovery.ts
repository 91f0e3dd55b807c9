import type { ContestedAddress } from "@lowtide/api/recovery"
import { Bus, type BusUnavailable, busCall } from "@lowtide/bus/connection"
import { type SigningKey, seal } from "@lowtide/bus/envelope"
import { readStored } from "@lowtide/bus/read-stream"
import type { HeldVip, NodeStatus } from "@lowtide/bus/status"
import { rollCallSubject, stateStream, vipFilter } from "@lowtide/bus/subjects"
import {
  type ClusterHead,
  type Command,
  codes,
  compareStamps,
  doubleHoldings,
  type Fleet,
  isOpenTo,
  isReserved,
  isTaken,
  mayHavePart,
  type ObserveInventory,
  type RememberedVip,
  type RollCall,
  type Stamp,
  streamOf,
  VipIntent,
  type VipState
} from "@lowtide/domain"
import type { Ledger } from "@lowtide/ledger"
import { Clock, Effect, Option, Schedule, Schema } from "effect"
import type { HeardNode } from "./centre.ts"
import { isLost, type LostEnd, lostEnds, readHeads } from "./loss.ts"
import type { Memory } from "./memory.ts"
import { republicationOf } from "./republication.ts"

/** Everybody who is there has heard the roll call, three times at least, before it can be said that all have answered. */
const listenMs = 3_000

/** How often the roll is called. */
const callEveryMs = 1_000

/** How often what came in is looked at. */
const lookEveryMs = 200

/** A node that was heard within this time is there and is waited for. */
const heardWithinMs = 45_000

/** VIPs taken over by one command. */
const adoptedAtOnce = 500

interface RollCallAnswer {
  readonly incarnation: number
  readonly of: number
  readonly parts: Map<number, ReadonlyArray<HeldVip>>
}

/** What nodes have answered to roll calls, part by part; it outlives a leadership, since answers are not given twice gladly. */
export class RollCallAnswers {
  readonly #answers = new Map<string, RollCallAnswer>()
  /** Of nodes that had heard all of the incarnation when they answered. */
  readonly #late = new Map<string, RollCallAnswer>()

  /** Takes a status that may be a part of an answer. */
  take(status: NodeStatus): void {
    const { cluster, node, held } = status
    if (held === undefined) return
    const key = `${cluster}/${node}`
    for (const answers of hasHeardAll(status, held.incarnation) ? [this.#answers, this.#late] : [this.#answers]) {
      let answer = answers.get(key)
      if (answer?.incarnation !== held.incarnation || answer.of !== held.parts) {
        answer = { incarnation: held.incarnation, parts: new Map(), of: held.parts }
        answers.set(key, answer)
      }
      answer.parts.set(held.part, held.vips)
    }
  }

  /** History is lost anew: what was answered before does not say what came since, even where the incarnation is the same. */
  forget(): void {
    this.#answers.clear()
    this.#late.clear()
  }

  /** What the node holds, once it has told all of it; undefined before. */
  of(cluster: string, node: string, incarnation: number): ReadonlyArray<HeldVip> | undefined {
    return wholeOf(this.#answers.get(`${cluster}/${node}`), incarnation)
  }

  /** The same of a node that had heard all of the incarnation when it told so. */
  lateOf(cluster: string, node: string, incarnation: number): ReadonlyArray<HeldVip> | undefined {
    return wholeOf(this.#late.get(`${cluster}/${node}`), incarnation)
  }

  /** What such a node told is merged, but for the rest: it need not tell it again, and what it told grows old. */
  settle(cluster: string, node: string, rest: ReadonlyArray<HeldVip>): void {
    const parts = this.#late.get(`${cluster}/${node}`)?.parts
    for (const part of parts?.keys() ?? []) parts?.set(part, part === 0 ? rest : [])
  }
}

const wholeOf = (answer: RollCallAnswer | undefined, incarnation: number): ReadonlyArray<HeldVip> | undefined =>
  answer?.incarnation !== incarnation || answer.parts.size < answer.of ? undefined : [...answer.parts.values()].flat()

/** Whether a node has all that was published in the incarnation: what else it holds, that does not speak of. */
const hasHeardAll = ({ sync, stamp }: NodeStatus, incarnation: number): boolean =>
  sync === "live" && stamp?.incarnation === incarnation

/** How a recovery stands, for people. */
export interface RecoveryStanding {
  readonly incarnation: number
  readonly phase: "recovering" | "recovered"
  readonly why: string
  /** Clusters in which nothing is decided or published yet. */
  readonly frozen: ReadonlyArray<string>
  /** Who is waited for: `agent of east`, `node east/n1`. */
  readonly waitingFor: ReadonlyArray<string>
  /** Addresses that are reserved for who comes back. */
  readonly reserved: number
  /** Addresses that two clusters hold (LT0522). */
  readonly contested: ReadonlyArray<ContestedAddress>
}

/** What a recovery works on. */
export interface RecoveryParts {
  readonly memory: Memory
  readonly key: SigningKey
  readonly nodes: ReadonlyMap<string, HeardNode>
  readonly answers: RollCallAnswers
  readonly submit: (command: Command) => Effect.Effect<unknown>
  readonly cable: RecoveryCable
}

/** What a recovery asks of the cable between the processes. */
export interface RecoveryCable {
  /** Asks everybody of a cluster who is there now. A call that is lost is repeated. */
  readonly callRoll: (cluster: string, envelope: string) => Effect.Effect<void>
  /** What is stored there of every VIP and cluster. */
  readonly stored: Effect.Effect<StoredState, BusUnavailable>
}

/** What others have stored of the time before. */
export interface StoredState {
  /** Envelopes of intents. */
  readonly intents: ReadonlyArray<string>
  readonly heads: ReadonlyArray<ClusterHead>
}

interface Claim extends RememberedVip {
  readonly cluster: string
  readonly stamp: Stamp
}

/**
 * Merges what others remember after a loss of history: calls the roll, takes over what nodes and NATS hold from events that
 * the log has lost, and lets decisions go on when all who are there have answered and every cluster's agent has told
 * everything anew. A cluster is published anew then, and one that is heard of later when its own are merged.
 */
export class Recovery {
  readonly #parts: RecoveryParts
  /** By cluster, of agents that have told everything since. */
  readonly #inventories = new Map<string, ObserveInventory>()
  readonly #taken = new Set<string>()
  /** Of stamps, whether the log has lost their events. */
  readonly #lost = new Map<string, boolean>()
  /** Clusters that are published anew, with all that they have. */
  readonly #whole = new Set<string>()
  /** What was said to be held by two. */
  readonly #contested = new Set<string>()
  readonly #cseqs = new Map<string, number>()
  #stored: ReadonlyArray<Claim> = []
  #ends: ReadonlyArray<LostEnd> = []
  /** Clusters of which NATS has a head: it has the last status of every node that ever spoke as well. */
  #remembered: ReadonlySet<string> = new Set()
  #hasRead = false
  #startedMs: number | undefined

  constructor(parts: RecoveryParts) {
    this.#parts = parts
  }

  /**
   * Hears what has to wait, and answers whether its sender need not wait with it. An agent comes to its inventory after
   * everything else: it has told all that there is. What it says before that is gone is not in the inventory to come, which is
   * what counts; one from before counts no longer. To have the agent wait would be to wait for each other.
   */
  noteHeldBack(command: Command): boolean {
    if (command._tag === "ObserveInventory") this.#inventories.set(command.cluster, command)
    if (!isAbsence(command)) return false
    this.#inventories.delete(command.cluster)
    return true
  }

  standing(nowMs: number): RecoveryStanding | undefined {
    const { fleet } = this.#parts.memory
    const { recovery } = fleet
    if (recovery === undefined) return undefined
    const frozen = this.#frozen
    return {
      incarnation: recovery.incarnation,
      phase: recovery.phase,
      why: recovery.why,
      frozen,
      waitingFor: frozen.flatMap((cluster) => this.#waitingFor(cluster, nowMs)),
      reserved: reservedVips(this.#parts.memory).length,
      contested: [...doublyHeld(fleet), ...this.#contestedLate()]
    }
  }

  /** What nodes that were heard late hold, and another cluster was given since. */
  #contestedLate(): ReadonlyArray<ContestedAddress> {
    const { fleet } = this.#parts.memory
    return this.#late.flatMap(({ cluster, node }) =>
      this.#formerOf(cluster, node).flatMap(({ network, address, services }) => {
        const others = fleet.vipsAt(network, address).filter((vip) => isTaken(fleet, vip, cluster))
        if (others.length === 0) return []
        const names = services.map(({ namespace, name }) => `${namespace}/${name}`)
        return { network, address, cluster, services: names, node, others: others.flatMap(holdersOf) }
      })
    )
  }

  /** What a node holds that was heard late, and announces of before the loss. */
  #formerOf(cluster: string, node: string): ReadonlyArray<HeldVip> {
    const { incarnation } = this.#parts.memory.head
    return (this.#parts.answers.lateOf(cluster, node, incarnation) ?? []).filter(
      ({ state, stamp }) => state === "announced" && stamp.incarnation < incarnation
    )
  }

  /** Runs for ever; does nothing while no history was lost. */
  readonly run: Effect.Effect<never, never, Ledger> = Effect.gen({ self: this }, function* () {
    yield* this.callRoll.pipe(Effect.andThen(Effect.sleep(callEveryMs)), Effect.forever, Effect.forkScoped)
    return yield* Effect.flatMap(Clock.currentTimeMillis, (nowMs) => this.look(nowMs)).pipe(
      Effect.tapError((error) => Effect.logWarning(`recovering: ${error.message}`)),
      Effect.retry(Schedule.spaced("1 second")),
      Effect.orDie,
      Effect.andThen(Effect.sleep(lookEveryMs)),
      Effect.forever
    )
  }).pipe(Effect.scoped)

  get #frozen(): ReadonlyArray<string> {
    const { fleet } = this.#parts.memory
    const heard = [...this.#parts.nodes.values()].map(({ status }) => status.cluster)
    const known = new Set([...fleet.clusters.keys(), ...heard, ...this.#stored.map(({ cluster }) => cluster)])
    return [...known].filter((cluster) => this.#isFrozen(cluster)).sort()
  }

  #isFrozen(name: string): boolean {
    const { fleet } = this.#parts.memory
    const cluster = fleet.clusters.get(name)
    return cluster === undefined ? fleet.recovery !== undefined : fleet.isFrozen(cluster)
  }

  /** Asks once, in each cluster that is frozen, what everybody holds. */
  readonly callRoll: Effect.Effect<void> = Effect.suspend(() => {
    const { memory, key, cable } = this.#parts
    const { incarnation, epoch, seq } = memory.head
    const begun = memory.recordedAt.get(streamOf.recovery())
    const call = (cluster: string, nodes?: ReadonlyArray<string>) => {
      const message: RollCall = {
        _tag: "RollCall",
        stamp: { incarnation, epoch, seq },
        cluster,
        ...(begun === undefined ? {} : { begun }),
        ...(nodes === undefined ? {} : { nodes })
      }
      return cable.callRoll(cluster, seal(key, JSON.stringify(message)))
    }
    const late = new Map<string, Array<string>>()
    for (const { cluster, node } of this.#late) {
      if (this.#parts.answers.lateOf(cluster, node, incarnation) !== undefined) continue
      late.set(cluster, [...(late.get(cluster) ?? []), node])
    }
    return Effect.andThen(
      Effect.forEach(this.#frozen, (cluster) => call(cluster), { discard: true }),
      Effect.forEach(late, ([cluster, nodes]) => call(cluster, nodes), { discard: true })
    )
  })

  /** Nodes that have all that their cluster was published anew with, and hold what that does not speak of. */
  get #late(): ReadonlyArray<NodeStatus> {
    const { memory, nodes } = this.#parts
    if (memory.fleet.recovery === undefined) return []
    return [...nodes.values()].flatMap(({ status }) =>
      (status.former ?? 0) > 0 && hasHeardAll(status, memory.head.incarnation) && this.#whole.has(status.cluster)
        ? [status]
        : []
    )
  }

  /**
   * Takes over what a node held while nobody heard it, where the log has nobody for it. Where the log has given it to
   * another since, a person has to say which of the two goes.
   */
  #hearLate() {
    return Effect.gen({ self: this }, function* () {
      const { memory, answers, submit } = this.#parts
      const { fleet } = memory
      for (const { cluster, node } of this.#late) {
        const former = this.#formerOf(cluster, node)
        if (former.length === 0) continue
        const claims = former.map((vip): Claim => ({ cluster, ...vip }))
        yield* this.#sayContested(claims, `node ${cluster}/${node}`)
        const unknown = claims.filter(({ network, address }) => isOpenTo(fleet, network, address, cluster))
        for (let start = 0; start < unknown.length; start += adoptedAtOnce) {
          const vips = unknown.slice(start, start + adoptedAtOnce)
          yield* submit({ _tag: "AdoptVips", cluster, vips: vips.map(rememberedOf) })
        }
        // When another lets it go, it is reserved for who holds it here.
        const contested = former.filter(({ network, address }) =>
          fleet.vipsAt(network, address).some((vip) => isTaken(fleet, vip, cluster))
        )
        if (unknown.length === 0) answers.settle(cluster, node, contested)
      }
    })
  }

  /** What somebody holds from before the loss, and another cluster was given since: that one keeps it. */
  #sayContested(claims: ReadonlyArray<Claim>, who: string): Effect.Effect<void> {
    const { fleet } = this.#parts.memory
    const contested = claims.flatMap(({ cluster, network, address, state }) => {
      const others = fleet.vipsAt(network, address).filter((vip) => isTaken(fleet, vip, cluster))
      const key = `${cluster} ${network}/${address}`
      if (state !== "announced" || others.length === 0 || this.#contested.has(key)) return []
      this.#contested.add(key)
      const has = others.flatMap(holdersOf).join(", ")
      return `${who} holds ${address} of network ${network} from before the loss, and others have it: ${has}`
    })
    const { title, fix } = codes.LT0522
    return Effect.forEach(contested, (text) => Effect.logError(`LT0522 ${title}: ${text}. Fix: ${fix}`), {
      discard: true
    })
  }

  /** Takes over what came in since, and goes on when nobody is waited for. */
  readonly look = Effect.fnUntraced({ self: this }, function* (nowMs: number) {
    const { memory, submit, cable } = this.#parts
    const { recovery } = memory.fleet
    this.#startedMs ??= nowMs
    if (recovery === undefined) return
    yield* this.#goOn()
    yield* this.#hearLate()
    if (recovery.phase === "recovered" && this.#frozen.length === 0) return
    if (!this.#hasRead) {
      const { intents, heads } = yield* cable.stored
      this.#stored = intents.flatMap(claimOf)
      for (const { cluster, cseq } of heads) this.#noteCseq(cluster, cseq)
      this.#remembered = new Set(heads.map(({ cluster }) => cluster))
      this.#ends = yield* lostEnds
      this.#hasRead = true
    }
    yield* this.#takeOver()
    const frozen = this.#frozen
    if (recovery.phase === "recovering") {
      if (nowMs - this.#startedMs < listenMs) return
      if (frozen.every((cluster) => this.#waitingFor(cluster, nowMs).length === 0)) {
        yield* submit({ _tag: "FinishRecovery", without: [] })
      }
      return
    }
    for (const cluster of frozen) {
      const inventory = this.#told(cluster)
      if (inventory === undefined || this.#waitingFor(cluster, nowMs).length > 0) continue
      // Numbers of the former incarnation are passed, so that none means two messages.
      memory.book.restoreCseq(cluster, this.#cseqs.get(cluster) ?? 0)
      yield* submit({ _tag: "RepublishCluster", cluster, inventory })
    }
    yield* this.#goOn()
  })

  /** Publishes clusters anew that are too large for one batch, batch by batch, also where another leader had begun it. */
  #goOn() {
    return Effect.gen({ self: this }, function* () {
      const { memory, submit } = this.#parts
      for (const cluster of memory.fleet.clusters.keys()) {
        if (this.#whole.has(cluster) || this.#isFrozen(cluster)) continue
        const republication = republicationOf(memory, cluster)
        while (!republication.isWhole) {
          const { seq } = memory.head
          yield* submit({ _tag: "RepublishPart", cluster, services: republication.takeUnsettled() })
          if (memory.head.seq === seq) return // it is not the time for it
        }
        this.#whole.add(cluster)
      }
    })
  }

  /**
   * Of each address the newest claim of each cluster, where it is of an event that the log has lost. What was said before the
   * cluster was last published anew was merged then. Who gives up comes before who takes.
   */
  #takeOver() {
    return Effect.gen({ self: this }, function* () {
      const { memory, nodes, answers } = this.#parts
      const told = [...nodes.values()].flatMap(({ status: { cluster, node } }) =>
        (answers.of(cluster, node, memory.head.incarnation) ?? []).map((vip): Claim => {
          this.#noteCseq(cluster, vip.cseq)
          return { cluster, ...vip }
        })
      )
      const newest = new Map<string, Map<string, Claim>>()
      for (const claim of [...this.#stored, ...told]) {
        const republished = memory.fleet.clusters.get(claim.cluster)?.incarnation ?? 0
        if (claim.stamp.incarnation < republished || !this.#isFrozen(claim.cluster)) continue
        const key = `${claim.network}/${claim.address}`
        const claims = newest.get(key) ?? new Map<string, Claim>()
        newest.set(key, claims)
        const other = claims.get(claim.cluster)
        if (other === undefined || compareStamps(claim.stamp, other.stamp) > 0) claims.set(claim.cluster, claim)
      }
      const given: Array<Claim> = []
      const taken: Array<Claim> = []
      for (const claims of newest.values()) {
        for (const claim of yield* this.#counted([...claims.values()])) {
          const { cluster, network, address, stamp, state } = claim
          const identity = `${cluster} ${network}/${address} ${JSON.stringify(stamp)}`
          if (this.#taken.has(identity)) continue
          this.#taken.add(identity)
          if (yield* this.#isLost(claim)) (state === "withdrawn" ? given : taken).push(claim)
        }
      }
      yield* this.#adopt(given)
      yield* this.#adopt(taken)
    })
  }

  /**
   * Of the claims of several clusters to one address the newest counts: the address may have gone from one to the other. So
   * does that of a cluster that has a part of its own in a shared address, and of one that announces it still: nothing
   * shows which of the two gave it up, and neither is to withdraw it for the other.
   */
  #counted(claims: ReadonlyArray<Claim>) {
    return Effect.gen({ self: this }, function* () {
      if (claims.length < 2) return claims
      const { fleet } = this.#parts.memory
      const newest = claims.reduce((best, claim) => (compareStamps(claim.stamp, best.stamp) > 0 ? claim : best))
      const counted: Array<Claim> = []
      for (const claim of claims) {
        const { cluster, network, address, state } = claim
        const own = fleet.vip(network, address, cluster)
        const isOwn = own?.cluster === cluster && own.phase === "assigned"
        const isLive = state === "announced" && (isOwn || (yield* this.#isLost(claim)))
        const isGivenUp = state === "withdrawn" && isOwn
        if (claim === newest || isLive || isGivenUp || mayHavePart(fleet, network, address, cluster))
          counted.push(claim)
      }
      return counted.map((claim) => {
        const beside = counted.some((other) => other !== claim && other.state === "announced")
        return beside ? { ...claim, beside } : claim
      })
    })
  }

  #isLost({ stamp }: Claim) {
    return Effect.gen({ self: this }, function* () {
      const key = JSON.stringify(stamp)
      const known = this.#lost.get(key)
      if (known !== undefined) return known
      const lost = yield* isLost(this.#ends, stamp)
      this.#lost.set(key, lost)
      return lost
    })
  }

  #adopt(all: ReadonlyArray<Claim>) {
    return Effect.gen({ self: this }, function* () {
      for (const [cluster, claims] of Map.groupBy(all, (claim) => claim.cluster)) {
        yield* this.#sayContested(claims, `somebody of ${cluster}`)
        for (let start = 0; start < claims.length; start += adoptedAtOnce) {
          const vips = claims.slice(start, start + adoptedAtOnce)
          yield* this.#parts.submit({ _tag: "AdoptVips", cluster, vips: vips.map(rememberedOf) })
        }
      }
    })
  }

  #noteCseq(cluster: string, cseq: number): void {
    this.#cseqs.set(cluster, Math.max(cseq, this.#cseqs.get(cluster) ?? 0))
  }

  /**
   * What a cluster's agent says that there is, once the log has it. An agent that had begun to tell when history was lost
   * comes to its inventory although the first it told is lost: the roll call has it begin anew.
   */
  #told(name: string): ObserveInventory | undefined {
    const { fleet } = this.#parts.memory
    const inventory = this.#inventories.get(name)
    const cluster = fleet.clusters.get(name)
    if (inventory === undefined || cluster === undefined) return undefined
    const isKnown =
      fleet.versions.has(streamOf.cluster(name)) &&
      inventory.services.every((service) => cluster.services.has(service)) &&
      inventory.nodes.every((node) => cluster.nodes.has(node))
    return isKnown ? inventory : undefined
  }

  /**
   * A node is waited for when it was heard lately, or the agent says that it is there. One that was never heard may run no
   * speaker: it is not waited for where NATS would have its last status.
   */
  #waitingFor(cluster: string, nowMs: number): ReadonlyArray<string> {
    const { nodes, answers, memory } = this.#parts
    const excused = new Set(memory.fleet.recovery?.without)
    const inventory = this.#told(cluster)
    const there = new Set<string>()
    for (const { status, heardAtMs } of nodes.values()) {
      if (status.cluster === cluster && nowMs - heardAtMs < heardWithinMs) there.add(status.node)
    }
    for (const node of inventory?.nodes ?? []) {
      if (!this.#remembered.has(cluster) || nodes.has(`${cluster}/${node}`)) there.add(node)
    }
    const silent = [...there].flatMap((node) => {
      const name = `node ${cluster}/${node}`
      const hasAnswered = answers.of(cluster, node, memory.head.incarnation) !== undefined
      const isRetired = memory.fleet.clusters.get(cluster)?.nodes.get(node)?.retired === true
      return hasAnswered || isRetired || excused.has(name) ? [] : [name]
    })
    return [...(inventory === undefined ? [`agent of ${cluster}`] : []), ...silent.sort()]
  }
}

const rememberedOf = ({ network, address, state, services, obliged, beside }: Claim): RememberedVip => ({
  network,
  address,
  state,
  services: services.map(({ namespace, name, uid }) => ({ namespace, name, uid })),
  obliged,
  ...(beside === true ? { beside } : {})
})

/** What clusters hold at once by the log itself, of each cluster. */
export const doublyHeld = (fleet: Fleet): ReadonlyArray<ContestedAddress> =>
  doubleHoldings(fleet).map(({ vip, others }) => ({
    network: vip.network,
    address: vip.address,
    cluster: vip.cluster,
    services: vip.holders.map(({ namespace, name }) => `${namespace}/${name}`),
    node: null,
    others: others.flatMap(holdersOf)
  }))

const holdersOf = ({ cluster, phase, holders }: VipState): ReadonlyArray<string> =>
  holders.length === 0
    ? [`${cluster} (${phase})`]
    : holders.map(({ namespace, name }) => `${cluster}/${namespace}/${name}`)

/** VIPs that a recovery reserved, of which some Service was not seen since. */
export const reservedVips = ({ fleet }: Pick<Memory, "fleet">) =>
  fleet.recovery === undefined
    ? []
    : [...fleet.vips.values()].filter((vip) => isReserved(fleet.cluster(vip.cluster), vip))

const decodeIntent = Schema.decodeUnknownOption(Schema.fromJsonString(VipIntent))

const claimOf = (envelope: string): ReadonlyArray<Claim> => {
  try {
    const { payload } = JSON.parse(envelope) as { readonly payload?: unknown }
    return Option.match(decodeIntent(payload), { onNone: () => [], onSome: (intent) => [intent] })
  } catch {
    return []
  }
}

/** The cable as NATS is one. */
export const recoveryCable = (bus: Bus["Service"]): RecoveryCable => ({
  callRoll: (cluster, envelope) =>
    bus.connection.pipe(
      Effect.flatMap((connection) =>
        busCall("call the roll", async () => connection.publish(rollCallSubject(cluster), envelope))
      ),
      Effect.ignore // it is called again
    ),
  stored: Effect.all({
    intents: Effect.map(readStored(stateStream, vipFilter), (stored) => stored.map(({ text }) => text)),
    heads: readHeads
  }).pipe(Effect.provideService(Bus, bus))
})

/** Facts about a cluster, which are taken while it is frozen; what takes something away is held back. */
const facts: ReadonlySet<Command["_tag"]> = new Set([
  "RegisterCluster",
  "ApplyManifest",
  "ReportFindings",
  "ObserveNamespace",
  "ObserveNode",
  "ObserveService",
  "ObserveServingNodes"
])

type Absence = Extract<
  Command,
  { readonly _tag: "DeleteManifest" | "ForgetNamespace" | "ForgetNode" | "ForgetService" }
>

/** Whether an agent says by it that something is gone. */
const isAbsence = (command: Command): command is Absence => {
  switch (command._tag) {
    case "DeleteManifest":
    case "ForgetNamespace":
    case "ForgetNode":
    case "ForgetService":
      return true
    default:
      return false
  }
}

/** Whether a command has to wait for the recovery's end. */
export const isHeldBack = ({ fleet }: Pick<Memory, "fleet">, command: Command): boolean => {
  if (fleet.recovery === undefined) return false
  switch (command._tag) {
    case "BeginRecovery":
    case "AdoptVips":
    case "FinishRecovery":
    case "RepublishCluster":
    case "RepublishPart":
    case "ConfirmWithdrawals":
    case "ExpireQuarantines":
    case "RecordExport":
    case "SealWireJournal":
    case "FinaliseFleet":
    case "RecordWireDrop":
    case "RecordSegment":
      return false // they mind the frozen clusters themselves, or touch none
    case "ReleaseAdopted":
      return fleet.recovery.phase === "recovering"
    case "ForceRelease": {
      const vips = fleet.vipsAt(command.network, command.address)
      return vips.length === 0
        ? fleet.recovery.phase === "recovering"
        : vips.some(({ cluster }) => fleet.isFrozen(fleet.cluster(cluster)))
    }
    case "ApproveWithdrawals":
    case "RejectWithdrawals": {
      const order = fleet.approvals.get(command.id)
      return order === undefined ? fleet.recovery.phase === "recovering" : fleet.isFrozen(fleet.cluster(order.cluster))
    }
    case "ApplyFleetObject":
    case "DeleteFleetObject":
      return fleet.recovery.phase === "recovering" || [...fleet.clusters.values()].some((each) => fleet.isFrozen(each))
    default: {
      const cluster = fleet.clusters.get(command.cluster)
      const isFrozen = cluster === undefined || fleet.isFrozen(cluster)
      return isFrozen && !facts.has(command._tag)
    }
  }
}
