import type { CommandReply } from "@lowtide/bus/commands"
import type { Bus, BusUnavailable } from "@lowtide/bus/connection"
import type { NodeStatus } from "@lowtide/bus/status"
import { type Command, codes, newestFleetVersion } from "@lowtide/domain"
import { type Fenced, Ledger, type Unavailable } from "@lowtide/ledger"
import { Deferred, Effect, Exit, type Scope } from "effect"
import type { HeardNode } from "./centre.ts"
import { MemoryLost, type Over } from "./deciding.ts"
import { findLoss, type Loss, unstorable, type Witness } from "./loss.ts"
import type { Memory } from "./memory.ts"
import { differingStreams } from "./replay-check.ts"
import type { RollCallAnswers } from "./roll-call-answers.ts"
import type { TreeKeeper } from "./tree-keeper.ts"

/** How long a log that contradicts its checkpoints is left alone before it is looked at again. */
const compareAgainMs = 10_000

/** How long a command waits for the log to be compared before it is told to come again: less than its sender waits. */
const waitMs = 2_000

/** Whether the log of a reign is to be decided on: it is not before it was compared with what others hold of it. */
export class Comparison {
  readonly #judged = Deferred.makeUnsafe<void>()
  #isGood = false
  #changed: string | undefined

  /** Ends once it is known whether the log is to be decided on. */
  readonly judged = Deferred.await(this.#judged)

  /** Lets who asks wait a while for the log to be compared. */
  readonly awaited = Effect.suspend(() =>
    this.#isGood ? Effect.void : Effect.asVoid(Effect.timeoutOption(this.judged, waitMs))
  )

  /** Whether it was compared, and is to be decided on. */
  get isGood(): boolean {
    return this.#isGood
  }

  /** Whether it was compared, and is not what was signed, or the state is not what it says. */
  get isChanged(): boolean {
    return this.#changed !== undefined
  }

  /** The answer to all commands for as long as nothing is decided; undefined once it is. */
  get refusal(): CommandReply | undefined {
    if (this.#changed !== undefined) return { _tag: "TryAgain", message: this.#changed }
    return this.#isGood ? undefined : notCompared
  }

  noteGood(): void {
    this.#isGood = true
    Deferred.doneUnsafe(this.#judged, Exit.void)
  }

  noteChanged(why: string): void {
    this.#changed = why
    Deferred.doneUnsafe(this.#judged, Exit.void)
  }
}

/** What a log has forgotten may hold addresses, and be announced: nothing is decided before that can be said. */
export const notCompared: CommandReply = {
  _tag: "TryAgain",
  message: "the log is being compared with what NATS and speakers hold"
}

/** What a comparison needs of its reign. */
export interface ComparisonParts {
  readonly epoch: number
  readonly memory: Memory
  readonly nodes: ReadonlyMap<string, HeardNode>
  readonly answers: RollCallAnswers
  /** Where a status shows its node to be. */
  readonly witnessesIn: (status: NodeStatus) => ReadonlyArray<Witness>
  readonly tree: TreeKeeper
  readonly over: Over
  /** Decides a command of the allocator's own, on a log that is not compared yet. */
  readonly decideOwn: (command: Command) => Effect.Effect<CommandReply>
  /** Goes on from a log that is good, and says so to `comparison`. */
  readonly goOn: Effect.Effect<void, MemoryLost, Scope.Scope | Ledger>
}

/**
 * Finds out what the log lacks before anything is decided on it. Goes on with one that is good; ends the reign when it lacks
 * something, so that the next one begins a new incarnation, and after a while when it is not what was signed.
 */
export const compareLog = (
  comparison: Comparison,
  parts: ComparisonParts
): Effect.Effect<void, BusUnavailable | Unavailable | MemoryLost | Fenced, Bus | Ledger | Scope.Scope> =>
  Effect.gen(function* () {
    const { epoch, memory, answers, tree, over, decideOwn, goOn } = parts
    const end = (why: string) => Deferred.fail(over, new MemoryLost({ why }))
    const found = yield* judge(parts)
    switch (found._tag) {
      case "Changed":
        comparison.noteChanged(found.why)
        yield* Effect.logError(`${found.why}. Nothing is decided or published`)
        yield* Effect.sleep(compareAgainMs)
        yield* end("the log is compared again")
        return
      case "Good":
        yield* tree.begin
        // A log that begins has nobody who could not read it.
        if (memory.head.seq === 0) {
          yield* decideOwn({ _tag: "FinaliseFleet", version: newestFleetVersion, isFirst: true })
        }
        return yield* goOn
      case "Lost": {
        const { incarnation, seq } = memory.head
        if (found.loss !== undefined) {
          const { incarnation: begins, why } = found.loss
          yield* Effect.logError(`LT0505 ${codes.LT0505.title}: ${why}. Fix: ${codes.LT0505.fix}`)
          yield* decideOwn({ _tag: "BeginRecovery", incarnation: begins, why, lostAfter: { incarnation, seq } })
          answers.forget()
        }
        yield* (yield* Ledger).raiseIncarnation(epoch, memory.fleet.recovery?.incarnation ?? 0)
        yield* end("a new incarnation begins")
      }
    }
  })

/** What became of a log since it was written. */
type Finding =
  | { readonly _tag: "Good" }
  /** It is not what was signed, or the state is not what it says. */
  | { readonly _tag: "Changed"; readonly why: string }
  /** A part of it is gone; without a loss where the incarnation to begin is in the log already. */
  | { readonly _tag: "Lost"; readonly loss: Loss | undefined }

const judge = ({
  memory,
  nodes,
  witnessesIn,
  tree
}: ComparisonParts): Effect.Effect<Finding, BusUnavailable | Unavailable, Bus | Ledger> =>
  Effect.gen(function* () {
    const begun = memory.fleet.recovery?.incarnation ?? 0
    const witnessed = unstorable(memory.head, begun) ?? (yield* findLoss(memory.head, nodes, witnessesIn))
    const isBegun = memory.head.incarnation >= begun
    const signed = witnessed === undefined && isBegun ? yield* tree.compare : undefined
    if (signed?._tag === "Changed") return changed("LT0530", signed.why)
    const [differing] = yield* differingStreams(yield* Ledger)
    if (differing !== undefined) return changed("LT0533", `${differing.key}: ${differing.what}`)
    const loss = witnessed ?? signed
    return loss === undefined && isBegun ? { _tag: "Good" } : { _tag: "Lost", loss }
  })

const changed = (code: "LT0530" | "LT0533", why: string): Finding => ({
  _tag: "Changed",
  why: `${code} ${codes[code].title}: ${why}. Fix: ${codes[code].fix}`
})
