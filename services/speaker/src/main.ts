import { randomUUID } from "node:crypto"
import { performance } from "node:perf_hooks"
import { runMain } from "@effect/platform-node/NodeRuntime"
import { ClusterSource } from "@lowtide/kube/cluster-source"
import { clusterSourceFolder } from "@lowtide/kube/folder-source"
import { Cause, Context, Effect, Exit, Fiber, Layer, Logger, Option, Queue, Stream } from "effect"
import { ConfigFaults, readConfig, type SpeakerConfig } from "./config.ts"
import { sliceChange } from "./endpoints.ts"
import { serveHttp } from "./http.ts"
import { openJournal } from "./journal.ts"
import { lockState } from "./lock.ts"
import { Speaker } from "./speaker.ts"
import { runUplink } from "./uplink.ts"

const monotonicMs = (): number => performance.now()

class Settings extends Context.Service<Settings, SpeakerConfig>()("@lowtide/speaker/Settings") {}

/** The running speaker, and how the uplink is told that there is something to do. */
class Running extends Context.Service<
  Running,
  {
    readonly speaker: Speaker
    readonly resync: Queue.Queue<void>
    readonly statusWake: Queue.Queue<void>
    readonly wireWake: Queue.Queue<void>
  }
>()("@lowtide/speaker/Running") {}

const SettingsLive = Layer.effect(Settings, readConfig)

/** Announces what the disk has before anything else is there. At the end every router is told. */
const RunningLive = Layer.effect(
  Running,
  Effect.gen(function* () {
    const { settings, trust, stateFolder } = yield* Settings
    yield* lockState(stateFolder)
    const { journal, loaded } = openJournal(stateFolder)
    const resync = yield* Queue.sliding<void>(1)
    const statusWake = yield* Queue.sliding<void>(1)
    const wireWake = yield* Queue.sliding<void>(1)
    const run = Effect.runForkWith(yield* Effect.context<never>())
    const speaker = new Speaker({
      settings,
      trust,
      journal,
      loaded,
      runId: randomUUID(),
      say: (severity, text) => run(logAt[severity](text)),
      resync: () => Queue.offerUnsafe(resync, undefined),
      wake: () => {
        Queue.offerUnsafe(statusWake, undefined)
        Queue.offerUnsafe(wireWake, undefined)
      },
      monotonicMs,
      unixMs: Date.now,
      random: Math.random
    })
    yield* Effect.acquireRelease(
      Effect.sync(() => speaker.start()),
      () => speaker.stop({ subcode: "administrative-shutdown", text: "speaker stops" })
    )
    return Running.of({ speaker, resync, statusWake, wireWake })
  })
)

const logAt = { info: Effect.logInfo, warning: Effect.logWarning, error: Effect.logError } as const

const EndpointsLive = Layer.effectDiscard(
  Effect.gen(function* () {
    const { speaker } = yield* Running
    const { changes } = yield* ClusterSource
    yield* Effect.forkScoped(
      Stream.runForEach(changes, (change) => Effect.sync(() => speaker.takeEndpoints(sliceChange(change))))
    )
  })
)

const SourceLive = Layer.unwrap(Effect.map(Settings, ({ manifestsFolder }) => clusterSourceFolder(manifestsFolder)))

const HttpLive = Layer.effectDiscard(
  Effect.gen(function* () {
    const { speaker } = yield* Running
    yield* serveHttp(speaker, (yield* Settings).httpListen, monotonicMs)
  })
)

/** Not waited for at the end: the first connection to NATS cannot be interrupted. */
const UplinkLive = Layer.effectDiscard(
  Effect.gen(function* () {
    const { settings, natsServers } = yield* Settings
    const running = yield* Running
    yield* Effect.acquireRelease(
      Effect.forkDetach(runUplink({ settings, servers: natsServers, monotonicMs, ...running })),
      (fiber) => Effect.forkDetach(Fiber.interrupt(fiber))
    )
  })
)

const StderrLive = Logger.layer([Logger.withConsoleError(Logger.formatLogFmt)])

const Main = Layer.mergeAll(HttpLive, EndpointsLive.pipe(Layer.provide(SourceLive)), UplinkLive).pipe(
  Layer.provide(RunningLive),
  Layer.provide(SettingsLive),
  Layer.provide(StderrLive)
)

runMain(Layer.launch(Main), {
  disableErrorReporting: true,
  teardown: (exit, onExit) => {
    if (Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) return onExit(0)
    const error: unknown = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
    process.stderr.write(`lowtide speaker: ${error instanceof Error ? error.message : Cause.pretty(exit.cause)}\n`)
    onExit(error instanceof ConfigFaults ? 2 : 1)
  }
})
