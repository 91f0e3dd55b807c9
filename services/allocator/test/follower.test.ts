import { expect, it } from "@effect/vitest"
import { Ledger, Unavailable } from "@lowtide/ledger"
import { memoryLedger } from "@lowtide/testkit"
import { Effect, Fiber, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import { Follower } from "../src/follower.ts"

const refused = (code: string) => new Unavailable({ operation: "changes", code, cause: new Error(code) })

it.effect("a follower that stands still says so once, and not while the database is away", () => {
  const lines: Array<string> = []
  let fault: Unavailable | undefined
  const faulty = Layer.effect(
    Ledger,
    Effect.map(Ledger, (ledger) =>
      Ledger.of({
        ...ledger,
        head: Effect.suspend(() => (fault === undefined ? ledger.head : Effect.fail(fault)))
      })
    )
  )
  return Effect.gen(function* () {
    const following = yield* Effect.forkChild(new Follower().follow)
    for (const code of ["ECONNREFUSED", "EPIPE", "57P01", "08006", "22P05", "22P05", undefined, "22P05"]) {
      fault = code === undefined ? undefined : refused(code)
      yield* TestClock.adjust("400 millis")
    }
    yield* Fiber.interrupt(following)
    const said =
      "the log is not followed: read up to event 0: ledger changes: expected an answer from the database, found 22P05 (22P05)"
    expect(lines).toEqual([said, said])
  }).pipe(
    Effect.provide(
      Layer.mergeAll(
        faulty.pipe(Layer.provide(memoryLedger())),
        Logger.layer([Logger.make<unknown, void>(({ message }) => void lines.push(String(message)))])
      )
    )
  )
})
