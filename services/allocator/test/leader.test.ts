import { assert, describe, it } from "@effect/vitest"
import { Ledger, Unavailable } from "@lowtide/ledger"
import { memoryLedger } from "@lowtide/testkit"
import { Effect, Fiber, Layer, Option } from "effect"
import { TestClock } from "effect/testing"
import { awaitLease, keepLease, leaseMs } from "../src/leader.ts"

const away = new Unavailable({ operation: "lease", cause: new Error("connection refused") })

/** A ledger whose lease answers as told; the rest is of memory. */
const ledgerWith = (lease: Partial<Ledger["Service"]>) =>
  Layer.effect(
    Ledger,
    Effect.map(Ledger, (ledger) => Ledger.of({ ...ledger, ...lease }))
  ).pipe(Layer.provide(memoryLedger()))

const renewing = (answer: () => Effect.Effect<boolean, Unavailable>) => {
  const state = { renewals: 0 }
  const layer = ledgerWith({
    renewLease: (epoch, ttlMs) =>
      Effect.suspend(() => {
        assert.deepStrictEqual([epoch, ttlMs], [7, leaseMs])
        state.renewals += 1
        return answer()
      })
  })
  return { state, keep: Effect.forkChild(Effect.flip(keepLease(7))).pipe(Effect.provide(layer)) }
}

describe("a lease that is held", () => {
  it.effect("is renewed each second, for ever", () =>
    Effect.gen(function* () {
      const { state, keep } = renewing(() => Effect.succeed(true))
      const kept = yield* keep
      yield* TestClock.adjust("1 minute")
      assert.isUndefined(kept.pollUnsafe())
      assert.closeTo(state.renewals, 60, 1)
      yield* Fiber.interrupt(kept)
    })
  )

  it.effect("is lost at once when another has it", () =>
    Effect.gen(function* () {
      let holds = true
      const kept = yield* renewing(() => Effect.succeed(holds)).keep
      yield* TestClock.adjust("10 seconds")
      holds = false
      yield* TestClock.adjust("1 second")
      assert.strictEqual(
        (yield* Fiber.join(kept)).message,
        "the lease of epoch 7 is lost: it expired, or another allocator holds it"
      )
    })
  )

  it.effect.each([
    ["refuses", Effect.fail(away)],
    ["does not answer", Effect.never]
  ] as const)("survives a database that %s for three seconds, and is lost before it ends by itself", ([, answer]) =>
    Effect.gen(function* () {
      let isAway = false
      const kept = yield* renewing(() => (isAway ? answer : Effect.succeed(true))).keep
      yield* TestClock.adjust("10 seconds")
      isAway = true
      yield* TestClock.adjust("3 seconds")
      assert.isUndefined(kept.pollUnsafe(), "a short absence is no reason")
      yield* TestClock.adjust(leaseMs - 3_000)
      const lost = kept.pollUnsafe()
      assert.isDefined(lost, "nobody decides on a lease that may have ended")
      assert.match((yield* Fiber.join(kept)).message, /not renewed for \d+ ms/)
    })
  )

  it.effect("is kept through a database that comes back in time", () =>
    Effect.gen(function* () {
      let isAway = false
      const kept = yield* renewing(() => (isAway ? Effect.fail(away) : Effect.succeed(true))).keep
      for (let round = 0; round < 5; round++) {
        isAway = true
        yield* TestClock.adjust("2 seconds")
        isAway = false
        yield* TestClock.adjust("2 seconds")
      }
      assert.isUndefined(kept.pollUnsafe())
      yield* Fiber.interrupt(kept)
    })
  )
})

describe("waiting for the lease", () => {
  it.effect("lasts while another has it or the database is away, and answers the epoch", () =>
    Effect.gen(function* () {
      let answer: Effect.Effect<Option.Option<{ readonly epoch: number }>, Unavailable> = Effect.fail(away)
      const ledger = ledgerWith({
        acquireLease: (holder) => {
          assert.strictEqual(holder, "me")
          return Effect.suspend(() => answer)
        }
      })
      const waiting = yield* Effect.forkChild(awaitLease("me")).pipe(Effect.provide(ledger))
      yield* TestClock.adjust("5 seconds")
      answer = Effect.succeed(Option.none())
      yield* TestClock.adjust("5 seconds")
      assert.isUndefined(waiting.pollUnsafe())
      answer = Effect.succeed(Option.some({ epoch: 3 }))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(waiting), 3)
    })
  )
})
