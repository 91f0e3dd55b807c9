import { randomUUID } from "node:crypto"
import type { CommandReply } from "@lowtide/bus/commands"
import { Bus } from "@lowtide/bus/connection"
import type { SigningKey } from "@lowtide/bus/envelope"
import type { NodeStatus } from "@lowtide/bus/status"
import type { Command, CommandEnvelope, Unreadable } from "@lowtide/domain"
import { type Fenced, Ledger, type ProjectionConflict, type Unavailable } from "@lowtide/ledger"
import { Clock, Deferred, Effect, Fiber, Option, Schedule, type Scope } from "effect"
import { type Answering, startAnswering } from "./answering.ts"
import type { HeardNode } from "./centre.ts"
import type { CheckpointOptions } from "./checkpoints.ts"
import { Comparison, compareLog } from "./comparison.ts"
import { type Deciding, MemoryLost, startDeciding } from "./deciding.ts"
import type { Defects } from "./defects.ts"
import type { HeardAgents } from "./heard-agents.ts"
import type { LeaseTrust } from "./leader.ts"
import { isLossShown } from "./loss.ts"
import { loadMemory, type Memory, prepareMemory } from "./memory.ts"
import { type Publisher, startPublisher } from "./publisher.ts"
import { Recovery, type RecoveryStanding, recoveryCable } from "./recovery.ts"
import { differingStreams } from "./replay-check.ts"
import type { RollCallAnswers } from "./roll-call-answers.ts"
import { recordForgotten } from "./segment-leaves.ts"
import type { StampProofs } from "./stamp-proofs.ts"
import { startTreeKeeper, type TreeKeeper } from "./tree-keeper.ts"

/** One leadership with one memory, from loading it to losing it. */
export interface Reign {
  readonly memory: Memory
  readonly read: Deciding["read"]
  readonly publisher: Publisher
  /** Clusters of which nothing is published: all, until the log is compared, and those that are recovered. */
  readonly isMuted: (cluster: string) => boolean
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
  readonly order: Answering["order"]
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

/** What a reign has from the allocator that leads. */
export interface ReignParts {
  /** Of the lease that it reigns by. */
  readonly epoch: number
  readonly key: SigningKey
  readonly trust: LeaseTrust
  readonly defects: Defects
  readonly nodes: ReadonlyMap<string, HeardNode>
  readonly answers: RollCallAnswers
  readonly agents: HeardAgents
  readonly proofs: StampProofs
  /** Where checkpoints go; missing: none are signed. */
  readonly checkpoints?: CheckpointOptions | undefined
}

/** Loads the state, starts publishing and answers commands, until the scope closes. */
export const beginReign = ({
  epoch,
  key,
  trust,
  defects,
  nodes,
  answers,
  agents,
  proofs,
  checkpoints
}: ReignParts): Effect.Effect<Reign, Unavailable | Unreadable | MemoryLost, Ledger | Bus | Scope.Scope> =>
  Effect.gen(function* () {
    const ledger = yield* Ledger
    const memory = yield* loadMemory
    if (memory.head.epoch !== epoch) {
      return yield* new MemoryLost({ why: `expected epoch ${epoch} at the log's head, found ${memory.head.epoch}` })
    }
    const comparison = new Comparison()
    const isMuted = (name: string) => {
      const cluster = memory.fleet.clusters.get(name)
      return !comparison.isGood || (cluster !== undefined && memory.fleet.isFrozen(cluster))
    }
    const tree = yield* startTreeKeeper(memory.head, memory.clockOffsetMs, checkpoints)
    const publisher = yield* startPublisher(isMuted)
    const over = yield* Deferred.make<never, MemoryLost | Fenced | ProjectionConflict>()
    const end = (why: string) => Effect.asVoid(Deferred.fail(over, new MemoryLost({ why })))
    const prepared = yield* prepareMemory(memory).pipe(
      Effect.catchDefect((defect) => end(`it cannot be read: ${defect}`)),
      Effect.forkScoped
    )
    const deciding = yield* startDeciding({ memory, key, tree, publisher, defects, trust, over })
    const decideOwn = (command: Command, words?: string) =>
      deciding.decide(envelopeOf("allocator", "system", command, words))
    const recovery = new Recovery({
      memory,
      key,
      nodes,
      answers,
      submit: decideOwn,
      cable: recoveryCable(yield* Bus)
    })
    const witnessesIn = (status: NodeStatus) => proofs.witnesses(memory.fleet, status)
    const goOn = Effect.gen(function* () {
      yield* Fiber.join(prepared)
      yield* deciding.notLost
      comparison.noteGood()
      publisher.publishAnew() // what it passed over before
      yield* recordForgotten(memory, ({ _tag, ...state }, words) =>
        decideOwn({ _tag: "RecordSegment", ...state }, words)
      ).pipe(
        Effect.tapError((error) => Effect.logWarning(`segments are not looked at yet: ${error.message}`)),
        Effect.retry(Schedule.spaced("5 seconds")),
        Effect.forkScoped
      )
      yield* memory.fleet.recovery === undefined ? Effect.void : recovery.run
    })
    yield* compareLog(comparison, { epoch, memory, nodes, answers, witnessesIn, tree, over, decideOwn, goOn }).pipe(
      Effect.tapError((error) => Effect.logWarning(`the log is not compared yet: ${error.message}`)),
      Effect.retry(Schedule.spaced("500 millis")),
      Effect.forkScoped
    )
    const { answer, order } = yield* startAnswering({
      memory,
      comparison,
      deciding,
      defects,
      publisher,
      recovery,
      agents,
      over
    })
    return {
      memory,
      read: deciding.read,
      publisher,
      isMuted,
      tree,
      judged: comparison.judged,
      // An id of its own for each time that the effect is run.
      submit: (actor, actorKind, command, words) =>
        Effect.suspend(() => answer(envelopeOf(actor, actorKind, command, words))),
      order,
      recovery: Effect.map(Clock.currentTimeMillis, (nowMs) => recovery.standing(nowMs)),
      compareAgain: end("it is to be compared again"),
      doubt: Effect.suspend(() =>
        comparison.isChanged
          ? Effect.void
          : Effect.flatMap(Effect.option(differingStreams(ledger)), (found) =>
              Option.isSome(found) && found.value.length > 0 ? end("the state is not what the log says") : Effect.void
            )
      ),
      noteStatus: (status) =>
        Effect.flatMap(isLossShown(memory.head, witnessesIn(status)), (isLost) =>
          isLost ? end("a node holds what the log does not have") : Effect.void
        ),
      over: Deferred.await(over)
    }
  })

const envelopeOf = (
  actor: string,
  actorKind: CommandEnvelope["actorKind"],
  command: Command,
  words?: string
): CommandEnvelope => ({
  commandId: randomUUID(),
  correlationId: randomUUID(),
  actor,
  actorKind,
  command,
  ...(words === undefined ? {} : { words })
})
