import { AgentCommand } from "@lowtide/domain/fleet/command-schema"
import { Effect, Result, Schedule, Schema, type Scope } from "effect"
import { Bus, type BusUnavailable, busCall } from "./connection.ts"
import { commandFilter, commandSubject } from "./subjects.ts"

/** What a command led to. */
export const CommandReply = Schema.Union([
  /** Carried out; the events from `seqFrom` to `seqTo` are its own, none when both are null. */
  Schema.TaggedStruct("Done", { seqFrom: Schema.NullOr(Schema.Int), seqTo: Schema.NullOr(Schema.Int) }),
  /** Will never be carried out as it stands. */
  Schema.TaggedStruct("Refused", { code: Schema.String, message: Schema.String }),
  /** Nothing is known to be done: send it again, with the same id. */
  Schema.TaggedStruct("TryAgain", { message: Schema.String })
])
export type CommandReply = typeof CommandReply.Type

const decodeReply = Schema.decodeUnknownResult(Schema.fromJsonString(CommandReply))
const decodeCommand = Schema.decodeUnknownResult(Schema.fromJsonString(AgentCommand))

/** How long one try waits for its answer; a commit that takes longer is asked for again. */
const replyTimeoutMs = 5_000

/** Sends a command until it is answered for good. Repeats carry the same id, so it is decided once. */
export const sendCommand = (
  cluster: string,
  envelope: AgentCommand
): Effect.Effect<Exclude<CommandReply, { readonly _tag: "TryAgain" }>, never, Bus> => {
  let attempts = 0
  return Effect.suspend(() => askOnce(cluster, JSON.stringify({ ...envelope, attempt: ++attempts }))).pipe(
    Effect.tapError((error) =>
      Effect.logDebug(`command ${envelope.command._tag} ${envelope.commandId} is tried again: ${error.message}`)
    ),
    Effect.retry(
      Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("2 seconds")]).pipe(Schedule.jittered)
    ),
    Effect.orDie
  )
}

const askOnce = Effect.fnUntraced(function* (cluster: string, text: string) {
  const { connection } = yield* Bus
  const message = yield* busCall("command", () =>
    connection.request(commandSubject(cluster), text, { timeout: replyTimeoutMs })
  )
  const reply = decodeReply(message.string())
  if (Result.isFailure(reply)) return yield* tryAgain(`an answer that is none: ${message.string().slice(0, 80)}`)
  if (reply.success._tag === "TryAgain") return yield* tryAgain(reply.success.message)
  return reply.success
})

const tryAgain = (message: string): Effect.Effect<never, BusUnavailable> =>
  busCall("command", () => Promise.reject(new Error(message)))

/**
 * Answers commands of every cluster while the scope is open. A command that cannot be read, or that speaks of another
 * cluster than its subject, is refused here.
 */
export const serveCommands = (
  handle: (envelope: AgentCommand) => Effect.Effect<CommandReply>
): Effect.Effect<void, never, Bus | Scope.Scope> =>
  Effect.gen(function* () {
    const { connection } = yield* Bus
    const run = Effect.runForkWith(yield* Effect.context<never>())
    yield* Effect.acquireRelease(
      Effect.sync(() =>
        connection.subscribe(commandFilter, {
          queue: "allocator",
          callback: (error, message) => {
            if (error !== null) return
            const respond = (reply: CommandReply) => Effect.sync(() => message.respond(JSON.stringify(reply)))
            const decoded = decodeCommand(message.string())
            if (Result.isFailure(decoded)) {
              run(
                respond({ _tag: "Refused", code: "LT0507", message: `malformed command: ${decoded.failure.message}` })
              )
            } else if (commandSubject(decoded.success.command.cluster) !== message.subject) {
              run(respond({ _tag: "Refused", code: "LT0508", message: foreign(message.subject, decoded.success) }))
            } else run(Effect.flatMap(handle(decoded.success), respond))
          }
        })
      ),
      (subscription) => Effect.sync(() => subscription.unsubscribe())
    )
  })

const foreign = (subject: string, { command }: AgentCommand): string =>
  `expected a command about the cluster of ${subject}, found cluster ${JSON.stringify(command.cluster)}`
