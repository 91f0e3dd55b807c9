import { readFileSync } from "node:fs"
import { Bus, layerBus, readIntentKeys, readNatsSettings } from "@lowtide/bus"
import { clusterSourceFolder, readStatusAddresses } from "@lowtide/kube"
import { followFiles, parseListen, runService, SettingsFault, serveOperations } from "@lowtide/ops"
import { Effect, Layer, Metric, PubSub, Result, Stream, SubscriptionRef } from "effect"
import { reportCluster } from "./report.ts"
import { readAgentSettings } from "./settings.ts"
import { writeStatuses } from "./statuses.ts"

const natsUp = Metric.gauge("lowtide_agent_nats_up", { description: "1 while the agent is connected to NATS" })

const readKeys = (text: string) =>
  Effect.fromResult(Result.mapError(readIntentKeys(text), (fault) => `LOWTIDE_TRUST_FILE: ${fault}`))

const main = Effect.gen(function* () {
  const { cluster, natsUrl, nkeyFile, caFile, manifests, statuses, trustFile, listen } = yield* readAgentSettings
  const nats = yield* Effect.fromResult(
    Result.mapError(readNatsSettings({ url: natsUrl, nkeyFile, caFile }), (faults) => new SettingsFault({ faults }))
  )
  const trustText = yield* Effect.try({
    try: () => readFileSync(trustFile, "utf8"),
    catch: (cause) => new SettingsFault({ faults: [`LOWTIDE_TRUST_FILE: ${String(cause)}`] })
  })
  const keys = new Map(
    yield* readKeys(trustText).pipe(Effect.mapError((fault) => new SettingsFault({ faults: [fault] })))
  )
  const address = yield* Effect.fromResult(
    Result.mapError(parseListen(listen), (fault) => new SettingsFault({ faults: [`LOWTIDE_HTTP_LISTEN: ${fault}`] }))
  )
  const live = Layer.mergeAll(
    clusterSourceFolder(manifests),
    layerBus({ ...nats, name: `agent ${cluster}`, user: { role: "agent", cluster } })
  )
  return yield* Effect.gen(function* () {
    const { connected } = yield* Bus
    yield* serveOperations(address, {
      notReady: SubscriptionRef.get(connected).pipe(
        Effect.map(({ up }) => (up ? [] : ["LT0502 NATS is away: changes wait, statuses stay as they are"]))
      )
    })
    yield* SubscriptionRef.changes(connected).pipe(
      Stream.runForEach(({ up }) => Metric.update(natsUp, up ? 1 : 0)),
      Effect.forkScoped
    )
    const calls = yield* PubSub.sliding<string>(1)
    const remembered = {
      forgotten: Stream.changes(Stream.fromPubSub(calls)), // one call is repeated until it is answered
      statusAddresses: (service: { readonly namespace: string; readonly name: string }) =>
        readStatusAddresses(statuses, service)
    }
    const keyChanges = yield* PubSub.sliding<void>(1)
    yield* followFiles([trustFile], [trustText], ([text = ""]) =>
      readKeys(text).pipe(
        Effect.flatMap((read) => {
          keys.clear()
          for (const [id, key] of read) keys.set(id, key)
          return Effect.andThen(
            Effect.logInfo(`trust is read anew: keys [${[...keys.keys()].join(", ")}]`),
            PubSub.publish(keyChanges, undefined)
          )
        }),
        Effect.catch((fault) => Effect.logError(`LT0405 ${fault}; the keys before stay in effect`)),
        Effect.asVoid
      )
    ).pipe(Effect.forkScoped)
    const onRollCall = (recovery: string) => Effect.asVoid(PubSub.publish(calls, recovery))
    return yield* Effect.all(
      [
        reportCluster(cluster, remembered),
        writeStatuses(cluster, keys, statuses, onRollCall, Stream.fromPubSub(keyChanges))
      ],
      {
        concurrency: "unbounded",
        discard: true
      }
    )
  }).pipe(Effect.scoped, Effect.provide(live))
})

runService(main)
