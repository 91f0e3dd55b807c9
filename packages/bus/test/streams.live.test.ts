import { assert, describe, it } from "@effect/vitest"
import { jetstreamManager } from "@nats-io/jetstream"
import { Deferred, Effect, Exit } from "effect"
import {
  Bus,
  ensureStreams,
  publishAll,
  readLast,
  readStored,
  replaceStored,
  stateFilter,
  stateStream,
  stateSubject
} from "../src/index.ts"
import { consumersOf, until, withBus } from "./live-bus.ts"

const state = (key: string, text: string) => ({ subject: stateSubject("east", key), text })
const newest = readStored(stateStream, stateFilter("east"))
const texts = Effect.map(newest, (messages) => messages.map(({ text }) => text))

/** How many messages the stream has taken. */
const lastSeq = Effect.gen(function* () {
  const connection = yield* (yield* Bus).connection
  const info = async () => (await jetstreamManager(connection)).streams.info(stateStream)
  return (yield* Effect.promise(info)).state.last_seq
})

describe("streams", () => {
  it.live("are made where they are missing: at first, and after the server lost them", () =>
    withBus((server) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* ensureStreams, ["LT_STATE", "LT_STATUS", "LT_WIRE", "LT_AUDIT"])
        assert.deepStrictEqual(yield* ensureStreams, [])
        yield* server.stop
        yield* server.wipe
        yield* server.restart
        yield* until(
          "the streams again",
          Effect.map(Effect.result(ensureStreams), ({ _tag }) => _tag === "Success")
        )
        yield* publishAll([state("svc.a", "1")])
        assert.deepStrictEqual(yield* texts, ["1"])
      })
    )
  )

  it.live("take many messages in their order, and it is noticed when one of them is not stored", () =>
    withBus(() =>
      Effect.gen(function* () {
        yield* ensureStreams
        const many = Array.from({ length: 700 }, (_, n) => state(`svc.${n % 600}`, String(n)))
        yield* publishAll(many)
        const stored = new Map((yield* newest).map(({ subject, text }) => [subject, text]))
        assert.deepStrictEqual(stored, new Map(many.map(({ subject, text }) => [subject, text])))
        const manager = yield* Effect.flatMap((yield* Bus).connection, (connection) =>
          Effect.promise(() => jetstreamManager(connection))
        )
        const { config } = yield* Effect.promise(() => manager.streams.info(stateStream))
        yield* Effect.promise(() => manager.streams.update(stateStream, { ...config, max_msg_size: 20_000 }))
        const refused = many.map((message, n) => (n === 300 ? { ...message, text: "x".repeat(30_000) } : message))
        const { message } = yield* Effect.flip(publishAll(refused))
        assert.match(message, /expected 256 messages to be stored, found 255/)
      })
    )
  )

  it.live("take no more of many messages once nobody waits for them", () =>
    withBus(() =>
      Effect.gen(function* () {
        yield* ensureStreams
        const many = Array.from({ length: 20_000 }, (_, n) => state(`svc.${n}`, String(n)))
        const begun = yield* Deferred.make<void>()
        const onStored = () => Deferred.doneUnsafe(begun, Exit.void)
        yield* Effect.raceFirst(publishAll(many, { onStored }), Deferred.await(begun))
        // Each of these comes behind what is under way: a lot more would be, too.
        for (let n = 0; n < 200; n++) yield* publishAll([state("svc.behind", String(n))])
        assert.isBelow((yield* newest).length, many.length)
      })
    )
  )

  it.live("have a text in another's place where that one is the newest still", () =>
    withBus(() =>
      Effect.gen(function* () {
        yield* ensureStreams
        yield* publishAll([state("svc.a", "a1"), state("svc.b", "b2"), state("svc.d", "d1")])
        const instead = (key: string, former: string, text: string) => ({
          ...state(key, text),
          replaces: (stored: string) => stored === former
        })
        yield* replaceStored(stateStream, [
          instead("svc.a", "a1", "a1 anew"),
          instead("svc.b", "b1", "b1 anew"),
          instead("svc.c", "c1", "c1 anew"),
          // Both see the former one: the server takes the one that comes first.
          instead("svc.d", "d1", "d1 anew"),
          instead("svc.d", "d1", "d1 anew")
        ])
        assert.sameMembers(yield* texts, ["a1 anew", "b2", "d1 anew"])
        assert.strictEqual(yield* lastSeq, 5)
      })
    )
  )

  it.live("that are there are left as they are", () =>
    withBus(() =>
      Effect.gen(function* () {
        const connection = yield* (yield* Bus).connection
        const manager = yield* Effect.promise(() => jetstreamManager(connection))
        yield* Effect.promise(() => manager.streams.add({ name: stateStream, subjects: ["lt.v1.state.>"] }))
        assert.deepStrictEqual(yield* ensureStreams, ["LT_STATUS", "LT_WIRE", "LT_AUDIT"])
        const { config } = yield* Effect.promise(() => manager.streams.info(stateStream))
        assert.strictEqual(config.max_msgs_per_subject, -1)
      })
    )
  )

  it.live("keep the newest message of each subject", () =>
    withBus(() =>
      Effect.gen(function* () {
        yield* ensureStreams
        yield* publishAll([state("svc.a", "1"), state("svc.b", "2"), state("svc.a", "3")])
        assert.deepStrictEqual(yield* texts, ["2", "3"])
        const last = yield* readLast(stateStream, stateSubject("east", "svc.a"))
        assert.strictEqual(last?.text, "3")
        assert.closeTo(last?.storedAt.getTime() ?? 0, Date.now(), 60_000)
        assert.isUndefined(yield* readLast(stateStream, stateSubject("east", "svc.z")))
      })
    )
  )
})

describe("publishAll", () => {
  it.live("keeps the order of a subject over many windows", () =>
    withBus(() =>
      Effect.gen(function* () {
        yield* ensureStreams
        const connection = yield* (yield* Bus).connection
        const seen = new Map<string, Array<number>>([
          ["a", []],
          ["b", []]
        ])
        connection.subscribe("lt.live.v1.state.east.svc.*", {
          callback: (_error, message) => {
            seen.get(message.subject.slice(-1))?.push(Number(message.string()))
          }
        })
        yield* publishAll(Array.from({ length: 400 }, (_, n) => state(n % 2 === 0 ? "svc.a" : "svc.b", `${n}`)))
        yield* until(
          "all of them",
          Effect.sync(() => [...seen.values()].flat().length === 400)
        )
        for (const numbers of seen.values())
          assert.deepStrictEqual(
            numbers,
            [...numbers].sort((x, y) => x - y)
          )
      })
    )
  )

  it.live("fails when the stream is missing, and has then stored nothing", () =>
    withBus(() =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(publishAll([state("svc.a", "1")]))
        assert.strictEqual(error._tag, "BusUnavailable")
        assert.match(error.message, /^NATS: publish: /)
        yield* ensureStreams
        assert.deepStrictEqual(yield* texts, [])
      })
    )
  )
})

describe("readStored", () => {
  it.live("ends at once under a filter without messages, and leaves no consumer", () =>
    withBus(() =>
      Effect.gen(function* () {
        yield* ensureStreams
        yield* publishAll([{ subject: stateSubject("west", "svc.a"), text: "1" }])
        const startedMs = Date.now()
        assert.deepStrictEqual(yield* newest, [])
        assert.isBelow(Date.now() - startedMs, 2_000, "no waiting for what will not come")
        assert.strictEqual(yield* consumersOf(stateStream), 0)
      })
    )
  )

  it.live("reads everything, past one read-ahead, from a sequence on, and leaves no consumer", () =>
    withBus(() =>
      Effect.gen(function* () {
        yield* ensureStreams
        yield* publishAll(Array.from({ length: 1_200 }, (_, n) => state(`svc.${n}`, `${n}`)))
        assert.strictEqual((yield* newest).length, 1_200)
        const rest = yield* readStored(stateStream, stateFilter("east"), 1_199)
        assert.deepStrictEqual(
          rest.map(({ sequence, text }) => [sequence, text]),
          [
            [1_199, "1198"],
            [1_200, "1199"]
          ]
        )
        assert.strictEqual(yield* consumersOf(stateStream), 0)
      })
    )
  )

  it.live("has every subject, and ends, while they are stored anew all the time", () =>
    withBus(() =>
      Effect.gen(function* () {
        yield* ensureStreams
        const all = Array.from({ length: 30 }, (_, n) => state(`svc.${n}`, `${n}`))
        yield* publishAll(all)
        yield* publishAll(all).pipe(Effect.forever, Effect.forkScoped)
        for (let reading = 0; reading < 60; reading++) {
          const subjects = new Set((yield* newest).map(({ subject }) => subject))
          assert.strictEqual(subjects.size, all.length, `reading ${reading}`)
        }
      }).pipe(Effect.scoped)
    )
  )

  it.live("fails when there is no stream", () =>
    withBus(() =>
      Effect.gen(function* () {
        assert.strictEqual((yield* Effect.flip(newest))._tag, "BusUnavailable")
      })
    )
  )

  it.live("fails with the connection, and does not wait for answers that went with it", () =>
    withBus((server) =>
      Effect.gen(function* () {
        yield* ensureStreams
        yield* server.kill
        const startedMs = Date.now()
        assert.strictEqual((yield* Effect.flip(newest))._tag, "BusUnavailable")
        assert.isBelow(Date.now() - startedMs, 4_000, "a request is given up after 5 s")
      })
    )
  )
})
