import { randomUUID } from "node:crypto"
import { networkInterfaces } from "node:os"
import { performance } from "node:perf_hooks"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { type BfdClient, connectBfd } from "@lowtide/bfd/client"
import { startPeer } from "@lowtide/bgp/session"
import { type ClusterChange, ClusterSource } from "@lowtide/kube/cluster-source"
import { clusterSourceFolder } from "@lowtide/kube/folder-source"
import { followFiles, runService, serveOperations } from "@lowtide/ops"
import { returnFreeMemory } from "@lowtide/sockets/memory"
import { Context, Effect, Layer, Option, Queue, Result, Stream } from "effect"
import { bfdMetrics } from "./bfd-metrics.ts"
import { reportingMetrics, startReporting } from "./bmp-reporting.ts"
import { readConfig, type SpeakerConfig } from "./config.ts"
import { serveControl } from "./control/server.ts"
import { Diagnosis, machineDiagnosis } from "./diagnosis/diagnosis.ts"
import { sliceChange } from "./endpoints.ts"
import { formatFault } from "./fault-line.ts"
import { openJournal } from "./journal.ts"
import { bootId, Life } from "./life.ts"
import { Listening } from "./listening.ts"
import { lockState } from "./lock.ts"
import { type Metric, renderMetrics } from "./metrics.ts"
import { lockNode } from "./node-lock.ts"
import { isOnLink } from "./on-link.ts"
import { Passwords } from "./passwords.ts"
import { judgeAside } from "./saved-state.ts"
import { Speaker, tickMs } from "./speaker.ts"
import type { SpeakerPort } from "./speaker-port.ts"
import { judgeMessages, readTrust, type Trust } from "./trust.ts"
import { Neighbors, neighborsPort } from "./unnumbered/neighbors.ts"
import { runUplink } from "./uplink.ts"
import { Withheld, withheldFiles } from "./withheld.ts"

// Most of a speaker's life nothing happens: what was young once need not stay reserved (a third of its memory else).
setFlagsFromString("--semi-space-growth-factor=1")

/** After its start and from then on, how often freed memory is given back, in milliseconds. */
const returnMemoryMs = [5_000, 600_000] as const

/** Collects all that a start leaves behind, and gives up the pages that V8 keeps for more of it. Nothing else runs meanwhile, some 25 ms. */
const collectGarbage = (): void => {
  setFlagsFromString("--expose-gc")
  const gc = runInNewContext("gc") as NodeJS.GCFunction
  gc({ type: "major", execution: "sync", flavor: "last-resort" })
}

const monotonicMs = (): number => performance.now()

class Settings extends Context.Service<Settings, SpeakerConfig>()("@lowtide/speaker/Settings") {}

/** The running speaker, and how the uplink is told that there is something to do. */
class Running extends Context.Service<
  Running,
  {
    readonly speaker: Speaker
    readonly bfd: BfdClient
    /** Beside the speaker's own. */
    readonly moreMetrics: () => ReadonlyArray<Metric>
    readonly say: SpeakerPort["say"]
    readonly withheld: Withheld
    readonly resync: Queue.Queue<void>
    readonly statusWake: Queue.Queue<void>
    readonly wireWake: Queue.Queue<void>
  }
>()("@lowtide/speaker/Running") {}

/** What the node can read of its peers' passwords. */
class PasswordsOfNode extends Context.Service<PasswordsOfNode, Passwords>()("@lowtide/speaker/Passwords") {}

const PasswordsLive = Layer.effect(
  PasswordsOfNode,
  Effect.map(Settings, ({ secretsFolder }) => new Passwords(secretsFolder))
)

const SettingsLive = Layer.effect(Settings, readConfig)

/** Announces what the disk has before anything else is there. At the end every router is told. */
const RunningLive = Layer.effect(
  Running,
  Effect.gen(function* () {
    const { settings, trust, stateFolder, bmpStations, bfdSocket } = yield* Settings
    const passwords = yield* PasswordsOfNode
    yield* lockState(stateFolder)
    yield* lockNode(settings.cluster, settings.node)
    const saved = yield* Effect.promise(() => readSaved(stateFolder, trust))
    const resync = yield* Queue.sliding<void>(1)
    const statusWake = yield* Queue.sliding<void>(1)
    const wireWake = yield* Queue.sliding<void>(1)
    const run = Effect.runForkWith(yield* Effect.context<never>())
    const withheld = new Withheld(withheldFiles(stateFolder), new Date().toISOString())
    const life = new Life(stateFolder, { bootId: bootId(), say: (text) => run(Effect.logWarning(text)) })
    const say: SpeakerPort["say"] = (severity, text) => run(logAt[severity](text))
    const exporter = yield* startReporting(bmpStations, settings, say) // ends after the sessions, whose ends it reports
    const neighbors = yield* Effect.acquireRelease(
      Effect.sync(() => new Neighbors({ ...neighborsPort, monotonicMs })),
      (found) => Effect.sync(() => found.close())
    )
    const owner = `the speaker of node ${settings.node}, pid ${process.pid}`
    const bfd = yield* connectBfd({ socketPath: bfdSocket, owner }, (event) => speaker.takeBfd(event))
    const diagnosis = new Diagnosis({
      ...machineDiagnosis,
      monotonicMs,
      unixMs: Date.now,
      onFound: () => speaker.diagnosed()
    })
    const speaker: Speaker = new Speaker({
      diagnosis,
      settings,
      trust,
      ...saved,
      life,
      withheld,
      startPeer: (options, onEvent) => startPeer(options, onEvent, exporter?.tap()),
      passwordOf: (peer) => passwords.of(peer),
      mayBegin: (peer) => passwords.mayBegin(peer),
      bfd,
      isOnLink: (address) => isOnLink(networkInterfaces(), address),
      neighbors,
      runId: randomUUID(),
      say,
      resync: () => Queue.offerUnsafe(resync, undefined),
      wake: () => {
        Queue.offerUnsafe(statusWake, undefined)
        Queue.offerUnsafe(wireWake, undefined)
      },
      monotonicMs,
      unixMs: Date.now,
      random: Math.random,
      judge: judgeMessages
    })
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        speaker.start()
        return setInterval(() => speaker.tick(), tickMs)
      }),
      (timer) =>
        Effect.andThen(
          Effect.sync(() => clearInterval(timer)),
          speaker.stop()
        )
    )
    const moreMetrics = () => reportingMetrics(bmpStations, exporter)
    return Running.of({ speaker, bfd, moreMetrics, say, withheld, resync, statusWake, wireWake })
  })
)

/** Apart, so that nothing which outlives the start has hold of what was read. */
const readSaved = async (stateFolder: string, trust: Trust) => {
  const { journal, loaded } = openJournal(stateFolder)
  return { journal, loaded, judgeSaved: await judgeAside(trust, loaded.records) }
}

const logAt = { info: Effect.logInfo, warning: Effect.logWarning, error: Effect.logError } as const

const EndpointsLive = Layer.effectDiscard(
  Effect.gen(function* () {
    const { speaker } = yield* Running
    const passwords = yield* PasswordsOfNode
    const { changes } = yield* ClusterSource
    const take = (change: ClusterChange) =>
      Effect.sync(() => {
        const isFirst = !passwords.isRead
        passwords.take(change)
        if (isFirst) speaker.beginWaiting()
        speaker.takeEndpoints(sliceChange(change))
      })
    yield* Effect.forkScoped(Stream.runForEach(changes, take))
  })
)

const SourceLive = Layer.unwrap(Effect.map(Settings, ({ manifestsFolder }) => clusterSourceFolder(manifestsFolder)))

/** How peers connect to the node. At the end nobody is let in any more before the sessions are ended. */
class ListeningOfNode extends Context.Service<ListeningOfNode, Listening>()("@lowtide/speaker/Listening") {}

const ListeningLive = Layer.effect(
  ListeningOfNode,
  Effect.gen(function* () {
    const { speaker, say } = yield* Running
    const listening = new Listening((yield* Settings).bgpListen, { say, monotonicMs })
    const refresh = Effect.suspend(() => listening.refresh(speaker.peers.running))
    yield* refresh
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(tickMs), refresh)))
    return ListeningOfNode.of(listening)
  })
)

const OperationsLive = Layer.effectDiscard(
  Effect.gen(function* () {
    const { speaker, bfd, moreMetrics } = yield* Running
    const listening = yield* ListeningOfNode
    yield* serveOperations((yield* Settings).httpListen, {
      notReady: Effect.sync(() =>
        speaker.isReady ? [] : ["no sessions are configured yet, or saved state waits to be vouched for"]
      ),
      moreMetrics: Effect.map(Effect.option(Effect.timeout(bfd.status, "1 second")), (state) => {
        const ofBfd = bfdMetrics(speaker.bfd, Option.getOrUndefined(state))
        return renderMetrics(speaker, monotonicMs(), [...listening.metrics(), ...ofBfd, ...moreMetrics()])
      })
    })
  })
)

/** For a person at the node, whatever else is away. */
const ControlLive = Layer.effectDiscard(
  Effect.gen(function* () {
    const { speaker, withheld } = yield* Running
    yield* serveControl((yield* Settings).controlSocket, {
      speaker,
      withheld,
      trustedKeys: () => [...speaker.intake.trust.intentKeys.keys()],
      startedAtUnixMs: Date.now(),
      unixMs: Date.now,
      wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms))
    }).pipe(Effect.catch(({ message }) => Effect.logError(message))) // routes come before whoever asks about them
  })
)

/** Keys and prefixes change without a restart, so that no session has to end for them. */
const TrustLive = Layer.effectDiscard(
  Effect.gen(function* () {
    const { settings, trustFiles } = yield* Settings
    const { speaker } = yield* Running
    const { trustFile, allowedFile, trustText, allowedText } = trustFiles
    yield* followFiles([trustFile, allowedFile], [trustText, allowedText], ([trustNow = "", allowedNow = ""]) => {
      const read = readTrust({ cluster: settings.cluster, trustText: trustNow, allowedText: allowedNow })
      return Result.isSuccess(read)
        ? Effect.sync(() => speaker.takeTrust(read.success))
        : Effect.forEach(read.failure, (message) => Effect.logError(formatFault({ code: "LT0405", message })), {
            discard: true
          })
    }).pipe(Effect.forkScoped)
  })
)

const UplinkLive = Layer.effectDiscard(
  Effect.gen(function* () {
    const { settings, nats } = yield* Settings
    const running = yield* Running
    yield* Effect.forkScoped(runUplink({ settings, nats, monotonicMs, ...running }))
  })
)

/** A node that leaves does so first of all at the end, while endpoints and intents are still followed. */
const LeavingLive = Layer.effectDiscard(
  Effect.gen(function* () {
    const { leaveMs } = yield* Settings
    const { speaker } = yield* Running
    yield* Effect.addFinalizer(() => (leaveMs === undefined ? Effect.void : speaker.leave(leaveMs)))
  })
)

const MemoryLive = Layer.effectDiscard(
  Effect.gen(function* () {
    const [afterStart, every] = returnMemoryMs
    yield* Effect.sleep(afterStart)
    yield* Effect.sync(collectGarbage)
    yield* Effect.sync(returnFreeMemory).pipe(Effect.andThen(Effect.sleep(every)), Effect.forever)
  }).pipe(Effect.forkScoped)
)

const Main = LeavingLive.pipe(
  Layer.provideMerge(
    Layer.mergeAll(
      MemoryLive,
      ControlLive,
      OperationsLive,
      EndpointsLive.pipe(Layer.provide(SourceLive)),
      TrustLive,
      UplinkLive
    )
  ),
  Layer.provide(ListeningLive),
  Layer.provide(RunningLive),
  Layer.provide(PasswordsLive),
  Layer.provide(SettingsLive)
)

runService(Layer.launch(Main))
