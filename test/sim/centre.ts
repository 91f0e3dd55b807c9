import { randomUUID } from "node:crypto"
import type { SigningKey } from "@lowtide/bus/envelope"
import { NodeStatus } from "@lowtide/bus/status"
import { headKey } from "@lowtide/bus/subjects"
import { ClusterHead, type LogEnd, newestFleetVersion } from "@lowtide/domain"
import { type Batch, type Committed, Ledger } from "@lowtide/ledger"
import { Effect, Option, Result, Schema } from "effect"
import type { HeardNode } from "../../services/allocator/src/centre.ts"
import { decideBatch, type ReceivedCommand } from "../../services/allocator/src/decide-batch.ts"
import { Effectless } from "../../services/allocator/src/effectless.ts"
import { isHeldBack } from "../../services/allocator/src/held-back.ts"
import { headWitness, isLossShown, lossBy } from "../../services/allocator/src/loss.ts"
import { loadMemory, type Memory, noteCommitted } from "../../services/allocator/src/memory.ts"
import { Recovery, type RecoveryStanding } from "../../services/allocator/src/recovery.ts"
import { RollCallAnswers } from "../../services/allocator/src/roll-call-answers.ts"
import { StampProofs } from "../../services/allocator/src/stamp-proofs.ts"
import { confirmationBy, movesFinishedIn } from "../../services/allocator/src/status-orders.ts"
import type { Sent } from "./agent.ts"
import type { Cable } from "./cable.ts"
import type { Choices } from "./choices.ts"
import type { EndedMove, HeardOf } from "./move-law.ts"
import type { PersonsOrder } from "./people.ts"

/** The lease of the product, and after how long without a renewal a leader stops deciding. */
const leaseMs = 5_000
const trustLeaseMs = 4_000

/** How a commit ends: what is stored, and who learns of it. */
export type CommitOutcome = "done" | "crash-before" | "refused" | "unknown" | "crash-after" | "crash-unpublished"

/** What the checker is told. */
export interface Witness {
  readonly acknowledged: (commandId: string, seqFrom: number, seqTo: number) => void
  readonly committed: () => void
  /** Moves are held to be over, by what was heard of the cluster's nodes. */
  readonly ended: (cluster: string, moves: ReadonlyArray<EndedMove>, heard: ReadonlyMap<string, HeardOf>) => void
}

export interface CentreSetting {
  readonly name: string
  readonly key: SigningKey
  readonly ledger: Ledger["Service"]
  readonly cable: Cable
  readonly nowMs: () => number
  readonly databaseNowMs: () => number
  readonly witness: Witness
  readonly say: (text: string) => void
  /** A question to everybody in a cluster who is there; it may be lost. */
  readonly callRoll: (cluster: string, envelope: string) => void
}

interface Reign {
  readonly memory: Memory
  readonly recovery: Recovery
  readonly effectless: Effectless
  /** The log was compared with what others hold: nothing is decided or published before that. */
  isCompared: boolean
  readonly epoch: number
  renewedAtMs: number
  readonly waiting: Array<{ readonly received: ReceivedCommand; readonly sent: Sent | undefined }>
  /** Committed and not published yet, oldest first. */
  readonly unpublished: Array<Batch>
  isBehind: boolean
}

/**
 * One allocator: decisions and memory are the product's (`decideBatch`, `loadMemory`), its ledger has the product's rules.
 * Leading, committing and publishing are done step by step, so that each step can fail.
 */
export class SimAllocator {
  readonly name: string
  readonly #setting: CentreSetting
  readonly #proofs: StampProofs
  #reign: Reign | undefined
  /** What nodes said of themselves, and in answer to roll calls; it outlives a leadership, not the process. */
  #nodes = new Map<string, HeardNode>()
  #answers = new RollCallAnswers()
  /** SIGSTOP: it does nothing, and knows nothing of the time that passes. */
  isPaused = false
  isRunning = true

  constructor(setting: CentreSetting) {
    this.#setting = setting
    this.#proofs = new StampProofs(setting.key)
    this.name = setting.name
  }

  get isLeading(): boolean {
    return this.#reign !== undefined
  }

  get hasWork(): boolean {
    return this.#reign?.isCompared === true && this.#reign.waiting.length > 0
  }

  get hasUnpublished(): boolean {
    const reign = this.#reign
    return reign?.isCompared === true && (reign.isBehind || reign.unpublished.length > 0)
  }

  /** How a recovery stands that is not over. */
  get recovering(): RecoveryStanding | undefined {
    const standing = this.#reign?.recovery.standing(this.#setting.nowMs())
    return standing === undefined || standing.frozen.length === 0 ? undefined : standing
  }

  /** Clusters in which nodes announce what was taken over, and the configuration has no route for it. */
  get unrouted(): ReadonlyArray<string> {
    const standing = this.#reign?.recovery.standing(this.#setting.nowMs())
    return (standing?.unrouted ?? []).map(({ cluster }) => cluster)
  }

  /** The process ends; another begins with nothing. */
  crash(): void {
    this.#reign = undefined
    this.#nodes = new Map()
    this.#answers = new RollCallAnswers()
    this.isRunning = false
    this.isPaused = false
  }

  start(): void {
    this.isRunning = true
  }

  #run<A, E>(effect: Effect.Effect<A, E, Ledger>): A {
    return Effect.runSync(Effect.provideService(effect, Ledger, this.#setting.ledger))
  }

  /** Asks for the lease, or renews it. */
  async lead(): Promise<void> {
    if (!this.isRunning || this.isPaused) return
    const { ledger, nowMs } = this.#setting
    const reign = this.#reign
    if (reign !== undefined) {
      const isOverdue = nowMs() - reign.renewedAtMs >= trustLeaseMs
      if (isOverdue || !this.#run(ledger.renewLease(reign.epoch, leaseMs))) this.#reign = undefined
      else reign.renewedAtMs = nowMs()
      if (this.#reign !== undefined) await this.#compareOrRecover(this.#reign)
      return
    }
    const lease = this.#run(ledger.acquireLease(this.name, leaseMs))
    if (Option.isNone(lease)) return
    await this.#begin(lease.value.epoch)
  }

  async #begin(epoch: number): Promise<void> {
    const memory = await this.#load()
    if (memory.head.epoch !== epoch) {
      this.#reign = undefined // another leads, or the database has gone back
      return
    }
    const { key, nowMs, cable } = this.#setting
    const recovery = new Recovery({
      memory,
      key,
      nodes: this.#nodes,
      answers: this.#answers,
      submit: (command) => Effect.sync(() => this.#order(command, "allocator")),
      cable: {
        callRoll: (cluster, envelope) => Effect.sync(() => this.#setting.callRoll(cluster, envelope)),
        stored: Effect.sync(() => ({
          intents: cable.storedTexts("vip."),
          heads: cable.storedTexts(headKey).flatMap((text) => readMarker(text) ?? [])
        }))
      }
    })
    this.#reign = {
      memory,
      recovery,
      isCompared: false,
      epoch,
      renewedAtMs: nowMs(),
      effectless: new Effectless(),
      waiting: [],
      unpublished: [],
      isBehind: true
    }
    for (const text of cable.statuses.values()) this.#note(text)
    await this.#compareOrRecover(this.#reign)
    for (const text of cable.statuses.values()) this.hear(text)
  }

  /** As a leader of the product: the log is compared before anything else, and what it lost is merged. */
  async #compareOrRecover(reign: Reign): Promise<void> {
    const { cable, ledger, nowMs } = this.#setting
    const { memory, recovery, epoch } = reign
    if (!cable.isUp) return
    if (reign.isCompared) {
      if (memory.fleet.recovery === undefined) return
      this.#run(recovery.callRoll)
      // One order of its own at a time, as the product waits for the answer to each.
      const isBusy = reign.waiting.some(({ received }) => recoveryOrders.has(received.envelope.command._tag))
      if (!isBusy) this.#run(Effect.orDie(recovery.look(nowMs())))
      return
    }
    const witnesses = [
      ...cable
        .storedTexts(headKey)
        .flatMap((text) => (readMarker(text) ?? []) as ReadonlyArray<ClusterHead>)
        .map(headWitness),
      ...[...cable.statuses.values()].flatMap((text) => this.#witnessesIn(memory, decodeStatus(text))),
      ...[...this.#nodes.values()].flatMap(({ status }) => this.#witnessesIn(memory, status))
    ]
    const begun = memory.fleet.recovery?.incarnation ?? 0
    const loss = this.#run(lossBy(memory.head, witnesses))
    if (loss === undefined && memory.head.incarnation >= begun) {
      reign.isCompared = true
      if (memory.head.seq === 0)
        this.#order({ _tag: "FinaliseFleet", version: newestFleetVersion, isFirst: true }, "allocator")
      return
    }
    if (loss !== undefined) {
      this.#setting.say(`${this.name} begins incarnation ${loss.incarnation}: ${loss.why}`)
      const { incarnation, seq } = memory.head
      const received = this.#received(
        orderOf(
          { _tag: "BeginRecovery", incarnation: loss.incarnation, why: loss.why, lostAfter: { incarnation, seq } },
          "allocator"
        )
      )
      const { batch } = decideBatch(memory, [received], this.#setting.key, nowMs() + memory.clockOffsetMs)
      if (batch.events.length > 0 && this.#write(batch) === undefined) return void this.crash()
      this.#answers.forget()
    }
    this.#run(ledger.raiseIncarnation(epoch, memory.fleet.recovery?.incarnation ?? 0))
    await this.#begin(epoch)
  }

  async #load(): Promise<Memory> {
    const memory = await Effect.runPromise(Effect.provideService(loadMemory, Ledger, this.#setting.ledger))
    return { ...memory, clockOffsetMs: this.#setting.databaseNowMs() - this.#setting.nowMs() }
  }

  /** A command reached it. */
  receive(sent: Sent): ReadonlyArray<Answer> {
    const reign = this.#reign
    if (reign === undefined || this.isPaused || !reign.isCompared) return []
    if (sent.attempt > 1) {
      const stored = this.#run(this.#setting.ledger.commandResult(sent.envelope.commandId))
      if (Option.isSome(stored)) {
        const { seqFrom, seqTo } = stored.value
        return [
          this.#answer(reign, sent, seqFrom === undefined || seqTo === undefined ? undefined : { seqFrom, seqTo })
        ]
      }
      if (reign.effectless.has(sent.envelope.commandId)) return [this.#answer(reign, sent, undefined)]
    }
    // A second sending of one that waits is decided with it, as the first.
    if (reign.waiting.some(({ received }) => received.envelope.commandId === sent.envelope.commandId)) return []
    const { command } = sent.envelope
    if (isHeldBack(reign.memory, command)) {
      if (!reign.recovery.noteHeldBack(command)) return []
      reign.effectless.add(sent.envelope.commandId)
      return [this.#answer(reign, sent, undefined)]
    }
    reign.recovery.noteTaken(command)
    reign.waiting.push({ received: this.#received(sent.envelope), sent })
    return []
  }

  /** A node's status: what it has confirmed is an order of its own. */
  hear(text: string): void {
    if (!this.isRunning || this.isPaused) return
    const status = this.#note(text)
    const reign = this.#reign
    if (reign === undefined || !reign.isCompared) return
    const { cluster, node } = status
    // Held beyond the log's end: the log is compared again.
    if (Effect.runSync(isLossShown(reign.memory.head, this.#witnessesIn(reign.memory, status)))) {
      reign.isCompared = false
      return
    }
    const nowMs = this.#setting.nowMs()
    for (const command of [
      movesFinishedIn(reign.memory, cluster, this.#nodes, nowMs),
      confirmationBy(reign.memory, status)
    ]) {
      if (command?._tag === "FinishMoves") this.#setting.witness.ended(cluster, command.moves, this.#heardOf(cluster))
      if (command !== undefined) this.#order(command, `speaker:${cluster}/${node}`)
    }
  }

  #witnessesIn({ fleet }: Memory, status: NodeStatus) {
    return this.#proofs.witnesses(fleet, status)
  }

  #heardOf(cluster: string): ReadonlyMap<string, HeardOf> {
    return new Map(
      [...this.#nodes.values()].flatMap(({ status, heardAtMs }) =>
        status.cluster === cluster
          ? [[status.node, { announcing: status.announcing, ageMs: this.#setting.nowMs() - heardAtMs }] as const]
          : []
      )
    )
  }

  /** Whoever runs knows what nodes say of themselves, whether it leads or not. */
  #note(text: string): NodeStatus {
    const status = decodeStatus(text)
    this.#nodes.set(`${status.cluster}/${status.node}`, { status, heardAtMs: this.#setting.nowMs() })
    this.#answers.take(status)
    return status
  }

  /** Looks whether a quarantine is over. */
  expire(): void {
    if (this.#reign?.isCompared === true && !this.isPaused) this.#order({ _tag: "ExpireQuarantines" }, "allocator")
  }

  #order(command: ReceivedCommand["envelope"]["command"], actor: string): void {
    this.#reign?.waiting.push({ received: this.#received(orderOf(command, actor)), sent: undefined })
  }

  /** What a person orders, where there is a leader to hear it. */
  order({ command, isSecond }: PersonsOrder): void {
    const reign = this.#reign
    if (reign?.isCompared !== true || this.isPaused || isHeldBack(reign.memory, command)) return
    this.#order(command, isSecond === true ? "person:ben" : "person:ann")
  }

  #received(envelope: ReceivedCommand["envelope"]): ReceivedCommand {
    return { envelope, receivedAt: new Date(this.#setting.nowMs()).toISOString() }
  }

  /** Decides what waits, or a part of it, and commits it; answers what goes back to whom. */
  async commit(choices: Choices, outcome: CommitOutcome, onDecided: () => void): Promise<ReadonlyArray<Answer>> {
    const reign = this.#reign
    if (reign === undefined || this.isPaused || !this.hasWork) return []
    const taken = reign.waiting.splice(0, 1 + choices.below(reign.waiting.length))
    const { memory } = reign
    const nowMs = this.#setting.nowMs() + memory.clockOffsetMs
    const commands = taken.map(({ received }) => received)
    for (const _ of taken) onDecided()
    const { batch, replies, isAnew } = decideBatch(memory, commands, this.#setting.key, nowMs)
    if (outcome === "crash-before") return this.#gone()
    if (outcome === "refused") return this.#forget()
    if (batch.events.length > 0) {
      const written = this.#write(batch)
      if (written === undefined) return this.#gone() // fenced: the process ends
      noteCommitted(memory, batch, written)
    }
    if (outcome === "unknown") return this.#forget()
    if (outcome === "crash-after") return this.#gone()
    if (isAnew) reign.isBehind = true
    else reign.unpublished.push(batch)
    const answers = taken.flatMap(({ sent, received }, index) => {
      const reply = replies[index]
      if (reply?._tag !== "Done") return []
      const { seqFrom, seqTo } = reply
      const seqs = seqFrom === null || seqTo === null ? undefined : { seqFrom, seqTo }
      if (seqs === undefined) reign.effectless.add(received.envelope.commandId)
      else this.#setting.witness.acknowledged(received.envelope.commandId, seqs.seqFrom, seqs.seqTo)
      return sent === undefined ? [] : [this.#answer(reign, sent, seqs)]
    })
    if (outcome === "crash-unpublished") this.#gone()
    return answers
  }

  #answer({ memory: { head } }: Reign, sent: Sent, seqs: Seqs): Answer {
    return { sent, seqs, end: { incarnation: head.incarnation, seq: head.seq } }
  }

  #write(batch: Batch): Committed | undefined {
    const result = this.#run(Effect.result(this.#setting.ledger.append(batch)))
    if (Result.isSuccess(result)) {
      this.#setting.witness.committed()
      return result.success
    }
    if (result.failure._tag === "Fenced") return undefined
    throw new Error(`a batch does not fit the ledger: ${JSON.stringify(result.failure)}`)
  }

  #gone(): [] {
    this.crash()
    return []
  }

  /** The memory goes, and who waits is told to try again. */
  async #forget(): Promise<[]> {
    const reign = this.#reign
    if (reign !== undefined) await this.#begin(reign.epoch)
    return []
  }

  /** Publishes the next batch, or what the stream lacks; a crash in the middle leaves a part of it. */
  publish(choices: Choices): void {
    const reign = this.#reign
    const { cable } = this.#setting
    if (reign?.isCompared !== true || this.isPaused || !cable.isUp) return
    if (reign.isBehind) {
      reign.isBehind = false
      reign.unpublished.length = 0
      this.#reconcile(reign)
      return
    }
    const batch = reign.unpublished.shift()
    if (batch === undefined) return
    const isCut = choices.oneIn(40)
    for (const { cluster, subject, envelope } of batch.intents) {
      if (isCut && choices.oneIn(2)) return void this.crash()
      cable.publish(cluster, subject, envelope ?? "")
    }
    for (const { cluster, envelope } of batch.intentHeads) cable.publish(cluster, headKey, envelope)
  }

  /** A leader that begins, and now and then: the stream's head says what it has. */
  behind(): void {
    if (this.#reign !== undefined) this.#reign.isBehind = true
  }

  #reconcile({ memory: { fleet } }: Reign): void {
    const { ledger, cable } = this.#setting
    for (const head of this.#run(ledger.intentHeads)) {
      const known = fleet.clusters.get(head.cluster)
      if (known !== undefined && fleet.isFrozen(known)) continue
      const marker = readMarker(cable.marker(head.cluster))
      const incarnation = readMarker(head.envelope)?.stamp.incarnation ?? 0
      const isEarlier = marker !== undefined && marker.stamp.incarnation < incarnation
      if (marker !== undefined && !isEarlier && marker.cseq > head.cseq) continue // a later leader was here
      if (isEarlier) cable.purge(head.cluster)
      const since = marker === undefined || isEarlier || marker.cseq === head.cseq ? 0 : marker.cseq
      for (const { cluster, subject, envelope } of this.#run(ledger.intentsSince(head.cluster, since)))
        cable.publish(cluster, subject, envelope)
      cable.publish(head.cluster, headKey, head.envelope)
    }
  }
}

/** What a recovery orders of its own. */
const recoveryOrders: ReadonlySet<string> = new Set([
  "AdoptVips",
  "FinishRecovery",
  "RepublishCluster",
  "RepublishPart"
])

const orderOf = (command: ReceivedCommand["envelope"]["command"], actor: string): ReceivedCommand["envelope"] => {
  const id = randomUUID()
  const actorKind = actor.startsWith("person:") ? ("person" as const) : ("system" as const)
  return { commandId: id, correlationId: id, actor, actorKind, command }
}

const decodeStatus = Schema.decodeUnknownSync(Schema.fromJsonString(NodeStatus))

/** What an agent is answered. */
export interface Answer {
  readonly sent: Sent
  readonly seqs: Seqs
  readonly end: LogEnd
}

/** The events of a command; undefined when it led to none. */
export type Seqs = { readonly seqFrom: number; readonly seqTo: number } | undefined

const decodeHead = Schema.decodeUnknownOption(Schema.fromJsonString(ClusterHead))

const readMarker = (envelope: string | undefined): ClusterHead | undefined =>
  envelope === undefined
    ? undefined
    : Option.getOrUndefined(decodeHead((JSON.parse(envelope) as { readonly payload: string }).payload))
