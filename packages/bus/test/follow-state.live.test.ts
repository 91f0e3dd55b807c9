import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Queue, Scope, Stream } from "effect"
import { Bus, ensureStreams, followState, publishAll, type StateItem, stateStream, stateSubject } from "../src/index.ts"
import { consumersOf, until, withBus } from "./live-bus.ts"

const put = (...pairs: ReadonlyArray<readonly [key: string, text: string]>) =>
  publishAll(pairs.map(([key, text]) => ({ subject: stateSubject("east", key), text })))

const following = Effect.gen(function* () {
  const resync = yield* Queue.unbounded<void>()
  const seen: Array<StateItem> = []
  yield* followState("east", resync).pipe(
    Stream.runForEach((item) => Effect.sync(() => seen.push(item))),
    Effect.forkScoped
  )
  const snapshots = () =>
    seen.flatMap((item) =>
      item._tag === "Snapshot" ? [item.items.map(({ key, envelope }) => `${key}=${envelope}`).sort()] : []
    )
  return {
    seen,
    resync,
    snapshots,
    live: () => seen.flatMap((item) => (item._tag === "Live" ? [`${item.item.key}=${item.item.envelope}`] : [])),
    untilSnapshots: (count: number) =>
      until(
        `${count} snapshots`,
        Effect.sync(() => snapshots().length >= count)
      )
  }
})

describe("following the state of a cluster", () => {
  it.live("gives what is stored, and then each message as it is stored", () =>
    withBus(() =>
      Effect.gen(function* () {
        yield* ensureStreams
        yield* put(["svc.a", "1"], ["svc.b", "1"], ["svc.a", "2"])
        yield* publishAll([{ subject: stateSubject("west", "svc.z"), text: "z" }])
        const reader = yield* following
        yield* reader.untilSnapshots(1)
        assert.deepStrictEqual(reader.snapshots(), [["svc.a=2", "svc.b=1"]])
        const first = reader.seen[0]
        if (first?._tag === "Snapshot") assert.closeTo(first.items[0]?.storedAtMs ?? 0, Date.now(), 60_000)
        yield* put(["svc.c", "3"], ["head", "h"])
        yield* publishAll([{ subject: stateSubject("west", "svc.z"), text: "y" }])
        yield* until(
          "both",
          Effect.sync(() => reader.live().length >= 2)
        )
        assert.deepStrictEqual(reader.live(), ["svc.c=3", "head=h"])
        yield* until(
          "no consumer left",
          Effect.map(consumersOf(stateStream), (count) => count === 0)
        )
      }).pipe(Effect.scoped)
    )
  )

  it.live("begins with an empty snapshot of a cluster that has nothing", () =>
    withBus(() =>
      Effect.gen(function* () {
        yield* ensureStreams
        const reader = yield* following
        yield* reader.untilSnapshots(1)
        assert.deepStrictEqual(reader.snapshots(), [[]])
      }).pipe(Effect.scoped)
    )
  )

  it.live("waits for the stream to be made", () =>
    withBus(() =>
      Effect.gen(function* () {
        const reader = yield* following
        yield* ensureStreams
        yield* put(["svc.a", "1"])
        yield* reader.untilSnapshots(1)
      }).pipe(Effect.scoped)
    )
  )

  it.live("loses nothing between the snapshot and what follows", () =>
    withBus(() =>
      Effect.gen(function* () {
        yield* ensureStreams
        const count = 1_500
        const writing = yield* put(...Array.from({ length: count }, (_, n) => [`svc.${n}`, `${n}`] as const)).pipe(
          Effect.forkScoped
        )
        const reader = yield* following
        const known = () => new Set([...reader.snapshots().flat(), ...reader.live()])
        yield* until(
          "every message, by the one or the other",
          Effect.sync(() => known().size === count)
        )
        assert.isDefined(writing)
        assert.isAbove(reader.live().length, 0, "some came while it was read")
      }).pipe(Effect.scoped)
    )
  )

  it.live("gives a snapshot again when asked, once for any number of askings", () =>
    withBus(() =>
      Effect.gen(function* () {
        yield* ensureStreams
        yield* put(["svc.a", "1"])
        const reader = yield* following
        yield* reader.untilSnapshots(1)
        for (let n = 0; n < 20; n++) yield* Queue.offer(reader.resync, undefined)
        yield* reader.untilSnapshots(2)
        yield* put(["svc.b", "2"])
        yield* Queue.offer(reader.resync, undefined)
        yield* until(
          "the newest",
          Effect.sync(() => reader.snapshots().at(-1)?.length === 2)
        )
        assert.isAtMost(reader.snapshots().length, 4)
      }).pipe(Effect.scoped)
    )
  )

  it.live("gives a snapshot again after a reconnection, of a server that was wiped as well", () =>
    withBus((server) =>
      Effect.gen(function* () {
        yield* ensureStreams
        yield* put(["svc.a", "1"])
        const reader = yield* following
        yield* reader.untilSnapshots(1)
        yield* server.kill
        yield* server.restart
        yield* reader.untilSnapshots(2)
        assert.deepStrictEqual(reader.snapshots().at(-1), ["svc.a=1"])
        yield* server.stop
        yield* server.wipe
        yield* server.restart
        yield* until(
          "a stream again",
          Effect.map(Effect.result(ensureStreams), ({ _tag }) => _tag === "Success")
        )
        yield* until(
          "an empty snapshot",
          Effect.sync(() => reader.snapshots().at(-1)?.length === 0)
        )
        yield* put(["svc.b", "2"])
        yield* until(
          "live messages",
          Effect.sync(() => reader.live().includes("svc.b=2"))
        )
      }).pipe(Effect.scoped)
    )
  )

  it.live("gives a snapshot to a reader for whom messages had to be dropped", () =>
    withBus(() =>
      Effect.gen(function* () {
        yield* ensureStreams
        const gate = yield* Deferred.make<void>()
        const resync = yield* Queue.sliding<void>(1)
        const known = new Set<string>()
        yield* followState("east", resync, 2).pipe(
          Stream.runForEach((item) =>
            Effect.andThen(
              Effect.sync(() => {
                for (const { key } of item._tag === "Snapshot" ? item.items : [item.item]) known.add(key)
                if (item._tag === "Snapshot") known.add("snapshot")
              }),
              Deferred.await(gate)
            )
          ),
          Effect.forkScoped
        )
        yield* until(
          "the first snapshot",
          Effect.sync(() => known.has("snapshot"))
        )
        const keys = Array.from({ length: 50 }, (_, n) => `svc.${n}`)
        yield* put(...keys.map((key) => [key, "1"] as const))
        yield* Deferred.succeed(gate, undefined)
        yield* until(
          "every message",
          Effect.sync(() => keys.every((key) => known.has(key)))
        )
      }).pipe(Effect.scoped)
    )
  )

  it.live("ends with its scope: no subscription is left", () =>
    withBus(() =>
      Effect.gen(function* () {
        yield* ensureStreams
        const scope = yield* Scope.make()
        const reader = yield* following.pipe(Scope.provide(scope))
        yield* reader.untilSnapshots(1)
        yield* Scope.close(scope, Exit.void)
        const connection = yield* (yield* Bus).connection
        yield* Effect.promise(() => connection.flush())
        const before = connection.stats().inMsgs
        yield* put(["svc.a", "1"])
        yield* Effect.promise(() => connection.flush())
        assert.strictEqual(connection.stats().inMsgs - before, 1, "the acknowledgement, and no repetition")
      }).pipe(Effect.scoped)
    )
  )
})
