import type { CommandReply } from "@lowtide/bus/commands"
import type { SigningKey } from "@lowtide/bus/envelope"
import { type CommandEnvelope, codes, type DomainEvent } from "@lowtide/domain"
import {
  type Fenced,
  Ledger,
  makeGroupCommit,
  noPlace,
  type ProjectionConflict,
  type Unavailable
} from "@lowtide/ledger"
import { Cause, Clock, Data, Deferred, Effect, type Scope, Semaphore } from "effect"
import { type DecidedBatch, decideBatch, type ReceivedCommand } from "./decide-batch.ts"
import type { Defects } from "./defects.ts"
import { failpoint, failpointDuring } from "./failpoint.ts"
import type { LeaseTrust } from "./leader.ts"
import { type Memory, noteCommitted } from "./memory.ts"
import { monotonicMs } from "./monotonic-clock.ts"
import { noticesOf } from "./notices.ts"
import type { Publisher } from "./publisher.ts"
import type { TreeKeeper } from "./tree-keeper.ts"

/** The memory no longer fits the database, or may not: it is thrown away, and whoever waits sends again. */
export class MemoryLost extends Data.TaggedError("MemoryLost")<{ readonly why: string }> {
  override get message() {
    return `the allocator loads its state again: ${this.why}`
  }
}

/** Fails once the reign is over. */
export type Over = Deferred.Deferred<never, MemoryLost | Fenced | ProjectionConflict>

/** What is known of a command besides its envelope. */
export type MoreOfCommand = Partial<Omit<ReceivedCommand, "envelope">>

/** Decides commands on the memory and commits what comes of them, many at a time. */
export interface Deciding {
  readonly decide: (envelope: CommandEnvelope, more?: MoreOfCommand) => Effect.Effect<CommandReply>
  /** Whether more wait than are let wait. */
  readonly isFull: Effect.Effect<boolean>
  /** Fails when a batch failed: nothing is known then of what the database has. */
  readonly notLost: Effect.Effect<void, MemoryLost>
  /** Looks at the memory as it is committed: waits for the batch in flight, and fails when that one failed. */
  readonly read: <A>(look: (memory: Memory) => A) => Effect.Effect<A, MemoryLost>
}

/** Starts the loop that commits. A batch that fails ends the reign. */
export const startDeciding = (parts: {
  readonly memory: Memory
  readonly key: SigningKey
  readonly tree: TreeKeeper
  readonly publisher: Publisher
  readonly defects: Defects
  readonly trust: LeaseTrust
  readonly over: Over
}): Effect.Effect<Deciding, never, Ledger | Scope.Scope> =>
  Effect.gen(function* () {
    const { memory, key, tree, publisher, defects, trust, over } = parts
    const ledger = yield* Ledger
    const committing = yield* Semaphore.make(1)
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
    return {
      decide: (envelope, more = {}) =>
        Effect.flatMap(nowText, (receivedAt) => group.submit({ envelope, receivedAt, ...more })).pipe(
          Effect.catchTag("Overloaded", () => Effect.succeed(busy)),
          Effect.catch((error: MemoryLost | Fenced | ProjectionConflict) => tryAgain(error)),
          // The loop ended before the command's turn: that is not an end of whoever asks.
          Effect.catchCause((cause) =>
            Cause.hasInterruptsOnly(cause) ? tryAgain({ message: "this leadership is over" }) : Effect.failCause(cause)
          )
        ),
      isFull: group.isFull,
      notLost,
      read: (look) =>
        notLost.pipe(
          Effect.map(() => look(memory)),
          Semaphore.withPermit(committing)
        )
    }
  })

/** The time now, as ISO 8601 has it. */
export const nowText = Effect.map(Clock.currentTimeMillis, (nowMs) => new Date(nowMs).toISOString())

/** More wait than are let wait: nothing was looked at. */
export const busy: CommandReply = { _tag: "TryAgain", message: "many commands wait; nothing was done", isBusy: true }

/** The answer of whoever could not decide, and knows why. */
export const tryAgain = (error: { readonly message: string }): Effect.Effect<CommandReply> =>
  Effect.succeed({ _tag: "TryAgain", message: error.message })

/** Commits, lets the memory know the new head, and answers the events' leaves. On an unknown outcome the memory goes, whatever the outcome was. */
const writeBatch = (
  ledger: Ledger["Service"],
  memory: Memory,
  decided: DecidedBatch
): Effect.Effect<ReadonlyArray<Uint8Array>, MemoryLost | Fenced | ProjectionConflict> =>
  failpointDuring("sent", ledger.append(decided.batch)).pipe(
    Effect.catchTag("Unavailable", (error) => notWritten(error)),
    Effect.map((committed) => {
      noteCommitted(memory, decided.batch, committed)
      return committed.leaves
    })
  )

const notWritten = (error: Unavailable): Effect.Effect<never, MemoryLost> => {
  if (error.operation === noPlace) {
    const why = `LT0534 ${codes.LT0534.title}: ${error.message}. Fix: ${codes.LT0534.fix}`
    return Effect.fail(new MemoryLost({ why }))
  }
  // What the database cannot store it will not store the next time either: that is the command's fault.
  return error.isUnstorable ? Effect.die(error) : Effect.fail(new MemoryLost({ why: error.message }))
}

/** What the allocator finds wrong goes to its log once, when it is committed. */
const sayNotices = (events: ReadonlyArray<DomainEvent>): Effect.Effect<void> =>
  Effect.forEach(
    noticesOf(events),
    ({ severity, text }) => (severity === "error" ? Effect.logError(text) : Effect.logWarning(text)),
    { discard: true }
  )
