import { type ChildProcess, spawn } from "node:child_process"
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs"
import type { Server } from "node:net"
import { dirname } from "node:path"
import { Deferred, Effect, type Scope } from "effect"
import { inNamespace, labEnvironment } from "./execute.ts"
import { LabError } from "./lab-error.ts"
import { waitUntil } from "./wait.ts"

/** What to run. Stdout and stderr are appended to `logFile`; the environment is `env` and a system PATH, nothing else. */
export interface ProcessSpec {
  readonly name: string
  readonly command: ReadonlyArray<string>
  readonly logFile: string
  /** The full name of a network namespace; without it the process runs where its parent runs. */
  readonly namespace?: string
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Runs the command as this user and group; needs root. */
  readonly identity?: { readonly uid: number; readonly gid: number }
  /** A listening socket to hand to a Node program, as the handle of its first IPC message. */
  readonly listener?: Server
  readonly stopSignal?: "SIGTERM" | "SIGINT"
  /** After the stop signal, how long until SIGKILL: 3 s unless set. */
  readonly stopDeadlineMs?: number
}

/** How a process ended. */
export interface ProcessEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A running, or ended, process of the lab. */
export interface LabProcess {
  readonly name: string
  readonly pid: number
  readonly logFile: string
  readonly isRunning: Effect.Effect<boolean>
  readonly ended: Effect.Effect<ProcessEnd>
  readonly log: Effect.Effect<string>
  /** SIGKILL; answers when the process is gone. */
  readonly kill: Effect.Effect<ProcessEnd>
  /** The stop signal, then SIGKILL at the deadline; answers when the process is gone. */
  readonly stop: Effect.Effect<ProcessEnd>
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
}

/**
 * Starts a process that does not outlive the scope, nor this process however that one ends (`setpriv --pdeathsig`).
 * It has a process group of its own, so a Ctrl-C at the terminal reaches the parent alone and the parent decides the order.
 * A program that changes its own user, as FRR does, loses the second promise; `cleanStale` ends what it leaves.
 */
export const startProcess = (spec: ProcessSpec): Effect.Effect<LabProcess, LabError, Scope.Scope> =>
  Effect.acquireRelease(launch(spec), (child) => child.stop)

/** As `startProcess`, then waits until `isReady` answers true; fails at once, with the log's end, when the process dies first. */
export const startReady = Effect.fnUntraced(function* (
  spec: ProcessSpec,
  isReady: (process: LabProcess) => Effect.Effect<boolean, LabError>,
  deadlineMs = 15_000
) {
  const child = yield* startProcess(spec)
  yield* waitUntilReady(child, isReady(child), deadlineMs)
  return child
})

/** Waits until `isReady` answers true. A failure of `isReady` counts as "not yet". */
export const waitUntilReady = (
  child: LabProcess,
  isReady: Effect.Effect<boolean, LabError>,
  deadlineMs = 15_000
): Effect.Effect<void, LabError> => {
  const tail = child.log.pipe(Effect.map((log) => log.trimEnd().split("\n").slice(-5).join("\n")))
  const check = Effect.gen(function* () {
    if (!(yield* child.isRunning)) {
      const end = yield* child.ended
      const how = end.signal ?? `exit code ${end.code}`
      return yield* new LabError({ operation: `start ${child.name}`, detail: `ended with ${how}\n${yield* tail}` })
    }
    return yield* isReady.pipe(Effect.orElseSucceed(() => false))
  })
  return waitUntil(`${child.name} is ready`, check, { deadlineMs }).pipe(
    Effect.catch((error) =>
      error.operation.startsWith("wait")
        ? Effect.flatMap(tail, (end) => Effect.fail(new LabError({ ...error, detail: `${error.detail}\n${end}` })))
        : Effect.fail(error)
    )
  )
}

/** Ready when the log holds the text. */
export const logHas =
  (text: string) =>
  (child: LabProcess): Effect.Effect<boolean> =>
    Effect.map(child.log, (log) => log.includes(text))

const launch = (spec: ProcessSpec): Effect.Effect<LabProcess, LabError> =>
  Effect.gen(function* () {
    const ended = yield* Deferred.make<ProcessEnd>()
    const child = yield* spawnChild(spec)
    let end: ProcessEnd | undefined
    child.once("exit", (code, signal) => {
      end = { code, signal }
      killGroup(child.pid)
      Deferred.doneUnsafe(ended, Effect.succeed(end))
    })
    const send = (signal: NodeJS.Signals) =>
      Effect.sync(() => {
        if (end === undefined) child.kill(signal)
      })
    const gone = Deferred.await(ended)
    const kill = Effect.andThen(send("SIGKILL"), gone)
    return {
      name: spec.name,
      pid: child.pid ?? 0,
      logFile: spec.logFile,
      isRunning: Effect.sync(() => end === undefined),
      ended: gone,
      log: Effect.sync(() => readFileSync(spec.logFile, "utf8")),
      kill,
      stop: Effect.andThen(send(spec.stopSignal ?? "SIGTERM"), gone).pipe(
        Effect.timeoutOrElse({ duration: spec.stopDeadlineMs ?? 3_000, orElse: () => kill })
      ),
      signal: send
    }
  })

/** What a process started and did not end itself goes with it: they share a process group, which its pid names. */
const killGroup = (pid: number | undefined): void => {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL")
  } catch {} // nothing of the group is left
}

const spawnChild = (spec: ProcessSpec): Effect.Effect<ChildProcess, LabError> =>
  Effect.callback((resume) => {
    mkdirSync(dirname(spec.logFile), { recursive: true })
    const log = openSync(spec.logFile, "a")
    const identity =
      spec.identity === undefined
        ? []
        : [`--reuid=${spec.identity.uid}`, `--regid=${spec.identity.gid}`, "--clear-groups"]
    const command = ["setpriv", "--pdeathsig", "KILL", ...identity, ...spec.command]
    const [file = "", ...args] = inNamespace(spec.namespace, command)
    const child = spawn(file, args, {
      cwd: spec.cwd,
      detached: true,
      stdio: spec.listener === undefined ? ["ignore", log, log] : ["ignore", log, log, "ipc"],
      env: { ...labEnvironment, ...spec.env }
    })
    closeSync(log)
    child.once("spawn", () => {
      if (spec.listener === undefined) resume(Effect.succeed(child))
      else child.send("listener", spec.listener, {}, () => resume(Effect.succeed(child)))
    })
    child.once("error", (error) =>
      resume(Effect.fail(new LabError({ operation: `start ${spec.name}`, detail: error.message })))
    )
  })
