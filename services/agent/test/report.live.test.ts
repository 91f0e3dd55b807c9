import { assert, describe, it } from "@effect/vitest"
import { type CommandReply, layerBus, serveCommands } from "@lowtide/bus"
import { type Command, newestFleetVersion } from "@lowtide/domain"
import { type ClusterChange, ClusterSource } from "@lowtide/kube"
import type { NatsServer } from "@lowtide/testkit"
import { Effect, Exit, Layer, Queue, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { reportCluster } from "../src/report.ts"
import { onNats, until } from "./live.ts"
import { lookAt, texts } from "./looks.ts"

const done: CommandReply = { _tag: "Done", seqFrom: null, seqTo: null }

interface Asked {
  readonly fleetVersion?: number
  readonly commandId: string
  readonly correlationId: string
  readonly observedAt?: string
  readonly command: Command
}

/** An agent over looks that the test hands out, and a centre that answers as told. */
const setting = Effect.fnUntraced(function* (
  server: NatsServer,
  greetEveryMs?: number,
  changes: (looks: Queue.Queue<ClusterChange>) => Stream.Stream<ClusterChange> = Stream.fromQueue
) {
  const looks = yield* Queue.unbounded<ClusterChange>()
  const bus = yield* Layer.build(layerBus({ servers: [server.url], name: "test" }))
  const asked: Array<Asked> = []
  const state = { underWay: 0, mostUnderWay: 0 }
  const centre = (reply: (command: Command) => CommandReply = () => done) =>
    serveCommands((envelope) =>
      Effect.gen(function* () {
        asked.push(envelope as Asked)
        state.mostUnderWay = Math.max(state.mostUnderWay, ++state.underWay)
        yield* Effect.yieldNow
        state.underWay--
        return reply(envelope.command as Command)
      })
    ).pipe(Effect.provideContext(bus))
  yield* reportCluster("east", undefined, greetEveryMs).pipe(
    Effect.provideContext(bus),
    Effect.provideService(ClusterSource, ClusterSource.of({ changes: changes(looks) })),
    Effect.forkScoped
  )
  const tags = () => asked.map(({ command }) => command._tag)
  return {
    asked,
    tags,
    centre,
    see: (change: ClusterChange) => Queue.offer(looks, change),
    untilAsked: (count: number) =>
      until(
        `${count} commands, found ${tags()}`,
        Effect.sync(() => asked.length >= count)
      )
  }
})

const reporting = (
  title: string,
  test: (given: Effect.Success<ReturnType<typeof setting>>) => Effect.Effect<unknown, unknown, Scope.Scope>
) => it.live(title, () => onNats((server) => Effect.flatMap(setting(server), test)))

const all = [texts.pool, texts.service, texts.node]
const first = [
  "RegisterCluster",
  "ObserveNode",
  "ApplyManifest",
  "ObserveService",
  "ObserveServingNodes",
  "ObserveInventory"
]

describe("an agent that has nothing to say", () => {
  it.live("says again of which network its cluster is, once that was told, with the fleet version that it knows", () =>
    onNats((server) =>
      Effect.gen(function* () {
        const given = yield* setting(server, 20)
        yield* given.centre()
        yield* given.see(lookAt(all))
        yield* given.untilAsked(first.length + 2)
        const [, , , , , , ...more] = given.asked
        assert.deepStrictEqual(given.tags().slice(0, first.length), first)
        for (const { command, fleetVersion } of more) {
          assert.deepStrictEqual(command, given.asked[0]?.command)
          assert.strictEqual(fleetVersion, newestFleetVersion)
        }
      })
    )
  )
})

describe("an agent's report", () => {
  reporting("is what the cluster is like, in its order, and once everything that there is", (given) =>
    Effect.gen(function* () {
      yield* given.centre()
      yield* given.see(lookAt(all, { changedAtMs: Date.UTC(2026, 0, 1) }))
      yield* given.untilAsked(first.length)
      assert.deepStrictEqual(given.tags(), first)
      assert.strictEqual(given.asked[0]?.observedAt, "2026-01-01T00:00:00.000Z")
      assert.strictEqual(new Set(given.asked.map(({ commandId }) => commandId)).size, first.length)
      const ofLook = given.asked.slice(0, -1)
      assert.strictEqual(new Set(ofLook.map(({ correlationId }) => correlationId)).size, 1, "one look, one correlation")

      yield* given.see(lookAt(all))
      yield* given.see(lookAt([texts.pool, texts.node]))
      yield* given.untilAsked(first.length + 2)
      assert.deepStrictEqual(given.tags().slice(first.length), ["ForgetService", "ObserveServingNodes"])
    })
  )

  reporting("waits with the inventory until everything could be read", (given) =>
    Effect.gen(function* () {
      yield* given.centre()
      yield* given.see(lookAt([texts.pool], { unreadTexts: undefined }))
      yield* given.untilAsked(1)
      yield* given.see(lookAt(all))
      yield* given.untilAsked(first.length)
      assert.deepStrictEqual(given.tags().filter((tag) => tag === "ObserveInventory").length, 1)
      assert.deepStrictEqual(given.tags().at(-1), "ObserveInventory")
    })
  )

  reporting("says A, B, A as three, each under an id of its own", (given) =>
    Effect.gen(function* () {
      yield* given.centre()
      for (const look of [all, [texts.pool, texts.node], all]) yield* given.see(lookAt(look))
      yield* given.untilAsked(first.length + 4)
      const ofService = given.asked.filter(({ command }) => command._tag === "ObserveService")
      assert.strictEqual(ofService.length, 2)
      assert.deepStrictEqual(ofService[0]?.command, ofService[1]?.command)
      assert.notStrictEqual(ofService[0]?.commandId, ofService[1]?.commandId)
    })
  )

  reporting("waits for a centre that is away, and is then told once", (given) =>
    Effect.gen(function* () {
      yield* given.see(lookAt(all))
      yield* Effect.yieldNow
      assert.deepStrictEqual(given.asked, [])
      const scope = yield* Scope.make()
      yield* given.centre().pipe(Scope.provide(scope))
      yield* given.untilAsked(first.length)
      assert.sameMembers(given.tags(), first) // those of one phase in any order, since each is tried by itself
      yield* Scope.close(scope, Exit.void)
      yield* given.see(lookAt([texts.pool, texts.node]))
      yield* given.centre()
      yield* given.untilAsked(first.length + 2)
      assert.deepStrictEqual(given.tags().slice(first.length), ["ForgetService", "ObserveServingNodes"])
    })
  )

  reporting("goes on past a command that is refused, and does not repeat it", (given) =>
    Effect.gen(function* () {
      yield* given.centre((command) =>
        command._tag === "ApplyManifest" ? { _tag: "Refused", code: "LT0507", message: "malformed" } : done
      )
      yield* given.see(lookAt(all))
      yield* given.untilAsked(first.length)
      yield* given.see(lookAt([texts.pool, texts.node]))
      yield* given.untilAsked(first.length + 2)
      assert.strictEqual(given.tags().filter((tag) => tag === "ApplyManifest").length, 1)
    })
  )

  it.live(
    "comes to the inventory once a look after the centre's answers has nothing more, and says how far the log was",
    () =>
      onNats((server) =>
        Effect.gen(function* () {
          let runs = 0
          // What another look finds is not told yet the first time.
          const laterLooks = [all, [...all, texts.namespace], all]
          const given = yield* setting(server, undefined, (looks) =>
            Stream.suspend(() => {
              const later = laterLooks[runs++]
              return runs === 1 || later === undefined ? Stream.fromQueue(looks) : Stream.succeed(lookAt(later))
            })
          )
          let seq = 0
          yield* given.centre(() => ({ ...done, end: { incarnation: 2, seq: ++seq } }))
          yield* given.see(lookAt(all))
          yield* given.untilAsked(first.length)
          assert.sameMembers(given.tags(), first)
          assert.deepInclude(given.asked.at(-1)?.command, {
            _tag: "ObserveInventory",
            asOf: { incarnation: 2, seq: first.length - 1 }
          })
          assert.strictEqual(runs, 3, "the first of the other looks had more")
        })
      )
  )

  it.live("looks again after a time, and not with each change, while the source has more than was told", () =>
    onNats((server) =>
      Effect.gen(function* () {
        let runs = 0
        // The agent's time stands still.
        const given = yield* setting(server, undefined, (looks) =>
          Stream.suspend(() =>
            ++runs === 1 ? Stream.fromQueue(looks) : Stream.succeed(lookAt([...all, texts.namespace]))
          )
        ).pipe(Effect.provide(TestClock.layer()))
        yield* given.centre(() => ({ ...done, end: { incarnation: 2, seq: 5 } }))
        yield* given.see(lookAt(all))
        yield* given.untilAsked(first.length - 1)
        for (const [index, text] of [[], [texts.network], [], [texts.network]].entries()) {
          yield* given.see(lookAt([...all, ...text]))
          yield* given.untilAsked(first.length - 1 + index)
        }
        assert.strictEqual(runs, 2)
      })
    )
  )

  it.live("comes to the inventory although every other look has something that was never there before", () =>
    onNats((server) =>
      Effect.gen(function* () {
        let runs = 0
        const namespace = (name: string) => `{ apiVersion: v1, kind: Namespace, metadata: { name: ${name} } }`
        const given = yield* setting(server, undefined, (looks) =>
          Stream.suspend(() =>
            ++runs === 1
              ? Stream.fromQueue(looks)
              : Stream.succeed(lookAt([...all, texts.namespace, namespace(`run-${runs}`)]))
          )
        )
        let seq = 0
        yield* given.centre(() => ({ ...done, end: { incarnation: 2, seq: ++seq } }))
        yield* given.see(lookAt(all))
        yield* given.untilAsked(first.length - 1)
        yield* given.see(lookAt([...all, texts.namespace]))
        yield* given.untilAsked(first.length + 1)
        assert.deepStrictEqual(given.tags().slice(first.length - 1), ["ObserveNamespace", "ObserveInventory"])
        assert.deepInclude(given.asked.at(-1)?.command, {
          namespaces: ["shop"],
          asOf: { incarnation: 2, seq: first.length - 1 }
        })
      })
    )
  )
})
