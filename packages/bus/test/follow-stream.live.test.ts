import { assert, describe, it } from "@effect/vitest"
import { jetstreamManager } from "@nats-io/jetstream"
import { Effect, Exit, Scope, Stream } from "effect"
import {
  Bus,
  ensureStreams,
  followStream,
  publishAll,
  type StoredMessage,
  wireFilter,
  wireStream,
  wireSubject
} from "../src/index.ts"
import { consumersOf, until, withBus } from "./live-bus.ts"

const report = (text: string) => ({ subject: wireSubject("east", "n1"), text })

/** Follows in the background, and what it has seen. */
const following = (from: number) =>
  Effect.gen(function* () {
    const seen: Array<StoredMessage> = []
    yield* followStream(wireStream, wireFilter, from).pipe(
      Stream.runForEach((message) => Effect.sync(() => seen.push(message))),
      Effect.forkScoped
    )
    return {
      seen,
      texts: () => seen.map(({ text }) => text),
      untilSeen: (count: number) =>
        until(
          `${count} messages`,
          Effect.sync(() => seen.length >= count)
        )
    }
  })

const storeAgain = (...texts: ReadonlyArray<string>) =>
  until(
    "a stream that stores",
    Effect.map(
      Effect.result(Effect.andThen(ensureStreams, publishAll(texts.map(report)))),
      ({ _tag }) => _tag === "Success"
    )
  )

describe("following a stream", () => {
  it.live("begins at the sequence and goes on with what comes", () =>
    withBus(() =>
      Effect.gen(function* () {
        yield* ensureStreams
        yield* publishAll(["1", "2", "3"].map(report))
        const reader = yield* following(2)
        yield* reader.untilSeen(2)
        yield* publishAll([report("4")])
        yield* reader.untilSeen(3)
        assert.deepStrictEqual(
          reader.seen.map(({ sequence, text, subject }) => [sequence, text, subject]),
          ["2", "3", "4"].map((text) => [Number(text), text, "lt.v1.wire.east.n1"])
        )
        assert.closeTo(reader.seen[0]?.storedAtMs ?? 0, Date.now(), 60_000)
      }).pipe(Effect.scoped)
    )
  )

  it.live("waits for a stream that is not there yet", () =>
    withBus(() =>
      Effect.gen(function* () {
        const reader = yield* following(1)
        yield* storeAgain("1")
        yield* reader.untilSeen(1)
      }).pipe(Effect.scoped)
    )
  )

  it.live("loses and repeats nothing over a server that is killed and comes back", () =>
    withBus((server) =>
      Effect.gen(function* () {
        yield* ensureStreams
        const reader = yield* following(1)
        yield* publishAll(["1", "2"].map(report))
        yield* reader.untilSeen(2)
        yield* server.kill
        yield* server.restart
        yield* storeAgain("3")
        yield* reader.untilSeen(3)
        assert.deepStrictEqual(reader.texts(), ["1", "2", "3"])
      }).pipe(Effect.scoped)
    )
  )

  it.live(
    "begins again at 1 when the store was wiped while it followed, even where the new one is longer already",
    () =>
      withBus((server) =>
        Effect.gen(function* () {
          yield* ensureStreams
          const reader = yield* following(1)
          yield* publishAll(["a", "b"].map(report))
          yield* reader.untilSeen(2)
          yield* server.stop
          yield* server.wipe
          yield* server.restart
          yield* storeAgain("1", "2", "3", "4")
          yield* until(
            "the last",
            Effect.sync(() => reader.texts().includes("4"))
          )
          assert.deepStrictEqual(reader.texts(), ["a", "b", "1", "2", "3", "4"])
        }).pipe(Effect.scoped)
      )
  )

  it.live("begins at 1 when the store was wiped while nobody followed", () =>
    withBus(() =>
      Effect.gen(function* () {
        yield* ensureStreams
        yield* publishAll(["1", "2"].map(report))
        const reader = yield* following(50)
        yield* reader.untilSeen(2)
        assert.deepStrictEqual(reader.texts(), ["1", "2"])
      }).pipe(Effect.scoped)
    )
  )

  it.live("at the end of the stream waits for the next one", () =>
    withBus(() =>
      Effect.gen(function* () {
        yield* ensureStreams
        yield* publishAll(["1", "2"].map(report))
        const reader = yield* following(3)
        yield* until(
          "its consumer",
          Effect.map(consumersOf(wireStream), (count) => count === 1)
        )
        yield* publishAll([report("3")])
        yield* reader.untilSeen(1)
        assert.deepStrictEqual(reader.texts(), ["3"])
      }).pipe(Effect.scoped)
    )
  )

  it.live("leaves no consumer when its scope closes, with messages read ahead of a busy reader", () =>
    withBus(() =>
      Effect.gen(function* () {
        yield* ensureStreams
        yield* publishAll(Array.from({ length: 2_000 }, (_, n) => report(`${n}`)))
        const scope = yield* Scope.make()
        let taken = 0
        yield* followStream(wireStream, wireFilter, 1).pipe(
          Stream.runForEach(() =>
            Effect.andThen(
              Effect.sync(() => taken++),
              Effect.never
            )
          ),
          Effect.forkIn(scope)
        )
        yield* until(
          "the reader to be busy",
          Effect.sync(() => taken === 1)
        )
        assert.strictEqual(yield* consumersOf(wireStream), 1)
        yield* Scope.close(scope, Exit.void)
        yield* until(
          "no consumer",
          Effect.map(consumersOf(wireStream), (count) => count === 0)
        )
        const connection = yield* (yield* Bus).connection
        const manager = yield* Effect.promise(() => jetstreamManager(connection))
        assert.strictEqual((yield* Effect.promise(() => manager.streams.info(wireStream))).state.messages, 2_000)
      })
    )
  )
})
