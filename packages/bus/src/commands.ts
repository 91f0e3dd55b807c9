import { isTooDeep, nestingText } from "@lowtide/domain/config/nesting"
import { storableText, unstorableIn } from "@lowtide/domain/config/storable"
import { AgentCommand } from "@lowtide/domain/fleet/command-schema"
import { newestFleetVersion } from "@lowtide/domain/fleet/fleet-version"
import { errors } from "@nats-io/transport-node"
import { Data, Effect, Exit, FiberSet, Result, Schedule, Schema, type Scope } from "effect"
import { Bus, BusUnavailable, busCall } from "./connection.ts"
import type { SendWindow } from "./send-window.ts"
import { commandFilter, commandSubject } from "./subjects.ts"

/** What a command led to. */
export const CommandReply = Schema.Union([
  /** Carried out; the events from `seqFrom` to `seqTo` are its own, none when both are null. Agents are told where the log ends. */
  Schema.TaggedStruct("Done", {
    seqFrom: Schema.NullOr(Schema.Int),
    seqTo: Schema.NullOr(Schema.Int),
    end: Schema.optionalKey(Schema.Struct({ incarnation: Schema.Int, seq: Schema.Int }))
  }),
  /** Will never be carried out as it stands; `fix` where that is another than the code's own. */
  Schema.TaggedStruct("Refused", {
    code: Schema.String,
    message: Schema.String,
    fix: Schema.optionalKey(Schema.String)
  }),
  /** Nothing is known to be done: send it again, with the same id. Nothing is done for certain where it was too busy to look. */
  Schema.TaggedStruct("TryAgain", { message: Schema.String, isBusy: Schema.optionalKey(Schema.Boolean) })
])
export type CommandReply = typeof CommandReply.Type

const decodeReply = Schema.decodeUnknownResult(Schema.fromJsonString(CommandReply))
const decodeCommand = Schema.decodeUnknownResult(Schema.fromJsonString(AgentCommand))

/** How long one try waits for its answer; a commit that takes longer is asked for again. */
const replyTimeoutMs = 5_000

/** How long commands that are on their way to an allocator that stops are waited for. */
const drainMs = 1_000

/** How soon a command that met a busy allocator is sent again; how many are, the window sees to. */
const busyPauseMs = 200

/** The allocator was too busy to look at the command: it is sent again as if it never had been. */
class Busy extends Data.TaggedError("Busy")<{ readonly message: string }> {}

/**
 * Sends a command until it is answered for good. Repeats carry the same id, so it is decided once. One that the server
 * would not carry is refused here (LT0509). Each try takes its place in the window, if there is one.
 */
export const sendCommand = (
  cluster: string,
  envelope: AgentCommand,
  window?: SendWindow
): Effect.Effect<Exclude<CommandReply, { readonly _tag: "TryAgain" }>, never, Bus> => {
  let attempts = 0
  return Effect.suspend(() => {
    const asked = askOnce(cluster, commandText(envelope, ++attempts))
    return (window === undefined ? asked : window.ask(asked, isOverload)).pipe(
      Effect.retry({
        schedule: Schedule.spaced(busyPauseMs).pipe(Schedule.jittered),
        while: (error) => error._tag === "Busy"
      })
    )
  }).pipe(
    Effect.tapError((error) =>
      Effect.logDebug(`command ${envelope.command._tag} ${envelope.commandId} is tried again: ${error.message}`)
    ),
    Effect.retry(
      Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("2 seconds")]).pipe(Schedule.jittered)
    ),
    Effect.orDie
  )
}

/** A command as it is sent: with the version that its sender knows. */
export const commandText = (envelope: AgentCommand, attempt: number): string =>
  JSON.stringify({ ...envelope, fleetVersion: newestFleetVersion, attempt })

const askOnce = Effect.fnUntraced(function* (cluster: string, text: string) {
  const connection = yield* (yield* Bus).connection
  const bytesMax = connection.info?.max_payload ?? Number.POSITIVE_INFINITY
  const bytes = Buffer.byteLength(text)
  if (bytes > bytesMax) {
    const message = `expected a command of at most ${bytesMax} octets, the server's max_payload, found one of ${bytes}`
    return { _tag: "Refused" as const, code: "LT0509", message }
  }
  const message = yield* busCall("command", () =>
    connection.request(commandSubject(cluster), text, { timeout: replyTimeoutMs })
  )
  const reply = decodeReply(message.string())
  if (Result.isFailure(reply)) return yield* tryAgain(`an answer that is none: ${message.string().slice(0, 80)}`)
  if (reply.success._tag !== "TryAgain") return reply.success
  const { message: why, isBusy } = reply.success
  return yield* isBusy === true ? new Busy({ message: why }) : tryAgain(why)
})

/** An allocator that says so, or that does not come to answering. */
const isOverload = (error: Busy | BusUnavailable): boolean =>
  error._tag === "Busy" || error.cause instanceof errors.TimeoutError

const tryAgain = (message: string) => new BusUnavailable({ operation: "command", cause: new Error(message) })

/**
 * Answers commands of every cluster while the scope is open. A command that cannot be read, or that speaks of another
 * cluster than its subject, is refused here. Whoever waits when the scope closes, or when `handle` dies, is told to try
 * again.
 */
export const serveCommands = (
  handle: (envelope: AgentCommand) => Effect.Effect<CommandReply>
): Effect.Effect<void, never, Bus | Scope.Scope> =>
  Effect.gen(function* () {
    const connection = yield* (yield* Bus).connection
    const run = yield* FiberSet.makeRuntime<never>()
    yield* Effect.acquireRelease(
      Effect.sync(() =>
        connection.subscribe(commandFilter, {
          queue: "allocator",
          callback: (error, message) => {
            if (error !== null) return
            // Whoever asks chooses where the answer goes, and the server does not ask whether it may write there.
            if (message.reply?.startsWith("_INBOX.") !== true) return
            run(
              Effect.onExit(
                answer(message.subject, message.string(), handle),
                (exit) =>
                  Effect.try({
                    try: () => message.respond(JSON.stringify(Exit.isSuccess(exit) ? exit.value : unanswered)),
                    catch: (cause) => new BusUnavailable({ operation: "reply", cause })
                  }).pipe(Effect.ignore) // a connection that is closed: the command is asked again
              )
            )
          }
        })
      ),
      // Those on their way are still answered; without a server there is nothing on its way.
      (subscription) =>
        busCall("drain", () => subscription.drain()).pipe(
          Effect.timeout(drainMs),
          Effect.catch(() => Effect.sync(() => subscription.unsubscribe()))
        )
    )
  })

const unanswered: CommandReply = { _tag: "TryAgain", message: "the allocator that was asked has stopped" }

const answer = (
  subject: string,
  text: string,
  handle: (envelope: AgentCommand) => Effect.Effect<CommandReply>
): Effect.Effect<CommandReply> => {
  const decoded = decodeCommand(text)
  if (Result.isFailure(decoded)) {
    return Effect.succeed({
      _tag: "Refused",
      code: "LT0507",
      message: `malformed command: ${decoded.failure.message}`
    })
  }
  const fault = faultIn(decoded.success, text)
  if (fault !== undefined) {
    return Effect.succeed({ _tag: "Refused", code: "LT0507", message: `malformed command: ${fault}` })
  }
  return commandSubject(decoded.success.command.cluster) === subject
    ? Effect.tapDefect(handle(decoded.success), (defect) =>
        Effect.logError(`LT0506 ${decoded.success.command._tag} ${decoded.success.commandId}: ${String(defect)}`)
      )
    : Effect.succeed({ _tag: "Refused", code: "LT0508", message: foreign(subject, decoded.success) })
}

/** What keeps a command that can be read from being written again, as events are. An object lies two levels in it. */
const faultIn = (envelope: AgentCommand, text: string): string | undefined => {
  if (isTooDeep(envelope, 2)) return `expected ${nestingText}, found deeper ones`
  const unstorable = text.includes("\\u") ? unstorableIn(envelope) : undefined
  return unstorable === undefined ? undefined : `expected ${storableText}, found ${unstorable}`
}

const foreign = (subject: string, { command }: AgentCommand): string =>
  `expected a command about the cluster of ${subject}, found cluster ${JSON.stringify(command.cluster)}`
