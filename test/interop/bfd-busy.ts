import { type ChildProcess, spawn } from "node:child_process"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { execute } from "@lowtide/testkit/lab/index"
import { Effect } from "effect"
import { makeBfdLab, sessionsOfLab, startBfd, startBirdBfd, startOwner } from "./bfd-lab.ts"

/** What came of it. `losses`: sessions that went down, each with its cause; none of them had a reason to. */
export interface BusyResult {
  readonly busyProcesses: number
  readonly packets: number
  readonly lateUsMax: number
  readonly losses: ReadonlyArray<string>
}

const names = ["single 4", "single 6", "link-local"] as const
const intervalMs = 50

/**
 * Sessions at 50 ms x 3 with BIRD while every processor is kept busy by a process of its own. BIRD is given real time for it:
 * a router does not share the node's processors, and its alarms are to be ours alone.
 */
export const runBusy = Effect.fnUntraced(function* (minutes: number) {
  const lab = yield* makeBfdLab()
  yield* startBirdBfd(lab, { intervalMs })
  yield* execute(["sh", "-c", `chrt -a -r -p 1 "$(cat ${join(lab.folder, "bird", "bird.pid")})"`])
  const { socketPath } = yield* startBfd(lab)
  const owner = yield* startOwner(socketPath)
  for (const name of names) {
    owner.set(name, { ...sessionsOfLab[name], transmitIntervalMs: intervalMs, receiveIntervalMs: intervalMs })
  }
  yield* Effect.forEach(names, (name) => owner.until(name, "Up"), { concurrency: "unbounded", discard: true })
  const from = owner.events.length
  const busyProcesses = availableParallelism()
  yield* Effect.forEach(Array.from({ length: busyProcesses }), () => busyProcess, { discard: true })
  yield* Effect.sleep(minutes * 60_000)
  const { sessions } = yield* owner.status
  const result: BusyResult = {
    busyProcesses,
    packets: sessions.reduce((sum, { counters }) => sum + counters.sent + counters.received, 0),
    lateUsMax: Math.max(...sessions.map(({ counters }) => counters.lateUsMax)),
    losses: owner.events
      .slice(from)
      .flatMap((event) =>
        event._tag === "BfdSessionChanged" && event.from === "Up" && event.cause !== undefined
          ? [`${event.session.name}: ${event.cause}`]
          : []
      )
  }
  return result
})

/** A process that does nothing but take a processor, until the scope closes or its parent is gone. */
const busyProcess = Effect.acquireRelease(
  Effect.sync((): ChildProcess => {
    const program =
      "const parent = process.ppid; for (;;) { for (let n = 0; n < 1e8; n++); if (process.ppid !== parent) break }"
    return spawn(process.execPath, ["-e", program], { stdio: "ignore" })
  }),
  (child) => Effect.sync(() => child.kill("SIGKILL"))
)
