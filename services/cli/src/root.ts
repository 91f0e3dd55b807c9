import { Effect, type Option } from "effect"
import { Command, Flag } from "effect/cli"
import { usageFault } from "./fault.ts"
import { jsonParts } from "./json-text.ts"
import { Surroundings } from "./surroundings.ts"

/** How an answer is printed. `wide` only adds columns; `json` is the API's own object. */
export type OutputFormat = "table" | "wide" | "json"

/** `sarif` (OASIS SARIF 2.1.0) is a format of findings in files, so of `lint` alone. */
const formats = ["table", "wide", "json", "sarif"] as const

/** The command with the flags that every verb takes, before or after it. */
export const root = Command.make("lowtide").pipe(
  Command.withDescription(
    "Asks a Lowtide allocator about the fleet: what is announced, who holds what, and why, and gives it orders; lint and preview need none"
  ),
  Command.withSharedFlags({
    server: Flag.String("server").pipe(
      Flag.withAlias("s"),
      Flag.withDescription(
        "http://HOST:PORT, https://HOST:PORT or unix:/PATH; else LOWTIDE_SERVER, a demo that runs in this folder, http://127.0.0.1:7070"
      ),
      Flag.optional
    ),
    tokenFile: Flag.String("token-file").pipe(
      Flag.withDescription("A file with the token that says who you are; else LOWTIDE_TOKEN"),
      Flag.optional
    ),
    caFile: Flag.String("ca-file").pipe(
      Flag.withDescription(
        "A file of certificates, PEM, whom to believe that an https:// server is the one it says; else LOWTIDE_CA_FILE, the system's"
      ),
      Flag.optional
    ),
    output: Flag.Literals("output", formats).pipe(
      Flag.withAlias("o"),
      Flag.withDescription("How to print the answer; sarif for lint alone"),
      Flag.withDefault("table")
    ),
    json: Flag.Boolean("json").pipe(Flag.withDescription("The same as -o json"), Flag.withDefault(false))
  })
)

/** The format asked for, by either flag, where findings are what is printed. */
export const findingsFormat = Effect.map(root, ({ output, json }) => (json ? "json" : output))

/** The format asked for, by either flag. */
export const outputFormat = Effect.flatMap(findingsFormat, (format) =>
  format === "sarif"
    ? usageFault("output: expected table, wide or json, found sarif", "it is a format of `lowtide lint`")
    : Effect.succeed<OutputFormat>(format)
)

/** The flags that name the server, and say who asks it. */
export const serverFlags = Effect.map(
  root,
  ({ server, tokenFile, caFile }): ServerFlags => ({ server, tokenFile, caFile })
)

/** As written on the command line. */
export interface ServerFlags {
  readonly server: Option.Option<string>
  readonly tokenFile: Option.Option<string>
  readonly caFile: Option.Option<string>
}

/** Prints an answer: as JSON, or as `inWords` says. */
export const print = Effect.fnUntraced(function* (answer: unknown, inWords: (format: OutputFormat) => string) {
  const { out, write } = yield* Surroundings
  const format = yield* outputFormat
  if (format === "json") {
    return yield* Effect.promise(async () => {
      for (const part of jsonParts(answer)) await write(Buffer.from(part))
      await write(Buffer.from("\n"))
    })
  }
  const text = inWords(format)
  if (text !== "") out(text)
})
