import { chmodSync, mkdirSync } from "node:fs"
import { Effect, Exit, Ref, Scope } from "effect"
import { LabError } from "./lab-error.ts"
import type { LabProcess } from "./processes.ts"

/** How the processes of one router are ended and started again. */
export interface RouterService {
  readonly kill: Effect.Effect<void>
  readonly stop: Effect.Effect<void>
  readonly restart: Effect.Effect<void, LabError>
  readonly processes: Effect.Effect<ReadonlyArray<LabProcess>>
}

interface Running {
  readonly scope: Scope.Closeable
  readonly processes: ReadonlyArray<LabProcess>
}

/**
 * Makes the folder and starts the processes. Each start has a scope of its own inside the caller's, so that a restart
 * ends the processes it replaces and a start that fails half way leaves none.
 */
export const makeService = (
  folder: string,
  start: Effect.Effect<ReadonlyArray<LabProcess>, LabError, Scope.Scope>
): Effect.Effect<RouterService, LabError, Scope.Scope> =>
  Effect.gen(function* () {
    const parent = yield* Effect.scope
    const running = yield* Ref.make<Running | undefined>(undefined)
    yield* Effect.try({
      try: () => {
        mkdirSync(folder, { recursive: true })
        chmodSync(folder, 0o755)
      },
      catch: (cause) => new LabError({ operation: `make ${folder}`, detail: String(cause) })
    })
    const end = Effect.gen(function* () {
      const before = yield* Ref.getAndSet(running, undefined)
      if (before !== undefined) yield* Scope.close(before.scope, Exit.void)
    })
    const launch = Effect.gen(function* () {
      const scope = yield* Scope.fork(parent)
      const processes = yield* start.pipe(
        Effect.provideService(Scope.Scope, scope),
        Effect.onError(() => Scope.close(scope, Exit.void))
      )
      yield* Ref.set(running, { scope, processes })
    })
    yield* launch
    const processes = Effect.map(Ref.get(running), (current) => current?.processes ?? [])
    return {
      processes,
      stop: end,
      kill: Effect.flatMap(processes, (all) =>
        Effect.forEach(all, (child) => child.kill, { concurrency: "unbounded", discard: true })
      ),
      restart: Effect.andThen(end, launch)
    }
  })
