import { existsSync } from "node:fs"
import { join } from "node:path"
import { layerNodeClient, NodeClient } from "@lowtide/api/client"
import { Effect, Option } from "effect"
import { Flag } from "effect/cli"
import { faultOf } from "./ask.ts"
import { CliFault, exitCodes } from "./fault.ts"
import { Surroundings } from "./surroundings.ts"

/** The speaker's socket when nothing names it. */
export const defaultSocket = "/var/lib/lowtide/speaker/control.sock"

/** How long a speaker may take to answer, seconds: it needs nobody else. */
const answerTimeoutSeconds = 10

/** `--socket`. */
export const socketFlag = Flag.String("socket").pipe(
  Flag.withDescription(
    `The speaker's own socket; else LOWTIDE_CONTROL_SOCKET, control.sock in LOWTIDE_STATE_DIR, ${defaultSocket}`
  ),
  Flag.optional
)

/** Asks the speaker of this node over its own socket, which needs neither centre nor NATS. */
export const askNode = <A, E extends { readonly _tag: string; readonly message: string }>(
  socket: Option.Option<string>,
  question: (client: NodeClient["Service"]) => Effect.Effect<A, E>
): Effect.Effect<A, CliFault, Surroundings> =>
  Effect.gen(function* () {
    const { args, user, controlSocketVariable, stateFolderVariable } = yield* Surroundings
    const inState = stateFolderVariable === undefined ? undefined : join(stateFolderVariable, "control.sock")
    const path = Option.getOrElse(socket, () => controlSocketVariable ?? inState ?? defaultSocket)
    if (!existsSync(path)) return yield* noSpeaker(path, "no such socket")
    return yield* NodeClient.use(question).pipe(
      Effect.provide(layerNodeClient(path, user)),
      Effect.timeout(`${answerTimeoutSeconds} seconds`),
      Effect.mapError((error) => {
        const code = socketCode(error)
        if (code === "EACCES" || code === "EPERM") return notAllowed(path)
        if (code !== undefined) return noSpeaker(path, code)
        return faultOf(error, `the speaker at ${path}`, args)
      })
    )
  })

const noSpeaker = (path: string, found: string): CliFault =>
  new CliFault({
    exitCode: exitCodes.unreachable,
    what: `socket ${path}: expected a speaker that runs on this node, found ${found}`,
    next: "name it with --socket (control.sock in the speaker's LOWTIDE_STATE_DIR), run this on the node itself, and see whether its speaker runs. This says nothing of what is announced"
  })

const notAllowed = (path: string): CliFault =>
  new CliFault({
    exitCode: exitCodes.forbidden,
    what: `socket ${path}: expected root or the speaker's user, found another one`,
    next: "run it with sudo"
  })

/** The system's code of what keeps a socket from answering, from whichever error holds it. */
const socketCode = (error: unknown): string | undefined => {
  if (typeof error !== "object" || error === null) return undefined
  const { code, cause, reason } = error as {
    readonly code?: unknown
    readonly cause?: unknown
    readonly reason?: unknown
  }
  if (typeof code === "string" && /^E[A-Z]+$/.test(code)) return code
  return socketCode(cause) ?? socketCode(reason)
}
