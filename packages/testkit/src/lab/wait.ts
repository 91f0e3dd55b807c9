import { Effect } from "effect"
import { LabError } from "./lab-error.ts"

/** How long to wait, and how often to look: 30 s, which a busy machine may need for what takes one, and 20 ms unless set. */
export interface WaitOptions {
  readonly deadlineMs?: number
  readonly intervalMs?: number
}

/** Looks until `check` answers true. At the deadline, also of a look that does not end, fails with an operation that begins with `wait until`. Uses the real clock. */
export const waitUntil = <E, R>(
  what: string,
  check: Effect.Effect<boolean, E, R>,
  options: WaitOptions = {}
): Effect.Effect<void, E | LabError, R> =>
  waitFor(
    what,
    Effect.map(check, (holds) => (holds ? { holds } : undefined)),
    options
  ).pipe(Effect.asVoid)

/** As `waitUntil`, for a value that is not there yet: looks until `read` answers something other than `undefined`. */
export const waitFor = <A, E, R>(
  what: string,
  read: Effect.Effect<A | undefined, E, R>,
  options: WaitOptions = {}
): Effect.Effect<A, E | LabError, R> => {
  const deadlineMs = options.deadlineMs ?? 30_000
  const look = Effect.gen(function* () {
    for (;;) {
      const value = yield* read
      if (value !== undefined) return value
      yield* realSleep(options.intervalMs ?? 20)
    }
  })
  const tooLate = Effect.flatMap(
    realSleep(deadlineMs),
    () => new LabError({ operation: `wait until ${what}`, detail: `not so after ${deadlineMs} ms` })
  )
  return Effect.raceFirst(look, tooLate)
}

/** Also where a test has the clock in its hand. */
const realSleep = (ms: number) =>
  Effect.callback<void>((resume) => {
    const timer = setTimeout(() => resume(Effect.void), ms)
    return Effect.sync(() => clearTimeout(timer))
  })
