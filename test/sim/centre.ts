import { randomUUID } from "node:crypto"
import type { SigningKey } from "@lowtide/bus/envelope"
import { headKey } from "@lowtide/bus/subjects"
import { ClusterHead, newestFleetVersion } from "@lowtide/domain"
import { finishedMoves } from "@lowtide/domain/allocation/moves"
import { type Batch, type Committed, Ledger } from "@lowtide/ledger"
import { Effect, Option, Result, Schema } from "effect"
import { decideBatch, type ReceivedCommand } from "../../services/allocator/src/decide-batch.ts"
import { contextOf, loadMemory, type Memory } from "../../services/allocator/src/memory.ts"
import type { Sent } from "./agent.ts"
import type { Cable } from "./cable.ts"
import type { Choices } from "./choices.ts"

/** The lease of the product, and after how long without a renewal a leader stops deciding. */
const leaseMs = 5_000
const trustLeaseMs = 4_000

/** How a commit ends: what is stored, and who learns of it. */
export type CommitOutcome = "done" | "crash-before" | "refused" | "unknown" | "crash-after" | "crash-unpublished"

/** What the checker is told. */
export interface Witness {
  readonly acknowledged: (commandId: string, seqFrom: number, seqTo: number) => void
  readonly committed: () => void
}

export interface CentreSetting {
  readonly name: string
  readonly key: SigningKey
  readonly ledger: Ledger["Service"]
  readonly cable: Cable
  readonly nowMs: () => number
  readonly databaseNowMs: () => number
  readonly witness: Witness
}

interface Reign {
  readonly memory: Memory
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
  #reign: Reign | undefined
  /** SIGSTOP: it does nothing, and knows nothing of the time that passes. */
  isPaused = false
  isRunning = true

  constructor(setting: CentreSetting) {
    this.#setting = setting
    this.name = setting.name
  }

  get isLeading(): boolean {
    return this.#reign !== undefined
  }

  get hasWork(): boolean {
    return (this.#reign?.waiting.length ?? 0) > 0
  }

  get hasUnpublished(): boolean {
    const reign = this.#reign
    return reign !== undefined && (reign.isBehind || reign.unpublished.length > 0)
  }

  /** The process ends; another begins with nothing. */
  crash(): void {
    this.#reign = undefined
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
      return
    }
    const lease = this.#run(ledger.acquireLease(this.name, leaseMs))
    if (Option.isNone(lease)) return
    await this.#begin(lease.value.epoch)
  }

  async #begin(epoch: number): Promise<void> {
    const memory = await this.#load()
    this.#reign = { memory, epoch, renewedAtMs: this.#setting.nowMs(), waiting: [], unpublished: [], isBehind: true }
    if (memory.head.seq === 0) {
      this.#order({ _tag: "FinaliseFleet", version: newestFleetVersion, isFirst: true }, "allocator")
    }
    for (const text of this.#setting.cable.statuses.values()) this.hear(text)
  }

  async #load(): Promise<Memory> {
    const memory = await Effect.runPromise(Effect.provideService(loadMemory, Ledger, this.#setting.ledger))
    return { ...memory, clockOffsetMs: this.#setting.databaseNowMs() - this.#setting.nowMs() }
  }

  /** A command reached it. */
  receive(sent: Sent): ReadonlyArray<{ readonly sent: Sent; readonly seqs: Seqs }> {
    const reign = this.#reign
    if (reign === undefined || this.isPaused) return []
    if (sent.attempt > 1) {
      const stored = this.#run(this.#setting.ledger.commandResult(sent.envelope.commandId))
      if (Option.isSome(stored)) {
        const { seqFrom, seqTo } = stored.value
        return [{ sent, seqs: seqFrom === undefined || seqTo === undefined ? undefined : { seqFrom, seqTo } }]
      }
    }
    // A second sending of one that waits is decided with it, as the first.
    if (reign.waiting.some(({ received }) => received.envelope.commandId === sent.envelope.commandId)) return []
    reign.waiting.push({ received: this.#received(sent.envelope), sent })
    return []
  }

  /** A node's status: what it has confirmed is an order of its own. */
  hear(text: string): void {
    const reign = this.#reign
    if (reign === undefined || this.isPaused) return
    const { cluster, node, confirmedCseq } = JSON.parse(text) as {
      readonly cluster: string
      readonly node: string
      readonly confirmedCseq: number
    }
    this.#finishMoves(cluster, node)
    if ((reign.memory.confirmed.get(`${cluster}/${node}`) ?? -1) >= confirmedCseq) return
    this.#order({ _tag: "ConfirmWithdrawals", cluster, node, cseq: confirmedCseq }, `speaker:${cluster}/${node}`)
  }

  /** What the statuses say, as they are on the cable, may end moves. */
  #finishMoves(name: string, node: string): void {
    const memory = this.#reign?.memory
    const cluster = memory?.fleet.clusters.get(name)
    if (memory === undefined || cluster === undefined || cluster.movingOf.size === 0) return
    const { obligedOf } = contextOf(memory, this.#setting.nowMs())
    const moves = finishedMoves(memory.fleet, cluster, {
      obligedOf,
      heard: (other) => {
        const text = this.#setting.cable.statuses.get(other)
        return text === undefined ? undefined : { announcing: JSON.parse(text).announcing, isSilent: false }
      }
    })
    if (moves.length > 0) this.#order({ _tag: "FinishMoves", cluster: name, moves }, `speaker:${name}/${node}`)
  }

  /** Looks whether a quarantine is over. */
  expire(): void {
    if (this.#reign !== undefined && !this.isPaused) this.#order({ _tag: "ExpireQuarantines" }, "allocator")
  }

  #order(command: ReceivedCommand["envelope"]["command"], actor: string): void {
    const id = randomUUID()
    const envelope = { commandId: id, correlationId: id, actor, actorKind: "system" as const, command }
    this.#reign?.waiting.push({ received: this.#received(envelope), sent: undefined })
  }

  #received(envelope: ReceivedCommand["envelope"]): ReceivedCommand {
    return { envelope, receivedAt: new Date(this.#setting.nowMs()).toISOString() }
  }

  /** Decides what waits, or a part of it, and commits it; answers what goes back to whom. */
  async commit(
    choices: Choices,
    outcome: CommitOutcome,
    onDecided: () => void
  ): Promise<ReadonlyArray<{ readonly sent: Sent; readonly seqs: Seqs }>> {
    const reign = this.#reign
    if (reign === undefined || this.isPaused || reign.waiting.length === 0) return []
    const taken = reign.waiting.splice(0, 1 + choices.below(reign.waiting.length))
    const { memory } = reign
    const nowMs = this.#setting.nowMs() + memory.clockOffsetMs
    const commands = taken.map(({ received }) => received)
    for (const _ of taken) onDecided()
    const { batch, replies } = decideBatch(memory, commands, this.#setting.key, nowMs)
    if (outcome === "crash-before") return this.#gone()
    if (outcome === "refused") return this.#forget()
    if (batch.events.length > 0) {
      const written = this.#write(batch)
      if (written === undefined) return this.#gone() // fenced: the process ends
      memory.head = { ...memory.head, ...written }
    }
    if (outcome === "unknown") return this.#forget()
    if (outcome === "crash-after") return this.#gone()
    reign.unpublished.push(batch)
    const answers = taken.flatMap(({ sent, received }, index) => {
      const reply = replies[index]
      if (reply?._tag !== "Done") return []
      const { seqFrom, seqTo } = reply
      const seqs = seqFrom === null || seqTo === null ? undefined : { seqFrom, seqTo }
      if (seqs !== undefined) this.#setting.witness.acknowledged(received.envelope.commandId, seqs.seqFrom, seqs.seqTo)
      return sent === undefined ? [] : [{ sent, seqs }]
    })
    if (outcome === "crash-unpublished") this.#gone()
    return answers
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
    if (reign === undefined || this.isPaused || !cable.isUp) return
    if (reign.isBehind) {
      reign.isBehind = false
      reign.unpublished.length = 0
      this.#reconcile()
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

  #reconcile(): void {
    const { ledger, cable } = this.#setting
    for (const head of this.#run(ledger.intentHeads)) {
      const marker = readMarker(cable.marker(head.cluster))
      if (marker !== undefined && marker.cseq > head.cseq) continue // a later leader was here
      const since = marker === undefined || marker.cseq === head.cseq ? 0 : marker.cseq
      for (const { cluster, subject, envelope } of this.#run(ledger.intentsSince(head.cluster, since)))
        cable.publish(cluster, subject, envelope)
      cable.publish(head.cluster, headKey, head.envelope)
    }
  }
}

/** The events of a command; undefined when it led to none. */
export type Seqs = { readonly seqFrom: number; readonly seqTo: number } | undefined

const decodeHead = Schema.decodeUnknownOption(Schema.fromJsonString(ClusterHead))

const readMarker = (envelope: string | undefined): ClusterHead | undefined =>
  envelope === undefined
    ? undefined
    : Option.getOrUndefined(decodeHead((JSON.parse(envelope) as { readonly payload: string }).payload))
