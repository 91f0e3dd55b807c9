import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Cause, Effect, Layer, Logger, References } from "effect"
import { SettingsFault } from "./settings.ts"

/** Exit code of a process that cannot start with its settings, as for every wrong use of a command. */
const usageExitCode = 2

/** Lines of log on stderr, for people: `14:05:01.123 WARN message`. Nothing else is written there, and stdout stays free. */
const stderrLogger = Logger.make(({ date, logLevel, message }) => {
  const text = (Array.isArray(message) ? message : [message]).map(String).join(" ")
  process.stderr.write(`${date.toISOString().slice(11, 23)} ${logLevel.toUpperCase().padEnd(5)} ${text}\n`)
})

/**
 * Runs a process until it ends, is told to end (SIGTERM and SIGINT close its scopes), or fails: exit code 0, 0 and 1.
 * Settings that are wrong are told line by line, with exit code 2; no failure prints a stack, a defect does.
 */
export const runService = <E>(main: Effect.Effect<unknown, E>): void => {
  const logged = main.pipe(
    Effect.tapCause((cause) => (Cause.hasInterruptsOnly(cause) ? Effect.void : report(cause))),
    Effect.provide(Layer.mergeAll(Logger.layer([stderrLogger]), Layer.succeed(References.MinimumLogLevel, "Info")))
  )
  NodeRuntime.runMain(logged, {
    disableErrorReporting: true,
    teardown: (exit, onExit) => {
      if (exit._tag === "Success" || Cause.hasInterruptsOnly(exit.cause)) return onExit(0)
      onExit(failureOf(exit.cause) instanceof SettingsFault ? usageExitCode : 1)
    }
  })
}

const report = (cause: Cause.Cause<unknown>): Effect.Effect<void> => {
  const failure = failureOf(cause)
  if (failure === undefined) return Effect.logFatal(Cause.pretty(cause))
  if (failure instanceof SettingsFault) {
    return Effect.forEach(failure.faults, (fault) => Effect.logFatal(fault), { discard: true })
  }
  return Effect.logFatal(failure instanceof Error ? failure.message : String(failure))
}

const failureOf = (cause: Cause.Cause<unknown>): unknown => {
  const reason = cause.reasons.find(Cause.isFailReason)
  return reason?.error
}
