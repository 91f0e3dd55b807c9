import { Effect } from "effect"
import { Command } from "effect/cli"
import { print } from "../root.ts"

/** The release of this command. */
export const version = "0.1.0"

/** `lowtide version`. */
export const versionVerb = Command.make("version", {}, () =>
  Effect.asVoid(print({ version }, () => `lowtide ${version}`))
).pipe(
  Command.withDescription("Print the version"),
  Command.withExamples([{ command: "lowtide version -o json", description: "The version for scripts" }])
)
