import { Effect } from "effect"
import { Flag } from "effect/cli"
import { CliFault, exitCodes } from "../fault.ts"

/** The folder of an installation; `pathsIn` says what is in it. */
export const outFlag = Flag.String("out").pipe(
  Flag.withDescription("The installation's folder; secrets in it are readable by their owner alone")
)

/** Work on files; what goes wrong with them is a fault of the input. */
export const offline = <A>(work: () => Promise<A>): Effect.Effect<A, CliFault> =>
  Effect.tryPromise({
    try: work,
    catch: (cause) =>
      cause instanceof CliFault
        ? cause
        : new CliFault({
            exitCode: exitCodes.usage,
            what: cause instanceof Error ? cause.message.replaceAll(/\s+/g, " ") : String(cause),
            next: "check the folder that --out names"
          })
  })
