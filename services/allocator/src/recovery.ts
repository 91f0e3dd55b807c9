import { Bus, type BusUnavailable, busCall } from "@lowtide/bus/connection"
import { type SigningKey, seal } from "@lowtide/bus/envelope"
import { readStored } from "@lowtide/bus/read-stream"
import type { HeldVip, NodeStatus } from "@lowtide/bus/status"
import { rollCallSubject, stateStream, vipFilter } from "@lowtide/bus/subjects"
import {
  type ClusterHead,
  type Command,
  compareStamps,
  type ObserveInventory,
  type RememberedVip,
  type RollCall,
  type Stamp,
  streamOf,
  VipIntent
} from "@lowtide/domain"
import type { Ledger } from "@lowtide/ledger"
import { Clock, Effect, Option, Schedule, Schema } from "effect"
import type { HeardNode } from "./centre.ts"
import { isLost, type LostEnd, lostEnds, readHeads } from "./loss.ts"
import type { Memory } from "./memory.ts"

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

/** What nodes have answered to roll calls, part by part; it outlives a leadership, since answers are not given twice gladly. */
export class RollCallAnswers {
  readonly #answers = new Map<
    string,
    { incarnation: number; readonly parts: Map<number, ReadonlyArray<HeldVip>>; of: number }
  >()

  /** Takes a status that may be a part of an answer. */
  take({ cluster, node, held }: NodeStatus): void {
    if (held === undefined) return
    const key = `${cluster}/${node}`
    let answer = this.#answers.get(key)
    if (answer?.incarnation !== held.incarnation || answer.of !== held.parts) {
      answer = { incarnation: held.incarnation, parts: new Map(), of: held.parts }
      this.#answers.set(key, answer)
    }
    answer.parts.set(held.part, held.vips)
  }

  /** History is lost anew: what was answered before does not say what came since, even where the incarnation is the same. */
  forget(): void {
    this.#answers.clear()
  }

  /** What the node holds, once it has told all of it; undefined before. */
  of(cluster: string, node: string, incarnation: number): ReadonlyArray<HeldVip> | undefined {
    const answer = this.#answers.get(`${cluster}/${node}`)
    if (answer?.incarnation !== incarnation || answer.parts.size < answer.of) return undefined
    return [...answer.parts.values()].flat()
  }
}

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
  readonly #cseqs = new Map<string, number>()
  #stored: ReadonlyArray<Claim> = []
  #ends: ReadonlyArray<LostEnd> = []
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
      reserved: reservedVips(this.#parts.memory).length
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
    return Effect.forEach(
      this.#frozen,
      (cluster) => {
        const call: RollCall = {
          _tag: "RollCall",
          stamp: { incarnation, epoch, seq },
          cluster,
          ...(begun === undefined ? {} : { begun })
        }
        return cable.callRoll(cluster, seal(key, JSON.stringify(call)))
      },
      { discard: true }
    )
  })

  /** Takes over what came in since, and goes on when nobody is waited for. */
  readonly look = Effect.fnUntraced({ self: this }, function* (nowMs: number) {
    const { memory, submit, cable } = this.#parts
    const { recovery } = memory.fleet
    this.#startedMs ??= nowMs
    if (recovery === undefined || (recovery.phase === "recovered" && this.#frozen.length === 0)) return
    if (!this.#hasRead) {
      const { intents, heads } = yield* cable.stored
      this.#stored = intents.flatMap(claimOf)
      for (const { cluster, cseq } of heads) this.#noteCseq(cluster, cseq)
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
  })

  /**
   * Of each address the newest claim, where it is of an event that the log has lost. What was said before the cluster was
   * last published anew was merged then.
   */
  #takeOver() {
    return Effect.gen({ self: this }, function* () {
      const { memory, nodes, answers, submit } = this.#parts
      const told = [...nodes.values()].flatMap(({ status: { cluster, node } }) =>
        (answers.of(cluster, node, memory.head.incarnation) ?? []).map((vip): Claim => {
          this.#noteCseq(cluster, vip.cseq)
          return { cluster, ...vip }
        })
      )
      const newest = new Map<string, Claim>()
      for (const claim of [...this.#stored, ...told]) {
        const key = `${claim.network}/${claim.address}`
        const other = newest.get(key)
        if (other === undefined || compareStamps(claim.stamp, other.stamp) > 0) newest.set(key, claim)
      }
      const lost = new Map<string, Array<Claim>>()
      for (const [key, claim] of newest) {
        const identity = `${key} ${JSON.stringify(claim.stamp)}`
        if (this.#taken.has(identity) || !this.#isFrozen(claim.cluster)) continue
        this.#taken.add(identity)
        const republished = memory.fleet.clusters.get(claim.cluster)?.incarnation ?? 0
        if (claim.stamp.incarnation < republished || !(yield* isLost(this.#ends, claim.stamp))) continue
        lost.set(claim.cluster, [...(lost.get(claim.cluster) ?? []), claim])
      }
      for (const [cluster, claims] of lost) {
        for (let start = 0; start < claims.length; start += adoptedAtOnce) {
          const vips = claims.slice(start, start + adoptedAtOnce)
          yield* submit({ _tag: "AdoptVips", cluster, vips: vips.map(rememberedOf) })
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

  /** A node is waited for when it was heard lately, or the agent says that it is there; one that was never heard is not. */
  #waitingFor(cluster: string, nowMs: number): ReadonlyArray<string> {
    const { nodes, answers, memory } = this.#parts
    const excused = new Set(memory.fleet.recovery?.without)
    const inventory = this.#told(cluster)
    const silent = [...nodes.values()].flatMap(({ status, heardAtMs }) => {
      if (status.cluster !== cluster) return []
      const isThere = nowMs - heardAtMs < heardWithinMs || inventory?.nodes.includes(status.node) === true
      const name = `node ${cluster}/${status.node}`
      const hasAnswered = answers.of(cluster, status.node, memory.head.incarnation) !== undefined
      return isThere && !hasAnswered && !excused.has(name) ? [name] : []
    })
    return [...(inventory === undefined ? [`agent of ${cluster}`] : []), ...silent.sort()]
  }
}

const rememberedOf = ({ network, address, state, services, obliged }: Claim): RememberedVip => ({
  network,
  address,
  state,
  services: services.map(({ namespace, name, uid }) => ({ namespace, name, uid })),
  obliged
})

/** VIPs that a recovery reserved, and whose Service was not seen since. */
export const reservedVips = ({ fleet }: Pick<Memory, "fleet">) =>
  fleet.recovery === undefined
    ? []
    : [...fleet.vips.values()].filter(({ holders }) => holders.some(({ adopted }) => adopted === true))

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
