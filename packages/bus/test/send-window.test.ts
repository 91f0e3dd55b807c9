import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Schema } from "effect"
import * as Arbitrary from "effect/Arbitrary"
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

const upTo = (maximum: number) => Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum })))

/** What happens to a window: commands come, some of those that there are go their ways, and so many turns pass. */
const steps = Arbitrary.schema(
  Schema.Array(
    Schema.Struct({
      asked: upTo(3),
      ends: Schema.Array(
        Schema.Struct({
          which: upTo(20),
          how: Schema.Literals(["answered", "overload", "other", "defect", "interrupted"])
        })
      ).pipe(Schema.check(Schema.isMaxLength(4))),
      turns: upTo(3)
    })
  ).pipe(Schema.check(Schema.isMaxLength(40)))
)

describe("a window, whatever becomes of the commands", () => {
  it.effect.prop(
    "has as many under way as there are places, as long as some wait, in the order of their coming",
    [Arbitrary.schema(upTo(7)), steps],
    ([less, steps]) =>
      Effect.gen(function* () {
        const window = yield* makeSendWindow(8 - less)
        const begun: Array<number> = []
        const running = new Map<number, Deferred.Deferred<void, "overload" | "other">>()
        const all = new Map<number, Fiber.Fiber<unknown, unknown>>()
        let count = 0
        const ask = Effect.gen(function* () {
          const id = count++
          const outcome = yield* Deferred.make<void, "overload" | "other">()
          const asked = Effect.suspend(() => {
            begun.push(id)
            running.set(id, outcome)
            return Deferred.await(outcome)
          }).pipe(Effect.ensuring(Effect.sync(() => running.delete(id))))
          all.set(id, yield* Effect.forkChild(Effect.exit(window.ask(asked, (error) => error === "overload"))))
        })
        const end = Effect.fnUntraced(function* (which: number, how: string) {
          const ids = how === "interrupted" ? [...all.keys()] : [...running.keys()]
          const id = ids[which % Math.max(1, ids.length)]
          if (id === undefined) return
          const outcome = running.get(id)
          const fiber = all.get(id)
          if (how === "interrupted" && fiber !== undefined) yield* Effect.forkChild(Fiber.interrupt(fiber))
          else if (outcome !== undefined) {
            const exit =
              how === "answered" ? Exit.void : how === "defect" ? Exit.die(how) : Exit.fail(how as "overload" | "other")
            yield* Deferred.done(outcome, exit)
          }
        })
        const settled = Effect.gen(function* () {
          for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
          for (const [id, fiber] of all) if (fiber.pollUnsafe() !== undefined) all.delete(id)
        })
        for (const { asked, ends, turns } of steps) {
          for (let n = 0; n < asked; n++) yield* ask
          for (const { which, how } of ends) yield* end(which, how)
          for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
          if (turns > 0) continue
          yield* settled
          const size = yield* window.size
          assert.isAtLeast(running.size, Math.min(size, all.size), `${all.size} there are, and ${size} places`)
        }
        yield* settled
        // In the end all go their way: none waits for a place that nobody has.
        while (all.size > 0) {
          assert.isAbove(running.size, 0, `${all.size} wait and none is under way`)
          for (const id of [...running.keys()]) yield* end([...running.keys()].indexOf(id), "answered")
          yield* settled
        }
        assert.deepStrictEqual(
          begun,
          begun.toSorted((a, b) => a - b)
        )
      }),
    { arbitrary: { runs: 1_000 } }
  )
})
