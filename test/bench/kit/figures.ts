import { readFileSync } from "node:fs"
import { Effect, Logger, type Scope } from "effect"

/** One line of a benchmark's output, with a baseline that was measured in the same run. */
export interface Figure {
  readonly figure: string
  readonly value: number
  readonly unit: string
  readonly baseline: number
  readonly baselineName: string
}

/** Prints figures of one benchmark, four digits each. */
export const figuresOf = (bench: string) => (figure: Figure) => {
  const { value, baseline } = figure
  const rounded = { ...figure, value: fourDigits(value), baseline: fourDigits(baseline) }
  console.log(JSON.stringify({ bench, ...rounded, ratio: fourDigits(value / baseline) }))
}

/** Runs a benchmark whose parts log: stdout has figures alone. */
export const runBenchmark = (main: Effect.Effect<void, unknown, Scope.Scope>): Promise<void> =>
  Effect.runPromise(
    Effect.scoped(main).pipe(Effect.provide(Logger.layer([Logger.withConsoleError(Logger.formatSimple)])))
  )

const fourDigits = (value: number): number => Number(value.toPrecision(4))

/** How long an effect takes, milliseconds. */
export const timed = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<number, E, R> =>
  Effect.gen(function* () {
    const startMs = performance.now()
    yield* effect
    return performance.now() - startMs
  })

/** The median of several measurements. */
export const medianOf = <E, R>(times: number, measure: Effect.Effect<number, E, R>): Effect.Effect<number, E, R> =>
  Effect.map(Effect.all(Array.from({ length: times }, () => measure)), median)

/** The upper one of the two in the middle. */
export const median = (values: ReadonlyArray<number>): number => quantile(values, 0.5)

/** The smallest value that so large a share of all is below. */
export const quantile = (values: ReadonlyArray<number>, share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN

/** An argument of the command line that is a positive number, by its place. */
export const argument = (place: number, otherwise: number): number => {
  const text = process.argv[2 + place]
  if (text === undefined) return otherwise
  const value = Number(text)
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new Error(`argument ${place + 1}: expected a positive whole number, found ${text}`)
}

/** Processor time of this process until now, milliseconds. */
export const cpuMs = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

/** Processor time of another process until now, milliseconds, to a hundredth of a second: proc_pid_stat(5). */
export const cpuMsOf = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ") // from the third field on
  return (Number(fields[11]) + Number(fields[12])) * 10
}
