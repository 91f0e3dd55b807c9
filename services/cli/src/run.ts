import { userInfo } from "node:os"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Config, Effect, Exit, Layer, Option } from "effect"
import { CliConfig, CliError, CliOutput, Command, Completions, GlobalFlag } from "effect/cli"
import { CliFault, exitCodes, Unmet } from "./fault.ts"
import { root } from "./root.ts"
import { Surroundings } from "./surroundings.ts"
import { allocator } from "./verbs/allocator.ts"
import { audit } from "./verbs/audit.ts"
import { backup, restore } from "./verbs/backup.ts"
import { bgp } from "./verbs/bgp.ts"
import { cluster } from "./verbs/cluster.ts"
import { completion } from "./verbs/completion.ts"
import { diff } from "./verbs/diff.ts"
import { fleet } from "./verbs/fleet.ts"
import { get } from "./verbs/get.ts"
import { history } from "./verbs/history.ts"
import { key } from "./verbs/key.ts"
import { ledger } from "./verbs/ledger.ts"
import { lint } from "./verbs/lint.ts"
import { node } from "./verbs/node.ts"
import { apply, remove, reserve } from "./verbs/objects.ts"
import { approve, brake, reject, vip } from "./verbs/orders.ts"
import { preview } from "./verbs/preview.ts"
import { recover } from "./verbs/recover.ts"
import { token } from "./verbs/token.ts"
import { trace } from "./verbs/trace.ts"
import { version, versionVerb } from "./verbs/version.ts"
import { who } from "./verbs/who.ts"
import { why } from "./verbs/why.ts"

const lowtide = root.pipe(
  Command.withSubcommands([
    get,
    who,
    history,
    diff,
    why,
    trace,
    audit,
    lint,
    preview,
    bgp,
    reserve,
    apply,
    remove,
    node,
    vip,
    brake,
    approve,
    reject,
    cluster,
    allocator,
    fleet,
    key,
    token,
    recover,
    ledger,
    backup,
    restore,
    completion(describe),
    versionVerb
  ])
)

function describe(): Completions.CommandDescriptor {
  return Completions.fromCommand(lowtide)
}

/** Carries out one command line and answers its exit code; nothing is thrown, and no stack trace is printed. */
export const runCli = (
  args: ReadonlyArray<string>,
  surroundings: Omit<Surroundings["Service"], "args">
): Effect.Effect<number> =>
  Command.runWith(lowtide, { version })(args).pipe(
    Effect.provide(
      Layer.mergeAll(
        NodeServices.layer,
        Layer.succeed(Surroundings, { ...surroundings, args }),
        CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] }),
        CliOutput.layerPresenter(presenter(surroundings))
      )
    ),
    Effect.exit,
    Effect.map((exit) => exitCodeOf(exit, surroundings))
  )

/** Help goes to the output stream when it is asked for; a command line at fault gets its reason, not the whole manual. */
const presenter = ({ out, err, hasColour }: Omit<Surroundings["Service"], "args">): CliOutput.Presenter => {
  const formatter = CliOutput.defaultFormatter({ colors: hasColour })
  return {
    present: (event) =>
      Effect.sync(() => {
        switch (event._tag) {
          case "Help":
            return out(formatter.formatHelpDoc(event.helpDoc).trimEnd())
          case "Version":
            return out(`${event.name} ${event.version}`)
          case "InvalidInvocation":
            return err(
              `error: ${leading(event.errors).map(parserWords).join("; ")}; see \`${event.commandPath.join(" ")} --help\``
            )
        }
      })
  }
}

/** A flag that there is none of is what the other faults come from: the parser takes it for the end of the flag before. */
const leading = (errors: ReadonlyArray<CliError.CliError>): ReadonlyArray<CliError.CliError> => {
  const unknown = errors.find(({ _tag }) => _tag === "UnrecognizedOption")
  return unknown === undefined ? errors : [unknown]
}

/** A fault that the parser found, with what it takes to be meant. */
const parserWords = ({ message }: CliError.CliError): string => {
  const [what = "", likely] = message.split(/\s+Did you mean this\?\s+/)
  return likely === undefined
    ? oneLine(what)
    : `${oneLine(what)} (did you mean ${likely.trim().split(/\s+/).join(" or ")}?)`
}

const oneLine = (text: string): string => text.replace(/\s+/g, " ").trim()

const exitCodeOf = (exit: Exit.Exit<void, unknown>, { err }: Omit<Surroundings["Service"], "args">): number => {
  if (Exit.isSuccess(exit)) return exitCodes.ok
  const error = Cause.findErrorOption(exit.cause)
  if (Option.isNone(error)) {
    err(`error: a fault of this command itself: ${oneLine(String(Cause.squash(exit.cause)))}; please report it`)
    return exitCodes.unmet
  }
  if (error.value instanceof Unmet) return exitCodes.unmet
  if (error.value instanceof CliFault) {
    err(error.value.message)
    return error.value.exitCode
  }
  // What the parser found was told by the presenter; `lowtide` alone printed its help.
  return CliError.isCliError(error.value) && error.value._tag === "ShowHelp" && error.value.errors.length === 0
    ? exitCodes.ok
    : exitCodes.usage
}

const settings = Effect.all({
  serverVariable: Config.String("LOWTIDE_SERVER").pipe(Config.option),
  tokenVariable: Config.String("LOWTIDE_TOKEN").pipe(Config.option),
  caFileVariable: Config.String("LOWTIDE_CA_FILE").pipe(Config.option),
  databaseVariable: Config.String("DATABASE_URL").pipe(Config.option),
  checkpointKeysVariable: Config.String("LOWTIDE_CHECKPOINT_KEYS").pipe(Config.option),
  controlSocketVariable: Config.String("LOWTIDE_CONTROL_SOCKET").pipe(Config.option),
  stateFolderVariable: Config.String("LOWTIDE_STATE_DIR").pipe(Config.option),
  noColour: Config.String("NO_COLOR").pipe(Config.option)
})

/** A user id without a name, as containers have them, is told by its number. */
const userName = (): string => {
  try {
    return userInfo().username
  } catch {
    return `uid-${process.getuid?.() ?? "unknown"}`
  }
}

/** The process: reads its environment, runs the command line, sets the exit code. */
export const main = async (): Promise<void> => {
  const { serverVariable, tokenVariable, caFileVariable, databaseVariable, checkpointKeysVariable, ...more } =
    await Effect.runPromise(settings)
  const { controlSocketVariable, stateFolderVariable, noColour } = more
  const isSet = (option: Option.Option<string>) => Option.isSome(option) && option.value !== ""
  // Whoever reads may stop reading, as `head` does: that is no fault.
  process.stdout.on("error", ({ code }: NodeJS.ErrnoException) =>
    process.exit(code === "EPIPE" ? exitCodes.ok : exitCodes.unmet)
  )
  process.exitCode = await Effect.runPromise(
    runCli(process.argv.slice(2), {
      out: (text) => process.stdout.write(`${text}\n`),
      write: (octets) => new Promise((resolve) => process.stdout.write(octets, () => resolve())),
      err: (text) => process.stderr.write(`${text}\n`),
      hasColour: process.stdout.isTTY === true && !isSet(noColour),
      screenColumns: process.stdout.isTTY === true && process.stdout.columns > 0 ? process.stdout.columns : undefined,
      nowMs: Date.now(),
      timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      workingFolder: process.cwd(),
      serverVariable: isSet(serverVariable) ? Option.getOrUndefined(serverVariable) : undefined,
      tokenVariable: isSet(tokenVariable) ? Option.getOrUndefined(tokenVariable) : undefined,
      caFileVariable: isSet(caFileVariable) ? Option.getOrUndefined(caFileVariable) : undefined,
      databaseVariable: isSet(databaseVariable) ? Option.getOrUndefined(databaseVariable) : undefined,
      checkpointKeysVariable: isSet(checkpointKeysVariable) ? Option.getOrUndefined(checkpointKeysVariable) : undefined,
      controlSocketVariable: isSet(controlSocketVariable) ? Option.getOrUndefined(controlSocketVariable) : undefined,
      stateFolderVariable: isSet(stateFolderVariable) ? Option.getOrUndefined(stateFolderVariable) : undefined,
      user: userName()
    })
  )
}
