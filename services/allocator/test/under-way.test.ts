import { assert, describe, it } from "@effect/vitest"
import type { CommandReply } from "@lowtide/bus/commands"
import { Deferred, Effect, Fiber } from "effect"
import { UnderWay } from "../src/under-way.ts"

const done = (seq: number): CommandReply => ({ _tag: "Done", seqFrom: seq, seqTo: seq })

describe("commands under way", () => {
  it.effect("are decided once: a repeat that overtakes the answer gets it as well", () =>
    Effect.gen(function* () {
      const underWay = new UnderWay()
      const committed = yield* Deferred.make<void>()
      let decided = 0
      const decide = Effect.suspend(() => {
        const seq = ++decided
        return Effect.as(Deferred.await(committed), done(seq))
      })
      const first = yield* Effect.forkChild(underWay.once("id-1", decide))
      const repeat = yield* Effect.forkChild(underWay.once("id-1", decide))
      const other = yield* Effect.forkChild(underWay.once("id-2", decide))
      yield* Effect.yieldNow
      yield* Deferred.succeed(committed, undefined)
      const replies = yield* Effect.forEach([first, repeat, other], (fiber) => Fiber.join(fiber))
      assert.deepStrictEqual(replies, [done(1), done(1), done(2)])
      assert.deepStrictEqual(yield* underWay.once("id-1", decide), done(3), "later it is for the ledger to know")
    })
  )

  it.effect("tell whoever waits to try again when their end does not come", () =>
    Effect.gen(function* () {
      const underWay = new UnderWay()
      const first = yield* Effect.forkChild(underWay.once("id-1", Effect.never))
      const repeat = yield* Effect.forkChild(underWay.once("id-1", Effect.never))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(first)
      assert.strictEqual((yield* Fiber.join(repeat))._tag, "TryAgain")
    })
  )
})
