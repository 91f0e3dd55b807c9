import { randomUUID } from "node:crypto"
import { type CommandReply, serveCommands } from "@lowtide/bus/commands"
import { Bus } from "@lowtide/bus/connection"
import type { SigningKey } from "@lowtide/bus/envelope"
import type { NodeStatus } from "@lowtide/bus/status"
import {
  type Command,
  type CommandEnvelope,
  codes,
  type DomainEvent,
  type LogEnd,
  newestFleetVersion,
  type Unreadable
} from "@lowtide/domain"
import {
  type Fenced,
  Ledger,
  makeGroupCommit,
  noPlace,
  type ProjectionConflict,
  type Unavailable
} from "@lowtide/ledger"
import { Cause, Clock, Data, Deferred, Effect, Fiber, Option, Schedule, type Scope, Semaphore } from "effect"
import type { HeardNode } from "./centre.ts"
import type { CheckpointOptions } from "./checkpoints.ts"
import { type DecidedBatch, decideBatch, type ReceivedCommand } from "./decide-batch.ts"
import type { Defects } from "./defects.ts"
import { Effectless } from "./effectless.ts"
import { failpoint, failpointDuring } from "./failpoint.ts"
import { HeardAgents } from "./heard-agents.ts"
import { isHeldBack } from "./held-back.ts"
import type { LeaseTrust } from "./leader.ts"
import { findLoss, isLossShown, unstorable } from "./loss.ts"
import { loadMemory, type Memory, noteCommitted, prepareMemory } from "./memory.ts"
import { monotonicMs } from "./monotonic-clock.ts"
import { noticesOf } from "./notices.ts"
import { type Publisher, startPublisher } from "./publisher.ts"
import { Recovery, type RecoveryStanding, recoveryCable } from "./recovery.ts"
import { differingStreams } from "./replay-check.ts"
import type { RollCallAnswers } from "./roll-call-answers.ts"
import { recordForgotten } from "./segment-leaves.ts"
import { StampProofs } from "./stamp-proofs.ts"
import { startTreeKeeper, type TreeKeeper } from "./tree-keeper.ts"
import { UnderWay } from "./under-way.ts"

/** The memory no longer fits the database, or may not: it is thrown away, and whoever waits sends again. */
export class MemoryLost extends Data.TaggedError("MemoryLost")<{ readonly why: string }> {
  override get message() {
    return `the allocator loads its state again: ${this.why}`
  }
}

/** One leadership with one memory, from loading it to losing it. */
export interface Reign {
  readonly memory: Memory
  /** Looks at the memory as it is committed: waits for the batch in flight, and fails when that one failed. */
  readonly read: <A>(look: (memory: Memory) => A) => Effect.Effect<A, MemoryLost>
  readonly publisher: Publisher
  readonly tree: TreeKeeper
  /** Ends once it is known whether the log is to be decided on: nothing is before. */
  readonly judged: Effect.Effect<void>
  /** Decides a command of the allocator's own. */
  readonly submit: (
    actor: string,
    kind: CommandEnvelope["actorKind"],
    command: Command,
    words?: string
  ) => Effect.Effect<CommandReply>
  /** Decides what a person orders; one order at a time, so that an id that is sent twice at once is decided once. */
  readonly order: (
    envelope: CommandEnvelope,
    forbid: NonNullable<ReceivedCommand["forbid"]>
  ) => Effect.Effect<CommandReply>
  /** How the recovery from a loss of history stands; undefined when there never was one. */
  readonly recovery: Effect.Effect<RecoveryStanding | undefined>
  /** Ends the reign, so that the next one compares the log with what others hold, and finds an order to recover. */
  readonly compareAgain: Effect.Effect<void>
  /** The same, unless what was found is known to this reign already. */
  readonly doubt: Effect.Effect<void>
  /** A node says where it is: beyond the end of the log, and shown to be so, it proves that history was lost. */
  readonly noteStatus: (status: NodeStatus) => Effect.Effect<void>
  /** Fails when the reign is over. */
  readonly over: Effect.Effect<never, MemoryLost | Fenced | ProjectionConflict>
}

/** How long a log that contradicts its checkpoints is left alone before it is looked at again. */
const compareAgainMs = 10_000

/** How long a command waits for the log to be compared before it is told to come again: less than its sender waits. */
const waitMs = 2_000

/** Loads the state, starts publishing and answers commands, until the scope closes. */
export const beginReign = (
  epoch: number,
  key: SigningKey,
  defects: Defects,
  trust: LeaseTrust,
  nodes: ReadonlyMap<string, HeardNode>,
  answers: RollCallAnswers,
  checkpoints?: CheckpointOptions,
  agents = new HeardAgents(),
  proofs = new StampProofs(key)
): Effect.Effect<Reign, Unavailable | Unreadable | MemoryLost, Ledger | Bus | Scope.Scope> =>
  Effect.gen(function* () {
    const ledger = yield* Ledger
    const memory = yield* loadMemory
    if (memory.head.epoch !== epoch) {
      return yield* new MemoryLost({ why: `expected epoch ${epoch} at the log's head, found ${memory.head.epoch}` })
    }
    const committing = yield* Semaphore.make(1)
    let isCompared = false
    const judged = yield* Deferred.make<void>()
    const isMuted = (name: string) => {
      const cluster = memory.fleet.clusters.get(name)
      return !isCompared || (cluster !== undefined && memory.fleet.isFrozen(cluster))
    }
    const tree = yield* startTreeKeeper(memory.head, memory.clockOffsetMs, checkpoints)
    /** Why nothing is decided: the log is not what was signed, or the state is not what the log says. */
    let changed: string | undefined
    const publisher = yield* startPublisher(isMuted)
    const over = yield* Deferred.make<never, MemoryLost | Fenced | ProjectionConflict>()
    const prepared = yield* prepareMemory(memory).pipe(
      Effect.catchDefect((defect) => Deferred.fail(over, new MemoryLost({ why: `it cannot be read: ${defect}` }))),
      Effect.forkScoped
    )
    const commitBatch = Effect.fnUntraced(
      function* (commands: ReadonlyArray<ReceivedCommand>) {
        const nowMs = (yield* monotonicMs) + memory.clockOffsetMs
        const decided = decideBatch(memory, commands, key, nowMs)
        if (decided.batch.events.length > 0) {
          yield* failpoint("after-decide")
          tree.committed(yield* writeBatch(ledger, memory, decided))
          yield* failpoint("after-commit")
        }
        if (decided.isAnew) publisher.publishAnew()
        else publisher.publish(decided.batch)
        yield* sayNotices(decided.events)
        return decided.replies
      },
      // What broke an invariant left the memory half changed.
      (commit, commands) =>
        Effect.catchDefect(commit, (defect) => {
          defects.blame(commands, defect)
          const why = defect instanceof Error ? defect.message : String(defect)
          return Effect.logError(`LT0506 a command could not be decided: ${why}`).pipe(
            Effect.andThen(new MemoryLost({ why }))
          )
        })
    )
    const notLost = Effect.flatMap(Deferred.isDone(over), (isOver) =>
      isOver ? Effect.fail(new MemoryLost({ why: "the batch before failed" })) : Effect.void
    )
    // A process that was stopped decides nothing before it knows that it leads still.
    const trusted = Effect.flatMap(trust.isHeld, (isHeld) =>
      isHeld ? Effect.void : Effect.fail(new MemoryLost({ why: "the lease was not renewed in time" }))
    )
    const group = yield* makeGroupCommit<ReceivedCommand, CommandReply, MemoryLost | Fenced | ProjectionConflict>({
      commit: (commands) =>
        notLost.pipe(
          Effect.andThen(trusted),
          Effect.andThen(defects.commitApart(commands, commitBatch)),
          Effect.tapError((error) => Deferred.fail(over, error)),
          Semaphore.withPermit(committing)
        )
    })
    const answer = (
      envelope: CommandEnvelope,
      more: Partial<Omit<ReceivedCommand, "envelope">> = {}
    ): Effect.Effect<CommandReply> =>
      Effect.gen(function* () {
        const refusal = defects.refusal(envelope)
        if (refusal !== undefined) return refusal
        if (changed !== undefined) return { _tag: "TryAgain", message: changed }
        if (!isCompared) return notCompared
        const ahead = yield* publisher.ahead
        if (ahead.size > 0) {
          // The next leadership compares all there is, and knows what to do.
          yield* Deferred.fail(over, new MemoryLost({ why: `NATS has more of ${[...ahead].join(", ")} than the log` }))
          return notCompared
        }
        const { command } = envelope
        if (isHeldBack(memory, command)) {
          return recovery.noteHeldBack(command) ? noEffect : heldBack
        }
        recovery.noteTaken(command)
        return yield* decideNow(envelope, more)
      })
    const decideNow = (
      envelope: CommandEnvelope,
      more: Partial<Omit<ReceivedCommand, "envelope">> = {}
    ): Effect.Effect<CommandReply> =>
      Effect.gen(function* () {
        return yield* group.submit({ envelope, receivedAt: yield* nowText, ...more })
      }).pipe(
        Effect.catchTag("Overloaded", () => Effect.succeed(busy)),
        Effect.catch((error: MemoryLost | Fenced | ProjectionConflict) => tryAgain(error)),
        // The loop ended before the command's turn: that is not an end of whoever asks.
        Effect.catchCause((cause) =>
          Cause.hasInterruptsOnly(cause) ? tryAgain({ message: "this leadership is over" }) : Effect.failCause(cause)
        )
      )
    /** Lets who asks wait a while for the log to be compared: answers when they came. */
    const onceJudged = Effect.tap(nowText, () =>
      isCompared ? Effect.void : Effect.timeoutOption(Deferred.await(judged), waitMs)
    )
    const effectless = new Effectless()
    const noted = (commandId: string, answered: Effect.Effect<CommandReply>): Effect.Effect<CommandReply> =>
      Effect.tap(answered, (reply) =>
        Effect.sync(() => {
          if (reply._tag === "Done" && reply.seqFrom === null) effectless.add(commandId)
        })
      )
    /** The answer that is stored for a command that was carried out, else a new one. Not looked for in vain when busy. */
    const answerOnce = (commandId: string, whenNew: Effect.Effect<CommandReply>): Effect.Effect<CommandReply> =>
      Effect.flatMap(group.isFull, (isFull) =>
        isFull
          ? Effect.succeed(busy)
          : ledger.commandResult(commandId).pipe(
              Effect.flatMap(
                Option.match({
                  onNone: () => (effectless.has(commandId) ? Effect.succeed(noEffect) : noted(commandId, whenNew)),
                  onSome: storedReply
                })
              ),
              Effect.catch((error) => tryAgain(error))
            )
      )
    const submit = (actor: string, actorKind: CommandEnvelope["actorKind"], command: Command, words?: string) => ({
      commandId: randomUUID(),
      correlationId: randomUUID(),
      actor,
      actorKind,
      command,
      ...(words === undefined ? {} : { words })
    })
    const recovery = new Recovery({
      memory,
      key,
      nodes,
      answers,
      submit: (command) => decideNow(submit("allocator", "system", command)),
      cable: recoveryCable(yield* Bus)
    })
    const witnessesIn = (status: NodeStatus) => proofs.witnesses(memory.fleet, status)
    /** What the log lacks is found out before anything is decided on it. */
    const compare = Effect.gen(function* () {
      const begun = memory.fleet.recovery?.incarnation ?? 0
      const witnessed = unstorable(memory.head, begun) ?? (yield* findLoss(memory.head, nodes, witnessesIn))
      const isBegun = memory.head.incarnation >= begun
      const signed = witnessed === undefined && isBegun ? yield* tree.compare : undefined
      const [differing] = signed?._tag === "Changed" ? [] : yield* differingStreams(ledger)
      if (signed?._tag === "Changed" || differing !== undefined) {
        const code = signed?._tag === "Changed" ? "LT0530" : "LT0533"
        const why = signed?._tag === "Changed" ? signed.why : `${differing?.key}: ${differing?.what}`
        changed = `${code} ${codes[code].title}: ${why}. Fix: ${codes[code].fix}`
        yield* Deferred.succeed(judged, undefined)
        yield* Effect.logError(`${changed}. Nothing is decided or published`)
        yield* Effect.sleep(compareAgainMs)
        return yield* Deferred.fail(over, new MemoryLost({ why: "the log is compared again" }))
      }
      const loss = witnessed ?? signed
      if (loss === undefined && isBegun) {
        yield* tree.begin
        // A log that begins has nobody who could not read it.
        if (memory.head.seq === 0) {
          const version = newestFleetVersion
          yield* decideNow(submit("allocator", "system", { _tag: "FinaliseFleet", version, isFirst: true }))
        }
        yield* Fiber.join(prepared)
        yield* notLost
        isCompared = true
        yield* Deferred.succeed(judged, undefined)
        publisher.publishAnew() // what it passed over before
        yield* recordForgotten(memory, ({ _tag, ...state }, words) =>
          decideNow(submit("allocator", "system", { _tag: "RecordSegment", ...state }, words))
        ).pipe(
          Effect.tapError((error) => Effect.logWarning(`segments are not looked at yet: ${error.message}`)),
          Effect.retry(Schedule.spaced("5 seconds")),
          Effect.forkScoped
        )
        return yield* memory.fleet.recovery === undefined ? Effect.never : recovery.run
      }
      if (loss !== undefined) {
        const { incarnation, seq } = memory.head
        yield* Effect.logError(`LT0505 ${codes.LT0505.title}: ${loss.why}. Fix: ${codes.LT0505.fix}`)
        const { incarnation: begins, why } = loss
        yield* decideNow(
          submit("allocator", "system", {
            _tag: "BeginRecovery",
            incarnation: begins,
            why,
            lostAfter: { incarnation, seq }
          })
        )
        answers.forget()
      }
      yield* ledger.raiseIncarnation(epoch, memory.fleet.recovery?.incarnation ?? 0)
      return yield* Deferred.fail(over, new MemoryLost({ why: "a new incarnation begins" }))
    })
    yield* compare.pipe(
      Effect.tapError((error) => Effect.logWarning(`the log is not compared yet: ${error.message}`)),
      Effect.retry(Schedule.spaced("500 millis")),
      Effect.forkScoped
    )
    const underWay = new UnderWay()
    yield* agents.begin
    yield* serveCommands((received) =>
      agents.note(clusterOf(received.command), received.fleetVersion).pipe(
        Effect.andThen(onceJudged),
        Effect.flatMap((receivedAt) =>
          underWay.once(
            received.commandId,
            (received.attempt ?? 1) === 1
              ? noted(received.commandId, answer(asAgent(received), { receivedAt }))
              : answerOnce(received.commandId, answer(asAgent(received), { receivedAt }))
          )
        ),
        Effect.map((reply) => withEnd(reply, memory.head))
      )
    ).pipe(Effect.forkScoped)
    const ordering = yield* Semaphore.make(1)
    return {
      memory,
      read: (look) =>
        notLost.pipe(
          Effect.map(() => look(memory)),
          Semaphore.withPermit(committing)
        ),
      publisher,
      tree,
      judged: Deferred.await(judged),
      // An id of its own for each time that the effect is run.
      submit: (actor, actorKind, command, words) =>
        Effect.suspend(() => answer(submit(actor, actorKind, command, words))),
      order: (envelope, forbid) =>
        Effect.flatMap(onceJudged, (receivedAt) =>
          answerOnce(envelope.commandId, answer(envelope, { forbid, receivedAt })).pipe(Semaphore.withPermit(ordering))
        ),
      recovery: Effect.map(Clock.currentTimeMillis, (nowMs) => recovery.standing(nowMs)),
      compareAgain: Effect.asVoid(Deferred.fail(over, new MemoryLost({ why: "it is to be compared again" }))),
      doubt: Effect.suspend(() =>
        changed === undefined
          ? Effect.flatMap(Effect.option(differingStreams(ledger)), (found) =>
              Option.isSome(found) && found.value.length > 0
                ? Effect.asVoid(Deferred.fail(over, new MemoryLost({ why: "the state is not what the log says" })))
                : Effect.void
            )
          : Effect.void
      ),
      noteStatus: (status) =>
        Effect.flatMap(isLossShown(memory.head, witnessesIn(status)), (isLost) =>
          isLost
            ? Effect.asVoid(Deferred.fail(over, new MemoryLost({ why: "a node holds what the log does not have" })))
            : Effect.void
        ),
      over: Deferred.await(over)
    }
  })

const nowText = Effect.map(Clock.currentTimeMillis, (nowMs) => new Date(nowMs).toISOString())

/** The actor is who the subject's permission says, not what the message says. */
const asAgent = (received: Omit<CommandEnvelope, "actor" | "actorKind">): CommandEnvelope => ({
  ...received,
  actor: `agent:${clusterOf(received.command)}`,
  actorKind: "agent"
})

const clusterOf = (command: Command): string => ("cluster" in command ? command.cluster : "-")

const storedReply = ({ outcome }: { readonly outcome: string }): Effect.Effect<CommandReply> =>
  Effect.succeed(JSON.parse(outcome) as CommandReply)

/** What a log has forgotten may hold addresses, and be announced: nothing is decided before that can be said. */
const notCompared: CommandReply = {
  _tag: "TryAgain",
  message: "the log is being compared with what NATS and speakers hold"
}

/** More wait than are let wait: nothing was looked at. */
const busy: CommandReply = { _tag: "TryAgain", message: "many commands wait; nothing was done", isBusy: true }

/** Says how far the log goes: what is read from now on is as of there, at the least (ADR 67). */
const withEnd = (reply: CommandReply, { incarnation, seq }: LogEnd): CommandReply =>
  reply._tag === "Done" ? { ...reply, end: { incarnation, seq } } : reply

const noEffect: CommandReply = { _tag: "Done", seqFrom: null, seqTo: null }

const heldBack: CommandReply = {
  _tag: "TryAgain",
  message: `LT0520 ${codes.LT0520.title}. Fix: ${codes.LT0520.fix}`
}

const tryAgain = (error: { readonly message: string }): Effect.Effect<CommandReply> =>
  Effect.succeed({ _tag: "TryAgain", message: error.message })

/** Commits, lets the memory know the new head, and answers the events' leaves. On an unknown outcome the memory goes, whatever the outcome was. */
const writeBatch = (
  ledger: Ledger["Service"],
  memory: Memory,
  decided: DecidedBatch
): Effect.Effect<ReadonlyArray<Uint8Array>, MemoryLost | Fenced | ProjectionConflict> =>
  failpointDuring("sent", ledger.append(decided.batch)).pipe(
    Effect.catchTag("Unavailable", (error) =>
      error.operation === noPlace
        ? Effect.fail(
            new MemoryLost({ why: `LT0534 ${codes.LT0534.title}: ${error.message}. Fix: ${codes.LT0534.fix}` })
          )
        : // What the database cannot store it will not store the next time either: that is the command's fault.
          error.isUnstorable
          ? Effect.die(error)
          : Effect.fail(new MemoryLost({ why: error.message }))
    ),
    Effect.map((committed) => {
      noteCommitted(memory, decided.batch, committed)
      return committed.leaves
    })
  )

/** What the allocator finds wrong goes to its log once, when it is committed. */
const sayNotices = (events: ReadonlyArray<DomainEvent>): Effect.Effect<void> =>
  Effect.forEach(
    noticesOf(events),
    ({ severity, text }) => (severity === "error" ? Effect.logError(text) : Effect.logWarning(text)),
    { discard: true }
  )
