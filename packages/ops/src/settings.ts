import { Config, Data, Effect, Option, Result } from "effect"

/** Settings that a process cannot start with: all of them, a line each. */
export class SettingsFault extends Data.TaggedError("SettingsFault")<{ readonly faults: ReadonlyArray<string> }> {
  override get message() {
    return this.faults.join("\n")
  }
}

/** A setting that may be left out; an empty variable counts as one that is not set. */
export const optionalText = (name: string): Config.Config<string | undefined> =>
  Config.String(name).pipe(
    Config.option,
    Config.map((text) => (Option.isSome(text) && text.value !== "" ? text.value : undefined))
  )

/** Settings by the names under which the process knows them. */
type Settings = Readonly<Record<string, Config.Config<unknown>>>

type Read<Wanted extends Settings> = { readonly [Name in keyof Wanted]: Config.Success<Wanted[Name]> }

/** Reads every setting, and fails with all that are missing or wrong rather than with the first. */
export const readSettings = <const Wanted extends Settings>(
  wanted: Wanted
): Effect.Effect<Read<Wanted>, SettingsFault> =>
  Effect.gen(function* () {
    const read: Record<string, unknown> = {}
    const faults: Array<string> = []
    for (const [name, config] of Object.entries(wanted)) {
      const result = yield* Effect.result(
        Effect.gen(function* () {
          return yield* config
        })
      )
      if (Result.isSuccess(result)) read[name] = result.success
      else faults.push(yield* oneLine(result.failure.cause.message))
    }
    if (faults.length > 0) return yield* new SettingsFault({ faults })
    return read as Read<Wanted>
  })

/** `Expected a string\n  at ["LOWTIDE_CLUSTER"]` becomes `LOWTIDE_CLUSTER: expected a value, found nothing`, with where to read on. */
const oneLine = Effect.fnUntraced(function* (message: string) {
  const match = /^([\s\S]*?)\s+at \["([^"]+)"\]\s*$/.exec(message)
  if (match === null) return message.replaceAll(/\s+/g, " ")
  const [, expected = "", name = ""] = match
  const found = yield* Effect.orElseSucceed(optionalText(name), () => undefined)
  if (found === undefined) return `${name}: expected a value, found nothing; docs/reference/settings.md says what it is`
  const wanted = expected.replaceAll(/\s+/g, " ").replace(/^Expected a string representing/, "expected")
  return `${name}: ${wanted.charAt(0).toLowerCase()}${wanted.slice(1)}, found ${JSON.stringify(found)}`
})

/** `HOST:PORT`, `[IPV6]:PORT` or `unix:/PATH`: where a process listens. */
export type ListenAddress =
  | { readonly _tag: "Tcp"; readonly host: string; readonly port: number }
  | { readonly _tag: "UnixSocket"; readonly path: string }

/** Reads a listen address; port 0 is any that is free. */
export const parseListen = (text: string): Result.Result<ListenAddress, string> => {
  if (text.startsWith("unix:/")) return Result.succeed({ _tag: "UnixSocket", path: text.slice("unix:".length) })
  const parts = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text)
  const port = Number(parts?.[3] ?? Number.NaN)
  return parts === null || port > 65_535
    ? Result.fail(`expected HOST:PORT or unix:/PATH, found ${JSON.stringify(text)}`)
    : Result.succeed({ _tag: "Tcp", host: parts[1] ?? parts[2] ?? "", port })
}
