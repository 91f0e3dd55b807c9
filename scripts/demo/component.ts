import { type LabError, type LabProcess, type ProcessSpec, startProcess } from "@lowtide/testkit/lab/index"
import { Effect, Ref, Scope } from "effect"

/** A part of the running fleet that can be killed and started again, whatever program it is. */
export interface Component {
  readonly name: string
  readonly pid: Effect.Effect<number>
  readonly isRunning: Effect.Effect<boolean>
  /** SIGKILL. */
  readonly kill: Effect.Effect<void>
  /** Starts it again when it does not run. */
  readonly start: Effect.Effect<void, LabError>
  readonly logFile: string
}

/** One process as a component. */
export const startComponent = (spec: ProcessSpec): Effect.Effect<Component, LabError, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Scope.Scope
    const launch = startProcess(spec).pipe(Effect.provideService(Scope.Scope, scope))
    const current = yield* Ref.make<LabProcess>(yield* launch)
    return {
      name: spec.name,
      logFile: spec.logFile,
      pid: Effect.map(Ref.get(current), ({ pid }) => pid),
      isRunning: Effect.flatMap(Ref.get(current), ({ isRunning }) => isRunning),
      kill: Effect.flatMap(Ref.get(current), ({ kill }) => Effect.asVoid(kill)),
      start: Effect.gen(function* () {
        if (yield* (yield* Ref.get(current)).isRunning) return
        yield* Ref.set(current, yield* launch)
      })
    }
  })

/** A server of the testkit, which knows how to come back on its own data, as a component. */
export const serverComponent = (
  name: string,
  server: {
    readonly pid: Effect.Effect<number>
    readonly kill: Effect.Effect<void>
    readonly restart: Effect.Effect<void, LabError>
    readonly logFile: string
  }
): Component => ({
  name,
  logFile: server.logFile,
  pid: server.pid,
  isRunning: Effect.map(server.pid, isAlive),
  kill: server.kill,
  start: server.restart
})

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** How long a dead component stays away before it is started again, as a service manager would. */
const restartDelay = "3 seconds"

/** Starts a component again whenever it dies, and says so; for ever. */
export const superviseComponent = (component: Component, say: (line: string) => void): Effect.Effect<never> =>
  Effect.gen(function* () {
    yield* Effect.sleep("250 millis")
    if (yield* component.isRunning) return
    say(`${component.name} ended; it is started again in 3 seconds`)
    yield* Effect.sleep(restartDelay)
    yield* component.start.pipe(
      Effect.andThen(
        Effect.flatMap(component.pid, (pid) => Effect.sync(() => say(`${component.name} runs again, pid ${pid}`)))
      ),
      Effect.catch((error) => Effect.sync(() => say(`${component.name} does not start: ${error.message}`)))
    )
  }).pipe(Effect.forever)
