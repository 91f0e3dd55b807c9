import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { makeSendWindow, type SendWindow } from "../src/index.ts"

type Outcome = "answered" | "overload" | "other"

/** Asks in a fiber of its own; the command is under way until `end` says how it went. */
const askIn = (window: SendWindow) =>
  Effect.gen(function* () {
    const outcome = yield* Deferred.make<Outcome>()
    const asked = { isUnderWay: false }
    const ask = Effect.gen(function* () {
      asked.isUnderWay = true
      const how = yield* Deferred.await(outcome)
      return how === "answered" ? how : yield* Effect.fail(how)
    })
    const fiber = yield* Effect.forkChild(Effect.exit(window.ask(ask, (error) => error === "overload")))
    yield* Effect.yieldNow
    const end = (how: Outcome) =>
      Deferred.succeed(outcome, how).pipe(Effect.andThen(Fiber.join(fiber)), Effect.andThen(Effect.yieldNow))
    return { asked, end }
  })

const several = (window: SendWindow, count: number) =>
  Effect.forEach(Array.from({ length: count }), () => askIn(window))

describe("a window of commands", () => {
  it.effect("lets so many be under way, and the next one when one is answered", () =>
    Effect.gen(function* () {
      const window = yield* makeSendWindow(2)
      const all = yield* several(window, 4)
      assert.deepStrictEqual(
        all.map(({ asked }) => asked.isUnderWay),
        [true, true, false, false]
      )
      yield* all[0]!.end("answered")
      assert.deepStrictEqual(
        all.map(({ asked }) => asked.isUnderWay),
        [true, true, true, false]
      )
    })
  )

  it.effect("is halved once by one overload, however many commands met it", () =>
    Effect.gen(function* () {
      const window = yield* makeSendWindow(8)
      const all = yield* several(window, 9)
      yield* Effect.forEach(all.slice(0, 6), ({ end }) => end("overload"))
      assert.strictEqual(yield* window.size, 4)
      assert.isTrue(all[8]!.asked.isUnderWay)
      yield* all[8]!.end("overload")
      assert.strictEqual(yield* window.size, 2, "one that was sent since met another")
    })
  )

  it.effect("keeps one place, and is wider by one with each answer, up to its bound", () =>
    Effect.gen(function* () {
      const window = yield* makeSendWindow(3)
      const sizeAfter = (how: Outcome) =>
        Effect.flatMap(askIn(window), ({ end }) => Effect.andThen(end(how), window.size))
      const outcomes = ["overload", "overload", "answered", "answered", "answered", "other"] as const
      assert.deepStrictEqual(yield* Effect.forEach(outcomes, sizeAfter), [1, 1, 2, 3, 3, 3])
    })
  )
})
