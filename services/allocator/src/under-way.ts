import type { CommandReply } from "@lowtide/bus/commands"
import { Deferred, Effect, Exit } from "effect"

/**
 * Commands that are being answered. A repeat that overtakes the answer to an earlier sending is given that answer: decided
 * a second time, by then perhaps on another state, its result would stand in the way of the first.
 */
export class UnderWay {
  readonly #answers = new Map<string, Deferred.Deferred<CommandReply>>()

  once<R>(commandId: string, work: Effect.Effect<CommandReply, never, R>): Effect.Effect<CommandReply, never, R> {
    return Effect.suspend(() => {
      const known = this.#answers.get(commandId)
      if (known !== undefined) return Deferred.await(known)
      const answer = Deferred.makeUnsafe<CommandReply>()
      this.#answers.set(commandId, answer)
      return Effect.onExit(work, (exit) =>
        Effect.suspend(() => {
          this.#answers.delete(commandId)
          return Deferred.succeed(answer, Exit.isSuccess(exit) ? exit.value : ended)
        })
      )
    })
  }
}

const ended: CommandReply = { _tag: "TryAgain", message: "the allocator that was asked has stopped" }
