import { Effect } from "effect"
import { Argument, Command, Completions } from "effect/cli"
import { print } from "../root.ts"

const shells = ["bash", "zsh", "fish", "powershell"] as const

/** `lowtide completion SHELL`, of the command that `describe` describes: itself, so only once it is whole. */
export const completion = (describe: () => Completions.CommandDescriptor) =>
  Command.make(
    "completion",
    { shell: Argument.Literals("shell", shells).pipe(Argument.withDescription("The shell that completes")) },
    ({ shell }) => {
      const script = Completions.generate("lowtide", shell, describe())
      return Effect.asVoid(print({ shell, script }, () => script))
    }
  ).pipe(
    Command.withDescription("Print what a shell completes this command with"),
    Command.withExamples([
      { command: "source <(lowtide completion bash)", description: "In this bash" },
      { command: "lowtide completion fish > ~/.config/fish/completions/lowtide.fish", description: "For every fish" }
    ])
  )
