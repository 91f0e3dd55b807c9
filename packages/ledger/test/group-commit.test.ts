import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { makeGroupCommit } from "../src/index.ts"

/** A commit that waits to be let go, and remembers what it was given. */
const gatedCommit = Effect.gen(function* () {
  const batches: Array<ReadonlyArray<number>> = []
  const gate = yield* Deferred.make<void>()
  const commit = (commands: ReadonlyArray<number>) =>
    Effect.suspend(() => {
      batches.push(commands)
      return Effect.as(
        Deferred.await(gate),
        commands.map((command) => command * 10)
      )
    })
  return { batches, commit, open: Deferred.succeed(gate, undefined) }
})

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)

describe("group commit", () => {
  it.effect("what arrives during a commit shares the next one, up to the batch's bound, in order", () =>
    Effect.gen(function* () {
      const { batches, commit, open } = yield* gatedCommit
      const group = yield* makeGroupCommit({ commit, batchMax: 3 })
      const first = yield* Effect.forkChild(group.submit(1))
      yield* Effect.yieldNow
      const others = yield* Effect.forEach(range(2, 6), (command) => Effect.forkChild(group.submit(command)))
      yield* Effect.yieldNow
      assert.strictEqual(yield* group.waiting, 5)
      yield* open
      assert.deepStrictEqual(yield* Effect.forEach([first, ...others], Fiber.join), [10, 20, 30, 40, 50, 60])
      assert.deepStrictEqual(batches, [[1], [2, 3, 4], [5, 6]])
    })
  )

  it.effect("refuses at once when too many wait, and takes more when they no longer do", () =>
    Effect.gen(function* () {
      const { commit, open } = yield* gatedCommit
      const group = yield* makeGroupCommit({ commit, waitingMax: 2 })
      const taken = yield* Effect.forkChild(group.submit(1))
      yield* Effect.yieldNow
      const waiting = yield* Effect.forEach([2, 3], (command) => Effect.forkChild(group.submit(command)))
      yield* Effect.yieldNow
      assert.isTrue(yield* group.isFull)
      const refused = yield* Effect.flip(group.submit(4))
      assert.deepInclude(refused, { _tag: "Overloaded", waiting: 2, waitingMax: 2 })
      yield* open
      yield* Effect.forEach([taken, ...waiting], Fiber.join)
      assert.isFalse(yield* group.isFull)
      assert.strictEqual(yield* group.submit(5), 50)
    })
  )

  it.effect("a failed batch fails its own waiters, and the loop goes on", () =>
    Effect.gen(function* () {
      const group = yield* makeGroupCommit({
        commit: (commands: ReadonlyArray<number>) =>
          commands.includes(2) ? Effect.fail("no" as const) : Effect.succeed(commands)
      })
      assert.strictEqual(yield* group.submit(1), 1)
      assert.strictEqual(yield* Effect.flip(group.submit(2)), "no")
      assert.strictEqual(yield* group.submit(3), 3)
    })
  )

  it.effect("a commit that dies, or answers too few outcomes, is a defect of its waiters alone", () =>
    Effect.gen(function* () {
      const group = yield* makeGroupCommit({
        commit: (commands: ReadonlyArray<number>) =>
          commands.includes(1) ? Effect.die("broken") : Effect.succeed(commands.includes(2) ? [] : commands)
      })
      assert.isTrue(Exit.hasDies(yield* Effect.exit(group.submit(1))))
      assert.isTrue(Exit.hasDies(yield* Effect.exit(group.submit(2))))
      assert.strictEqual(yield* group.submit(3), 3)
    })
  )

  it.effect("closing finishes the batch in flight and interrupts who still waits", () =>
    Effect.gen(function* () {
      const { batches, commit, open } = yield* gatedCommit
      const scope = yield* Scope.make()
      const group = yield* makeGroupCommit({ commit, batchMax: 1 }).pipe(Effect.provideService(Scope.Scope, scope))
      const inFlight = yield* Effect.forkChild(group.submit(1))
      yield* Effect.yieldNow
      const late = yield* Effect.forkChild(group.submit(2))
      yield* Effect.yieldNow
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* Effect.yieldNow
      yield* open
      yield* Fiber.join(closing)
      assert.strictEqual(yield* Fiber.join(inFlight), 10)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(late)))
      assert.isTrue(Exit.hasInterrupts(yield* Effect.exit(group.submit(3))))
      assert.deepStrictEqual(batches, [[1]])
    })
  )
})
