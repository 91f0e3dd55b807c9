import { assert, describe, it } from "@effect/vitest"
import { LowtideClient, layerClient } from "@lowtide/api"
import { Bus, ensureStreams, layerBus, type NodeStatus, sendCommand, statusSubject } from "@lowtide/bus"
import { newestFleetVersion } from "@lowtide/domain"
import { emptyBatch, Ledger, type NewEvent } from "@lowtide/ledger"
import { memoryLedger } from "@lowtide/testkit"
import { Effect, Layer, Option } from "effect"
import { HttpServer } from "effect/http"
import { layerAllocator } from "../../src/allocator.ts"
import { Centre } from "../../src/centre.ts"
import { layerHttp } from "../../src/http/index.ts"
import { onNats, until } from "../live.ts"
import { announcing, signingKey, uuid } from "../orders.ts"

/** A log as the first release left it: it has events and says nothing of a version. */
const oldLog = Effect.gen(function* () {
  const ledger = yield* Ledger
  const { epoch } = Option.getOrThrow(yield* ledger.acquireLease("old", 60_000))
  const state = { _tag: "Cluster", cluster: "east", network: "default" }
  const event: NewEvent = {
    ...{ stream: "cluster:east", version: 1, type: "ClusterRegistered", schema: 1, cluster: "east" },
    ...{ actor: "agent:east", actorKind: "agent", commandId: uuid(900), correlationId: uuid(900) },
    ...{ reasonCode: "observed", meta: "{}", data: JSON.stringify({ before: null, after: state }) }
  }
  const row = { stream: "cluster:east", kind: "cluster", version: 1, previousVersion: 0, seq: 1, schema: 1 }
  const current = [{ ...row, state: JSON.stringify(state) }]
  yield* ledger.append({ ...emptyBatch({ epoch, seq: 0 }), events: [event], current })
  yield* ledger.releaseLease(epoch)
})

const started = Effect.fnUntraced(function* (natsUrl: string, prepare: Effect.Effect<void, unknown, Ledger>) {
  const outside = yield* Layer.build(Layer.mergeAll(memoryLedger(), layerBus({ servers: [natsUrl], name: "test" })))
  const within = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provideContext(effect, outside)
  yield* within(prepare)
  yield* within(ensureStreams)
  const services = yield* within(
    Layer.build(layerHttp("127.0.0.1:0", undefined).pipe(Layer.provideMerge(layerAllocator(signingKey, Effect.void))))
  )
  const { address } = yield* Effect.provideContext(HttpServer.HttpServer, services)
  const url = address._tag === "InetAddressV4" ? `http://127.0.0.1:${address.port}` : ""
  const centre = yield* Effect.provideContext(Centre, services)
  const ask = <A, E>(question: (api: LowtideClient["Service"]) => Effect.Effect<A, E>) =>
    LowtideClient.use(question).pipe(Effect.provide(layerClient({ _tag: "Url", url }, {})))
  const say = (fleetVersion: number | undefined) =>
    within(
      Effect.gen(function* () {
        const status: NodeStatus = {
          ...{ _tag: "NodeStatus", cluster: "east", node: "n1", at: new Date().toISOString(), runId: "r" },
          ...(fleetVersion === undefined ? {} : { fleetVersion }),
          ...{ sync: "live", cseq: 0, confirmedCseq: 0, sessions: [], announcing: [], refused: [] }
        }
        const connection = yield* (yield* Bus).connection
        connection.publish(statusSubject("east", "n1"), JSON.stringify(status))
        yield* until(
          "the status",
          centre.read(({ nodes }) => nodes.get("east/n1")?.status.fleetVersion === fleetVersion && nodes.size === 1)
        )
      })
    )
  const send = within(
    sendCommand("east", { commandId: uuid(1), correlationId: uuid(1), command: announcing[0] as never })
  )
  yield* until(
    "a leader",
    Effect.map(centre.health, ({ role }) => role === "leader")
  )
  return {
    ask,
    say,
    send,
    events: within(Effect.flatMap(Ledger, (ledger) => ledger.events({ limit: 9, order: "asc" })))
  }
})

const finalise = (n: number) => (api: LowtideClient["Service"]) =>
  api.orders.finaliseFleet({ payload: { commandId: uuid(n), reason: "all are upgraded" } })

describe("the fleet's version over the API", () => {
  it.live("of an old log is raised by an order, once every process that is alive knows the newer one", () =>
    onNats((server) =>
      Effect.gen(function* () {
        const { ask, say, send, events } = yield* started(server.url, oldLog)
        yield* say(undefined)
        const before = yield* ask((api) => api.centre.fleetVersion({}))
        assert.deepInclude(before, { version: 1, newest: newestFleetVersion, finalised: null })
        assert.include(before.off, "poolQuarantine")
        assert.deepStrictEqual(
          before.processes.map(({ kind, name, version, holdsBack }) => [kind, name, version, holdsBack]).slice(1),
          [
            ["agent", "east", null, true],
            ["speaker", "east/n1", 1, true]
          ]
        )
        const refused = yield* Effect.flip(ask(finalise(20)))
        assert.match(
          refused.message,
          /expected every process that is alive to know version \d+, found agent east not heard from yet, speaker east\/n1 of version 1/
        )
        assert.strictEqual((refused as { readonly code?: string }).code, "LT0544")
        yield* send
        yield* say(newestFleetVersion)
        const { items } = yield* ask(finalise(21))
        assert.deepStrictEqual(
          items.map(({ type, words, what }) => [type, words, what]),
          [["FleetVersionFinalised", "all are upgraded", `the fleet is of version ${newestFleetVersion}`]]
        )
        const after = yield* ask((api) => api.centre.fleetVersion({}))
        assert.deepInclude(after, { version: newestFleetVersion, off: [] })
        assert.strictEqual(after.finalised?.words, "all are upgraded")
        const count = (yield* events).length
        assert.deepStrictEqual([(yield* ask(finalise(22))).seqFrom, (yield* events).length], [null, count])
      })
    )
  )

  it.live("is the newest from the first event of a log on", () =>
    onNats((server) =>
      Effect.gen(function* () {
        const { ask, events } = yield* started(server.url, Effect.void)
        yield* until(
          "an answer",
          Effect.map(
            ask((api) => api.centre.fleetVersion({})),
            ({ finalised }) => finalised !== null
          )
        )
        const [first] = yield* events
        assert.deepInclude(first, { type: "FleetVersionFinalised", reasonCode: "log-begun", actor: "allocator" })
        const { version, off } = yield* ask((api) => api.centre.fleetVersion({}))
        assert.deepStrictEqual([version, off], [newestFleetVersion, []])
      })
    )
  )
})
