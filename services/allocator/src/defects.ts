import type { CommandReply } from "@lowtide/bus/commands"
import type { CommandEnvelope } from "@lowtide/domain"
import { Effect } from "effect"
import { DecisionDefect, type ReceivedCommand } from "./decide-batch.ts"

/**
 * Commands that met a defect of ours, for as long as this process runs: one that breaks an invariant is not tried for
 * ever, and does not take along the commands that happen to be in its batch. The ids grow by one a defect, each of which
 * is logged.
 */
export class Defects {
  readonly #undecidable = new Set<string>()
  /** Of each batch that broke as a whole, until every command of it is decided alone. */
  readonly #suspected = new Set<string>()

  /** The answer to a command that is known to break, or undefined. */
  refusal({ command, commandId }: CommandEnvelope): CommandReply | undefined {
    if (!this.#undecidable.has(commandId)) return undefined
    const message = `this ${command._tag} meets a defect of the allocator; its log has the details`
    return { _tag: "Refused", code: "LT0506", message }
  }

  /** Notes whose fault it was, or, where it is not known which of the batch, that it was one of them. */
  blame(commands: ReadonlyArray<ReceivedCommand>, defect: unknown): void {
    const [only, ...others] = commands
    if (defect instanceof DecisionDefect) this.#undecidable.add(defect.commandId)
    else if (only !== undefined && others.length === 0) this.#undecidable.add(only.envelope.commandId)
    else for (const { envelope } of commands) this.#suspected.add(envelope.commandId)
  }

  /**
   * Commits the commands together; where one of them is suspected, one by one: what is committed before the guilty one
   * stays so.
   */
  commitApart<E>(
    commands: ReadonlyArray<ReceivedCommand>,
    commit: (part: ReadonlyArray<ReceivedCommand>) => Effect.Effect<ReadonlyArray<CommandReply>, E>
  ): Effect.Effect<ReadonlyArray<CommandReply>, E> {
    if (!commands.some(({ envelope }) => this.#suspected.has(envelope.commandId))) return commit(commands)
    return Effect.forEach(commands, (command) =>
      Effect.tap(commit([command]), () => Effect.sync(() => this.#suspected.delete(command.envelope.commandId)))
    ).pipe(Effect.map((replies) => replies.flat()))
  }
}
