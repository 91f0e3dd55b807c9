import { Effect, Result } from "effect"

/**
 * Places at which a test has an allocator die, hang or break: between deciding a batch and sending it, once it is sent,
 * once it is committed, before its messages go to NATS, and after some of them went.
 */
export const failpoints = ["after-decide", "sent", "after-commit", "before-publish", "mid-batch"] as const
export type Failpoint = (typeof failpoints)[number]

/** What happens there. `exit`: as by `kill -9`; `hang`: no end; `throw`: a defect. */
const actions = ["exit", "hang", "throw"] as const

interface Armed {
  readonly at: Failpoint
  readonly action: (typeof actions)[number]
  readonly afterMs: number
}

let armed: Armed | undefined

/** Arms `NAME`, `NAME:ACTION` or `NAME:ACTION:MILLISECONDS`, once for this process; or says what is wrong with the text. */
export const armFailpoint = (text: string, isAllowed: boolean): Result.Result<void, string> => {
  const [at = "", action = "exit", afterMs = "0"] = text.split(":")
  if (!isAllowed) return Result.fail("expected none, since LOWTIDE_TEST_FAILPOINTS is not `allowed`; found one")
  const name = failpoints.find((known) => known === at)
  const kind = actions.find((known) => known === action)
  if (name === undefined || kind === undefined || !/^\d{1,5}$/.test(afterMs)) {
    const expected = `NAME[:ACTION[:MILLISECONDS]] with a name of [${failpoints.join(", ")}] and an action of [${actions.join(", ")}]`
    return Result.fail(`expected ${expected}, found ${JSON.stringify(text)}`)
  }
  armed = { at: name, action: kind, afterMs: Number(afterMs) }
  return Result.succeed(undefined)
}

/** Nothing, unless a test has armed this place. */
export const failpoint = (at: Failpoint): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (armed?.at !== at) return Effect.void
    const { action, afterMs } = armed
    return Effect.andThen(Effect.sleep(afterMs), actionOf(action, at))
  })

/** Runs the effect, and into the place as soon as it is under way. */
export const failpointDuring = <A, E, R>(at: Failpoint, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() =>
    armed?.at !== at
      ? effect
      : Effect.map(Effect.all([effect, failpoint(at)], { concurrency: "unbounded" }), ([answer]) => answer)
  )

const actionOf = (action: Armed["action"], at: Failpoint): Effect.Effect<void> => {
  switch (action) {
    case "exit":
      return Effect.andThen(
        Effect.sync(() => process.kill(process.pid, "SIGKILL")),
        Effect.never
      )
    case "hang":
      return Effect.never
    case "throw":
      return Effect.die(new Error(`failpoint ${at}`))
  }
}
