import type { ContestedAddress } from "@lowtide/api/recovery"
import { Bus, type BusUnavailable, busCall } from "@lowtide/bus/connection"
import { type SigningKey, seal } from "@lowtide/bus/envelope"
import { readStored } from "@lowtide/bus/read-stream"
import { rollCallSubject, stateStream, vipFilter } from "@lowtide/bus/subjects"
import {
  type ClusterHead,
  type Command,
  compareStamps,
  isCandidate,
  isReserved,
  mayHavePart,
  type ObserveInventory,
  type RollCall,
  streamOf
} from "@lowtide/domain"
import type { Ledger } from "@lowtide/ledger"
import { Clock, Effect, Schedule } from "effect"
import type { HeardNode } from "./centre.ts"
import { type Claim, Contests, claimOf, doublyHeld, isConfirmed, rememberedOf } from "./claims.ts"
import { isAbsence, isFact } from "./held-back.ts"
import { adoptedAtOnce, LateNodes } from "./late-nodes.ts"
import { isLost, type LostEnd, lostEnds, readHeads } from "./loss.ts"
import { digestOf, type Memory } from "./memory.ts"
import { republicationOf, unsaidVips } from "./republication.ts"
import type { RollCallAnswers } from "./roll-call-answers.ts"

/** Everybody who is there has heard the roll call, three times at least, before it can be said that all have answered. */
const listenMs = 3_000

/** How often the roll is called. */
const callEveryMs = 1_000

/** How often what came in is looked at. */
const lookEveryMs = 200

/** A node that was heard within this time is there and is waited for. */
const heardWithinMs = 45_000

/**
 * More messages than a cluster comes to in thirty years at a thousand a second. Numbers are gone on with above those that nodes
 * say, since after a loss of everything else they alone know them; yet what they say is their own word, and above one near the
 * highest integer there would be none left. To pass over a true one would break nothing: the incarnation orders before it.
 */
const saidCseqMax = 1_000_000_000_000

/** How a recovery stands, for people. */
export interface RecoveryStanding {
  readonly incarnation: number
  readonly phase: "recovering" | "recovered"
  readonly why: string
  /** Clusters in which nothing is decided or published yet. */
  readonly frozen: ReadonlyArray<string>
  /** Who is waited for: `agent of east`, `node east/n1`. */
  readonly waitingFor: ReadonlyArray<string>
  /** Clusters that are decided about again and not published anew with all that they have: how many messages are. */
  readonly republishing: ReadonlyArray<{ readonly cluster: string; readonly published: number; readonly total: number }>
  /** Clusters in which nodes announce addresses as before, for which their configuration has no route. */
  readonly unrouted: ReadonlyArray<{ readonly cluster: string; readonly addresses: number }>
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
  readonly #contests = new Contests()
  readonly #late: LateNodes
  readonly #cseqs = new Map<string, number>()
  #stored: ReadonlyArray<Claim> = []
  #ends: ReadonlyArray<LostEnd> = []
  /** Clusters of which NATS has a head. */
  #remembered: ReadonlySet<string> = new Set()
  #hasRead = false
  #startedMs: number | undefined

  constructor(parts: RecoveryParts) {
    this.#parts = parts
    const { memory, nodes, answers, submit } = parts
    const isWhole = (cluster: string) => this.#whole.has(cluster)
    this.#late = new LateNodes({ memory, nodes, answers, submit, contests: this.#contests, isWhole })
  }

  /**
   * Hears what has to wait, and answers whether its sender need not wait with it. An agent comes to its inventory after
   * everything else: it has told all that there is. What it says before that is gone is not in the inventory to come, which is
   * what counts; one from before counts no longer, nor does one that was read before history was lost and comes late: whoever
   * sent it may have been followed by another agent, which is half way. To have the agent wait would be to wait for each other.
   */
  noteHeldBack(command: Command): boolean {
    if (command._tag === "ObserveInventory") {
      const { incarnation } = this.#parts.memory.head
      if (command.asOf === undefined || command.asOf.incarnation === incarnation)
        this.#inventories.set(command.cluster, command)
    }
    if (!isAbsence(command)) return false
    this.#inventories.delete(command.cluster)
    return true
  }

  /**
   * Hears what need not wait. An agent that tells anything after its inventory has begun anew, as one that was started again does:
   * what the inventory lacks may be there by now.
   */
  noteTaken(command: Command): void {
    if (isFact(command)) this.#inventories.delete(command.cluster)
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
      republishing: this.#unwhole.sort().map((cluster) => {
        const { memory } = this.#parts
        const { count } = digestOf(memory.digests, cluster)
        return { cluster, published: count, total: count + republicationOf(memory, cluster).lackingCount }
      }),
      unrouted: [...fleet.clusters.values()].flatMap((cluster) => {
        const addresses = this.#isFrozen(cluster.name) ? 0 : unsaidVips(this.#parts.memory, cluster).length
        return addresses === 0 ? [] : [{ cluster: cluster.name, addresses }]
      }),
      reserved: reservedVips(this.#parts.memory).length,
      contested: [...doublyHeld(fleet), ...this.#late.contested]
    }
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

  /** Clusters that are not frozen, and not known to be published anew with all that they have. */
  get #unwhole(): Array<string> {
    return [...this.#parts.memory.fleet.clusters.keys()].filter(
      (cluster) => !this.#whole.has(cluster) && !this.#isFrozen(cluster)
    )
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
    return Effect.andThen(
      Effect.forEach(this.#frozen, (cluster) => call(cluster), { discard: true }),
      Effect.forEach(this.#late.unasked, ([cluster, nodes]) => call(cluster, nodes), { discard: true })
    )
  })

  /** Takes over what came in since, and goes on when nobody is waited for. */
  readonly look = Effect.fnUntraced({ self: this }, function* (nowMs: number) {
    const { memory, submit, cable } = this.#parts
    const { recovery } = memory.fleet
    this.#startedMs ??= nowMs
    if (recovery === undefined) return
    yield* this.#goOn()
    yield* this.#late.hear()
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
      for (const cluster of this.#unwhole) {
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
          if (vip.cseq <= saidCseqMax) this.#noteCseq(cluster, vip.cseq)
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
   * does that of a cluster that has it in the log or a part of its own in a shared address, and of one whose nodes may
   * announce it still: nothing shows which of two that announce gave it up, and neither is to withdraw it for the other; and
   * who gave it up is awaited until the centre's own word says that all have confirmed.
   */
  #counted(claims: ReadonlyArray<Claim>) {
    return Effect.gen({ self: this }, function* () {
      if (claims.length < 2) return claims
      const { fleet } = this.#parts.memory
      const newest = claims.reduce((best, claim) => (compareStamps(claim.stamp, best.stamp) > 0 ? claim : best))
      const counted: Array<{ readonly claim: Claim; readonly isOpen: boolean }> = []
      for (const claim of claims) {
        const { cluster, network, address } = claim
        const own = fleet.vip(network, address, cluster)
        const phase = own?.cluster === cluster ? own.phase : "free"
        const isKnown = phase === "assigned" || phase === "withdrawing"
        const isOpen = !isConfirmed(claim) && (isKnown || (yield* this.#isLost(claim)))
        const isAsked = phase === "assigned" || mayHavePart(fleet, network, address, cluster)
        if (claim === newest || isOpen || isAsked) counted.push({ claim, isOpen })
      }
      return counted.map(({ claim }) => {
        const beside = counted.some((other) => other.claim !== claim && other.isOpen)
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
        yield* this.#contests.say(this.#parts.memory.fleet, claims, `somebody of ${cluster}`)
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
   * What a cluster's agent says that there is, once the log has it, or what the agent finds wrong with it. An agent that had
   * begun to tell when history was lost comes to its inventory although the first it told is lost: the roll call has it begin
   * anew.
   */
  #told(name: string): ObserveInventory | undefined {
    const { fleet } = this.#parts.memory
    const inventory = this.#inventories.get(name)
    const cluster = fleet.clusters.get(name)
    if (inventory === undefined || cluster === undefined) return undefined
    const isFaulty = (key: string) =>
      cluster.findings.get(key)?.findings.some(({ severity }) => severity === "error") === true
    const isKnown =
      fleet.versions.has(streamOf.cluster(name)) &&
      inventory.services.every((service) => cluster.services.has(service) || isFaulty(`Service/${service}`)) &&
      inventory.nodes.every((node) => cluster.nodes.has(node) || isFaulty(`Node//${node}`))
    return isKnown ? inventory : undefined
  }

  /**
   * A node is waited for when it was heard lately, or the agent says that it is there. One that was never heard may run no
   * speaker: it is not waited for where it is no candidate and NATS would have its last status. That it lacks one shows little by
   * itself, nor does a head, or the status of another: the store may have been wiped as well, and filled since by a leader that did
   * not know of the loss, and by who is connected. A candidate without a speaker would keep every withdrawal from its end, so it
   * is taken for one that is cut off.
   */
  #waitingFor(name: string, nowMs: number): ReadonlyArray<string> {
    const { nodes, answers, memory } = this.#parts
    const excused = new Set(memory.fleet.recovery?.without)
    const inventory = this.#told(name)
    const cluster = memory.fleet.clusters.get(name)
    const heard = [...nodes.values()].filter(({ status }) => status.cluster === name)
    const there = new Set(
      heard.filter(({ heardAtMs }) => nowMs - heardAtMs < heardWithinMs).map(({ status }) => status.node)
    )
    const hasStatuses = this.#remembered.has(name) && heard.length > 0
    for (const node of inventory?.nodes ?? []) {
      const known = cluster?.nodes.get(node)?.node
      const mayHold = cluster === undefined || known === undefined || isCandidate(memory.fleet, cluster, known)
      if (!hasStatuses || mayHold || nodes.has(`${name}/${node}`)) there.add(node)
    }
    const silent = [...there].flatMap((node) => {
      const who = `node ${name}/${node}`
      const hasAnswered = answers.of(name, node, memory.head.incarnation) !== undefined
      const isRetired = cluster?.nodes.get(node)?.retired === true
      return hasAnswered || isRetired || excused.has(who) ? [] : [who]
    })
    return [...(inventory === undefined ? [`agent of ${name}`] : []), ...silent.sort()]
  }
}

/** VIPs that a recovery reserved, of which some Service was not seen since. */
export const reservedVips = ({ fleet }: Pick<Memory, "fleet">) =>
  fleet.recovery === undefined
    ? []
    : [...fleet.vips.values()].filter((vip) => isReserved(fleet.cluster(vip.cluster), vip))

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
