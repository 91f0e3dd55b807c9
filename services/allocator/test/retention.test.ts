import { assert, describe, it } from "@effect/vitest"
import type { CommandReply } from "@lowtide/bus/commands"
import { decide, Fleet } from "@lowtide/domain"
import { emptyBatch, Ledger } from "@lowtide/ledger"
import { memoryLedger } from "@lowtide/testkit"
import { Effect, Fiber, Metric, Option, Result } from "effect"
import { TestClock } from "effect/testing"
import type { Memory } from "../src/memory.ts"
import type { Reign } from "../src/reign.ts"
import { retainCommandResults, retainReads, retainWireJournal } from "../src/retention.ts"
import { sealUntil } from "../src/seal-wire.ts"
import { uuid } from "./orders.ts"

const clock = { nowMs: 0 }
const atHour = (hour: number) => Date.parse("2026-11-23T00:00:00Z") + hour * 3_600_000

/** Commits what is submitted to the memory ledger, as a reign does. */
const reigning = Effect.gen(function* () {
  const ledger = yield* Ledger
  const { epoch } = Option.getOrThrow(yield* ledger.acquireLease(uuid(1), 10 ** 12))
  const fleet = new Fleet()
  const reign: Pick<Reign, "read" | "submit"> = {
    read: (look) => Effect.sync(() => look({ fleet } as Memory)),
    submit: (actor, actorKind, command) =>
      Effect.gen(function* () {
        const context = { nowMs: clock.nowMs, obligedOf: () => [], hasConfirmed: () => false }
        const decided = Result.getOrThrow(decide(fleet, command, context))
        const { seq } = yield* ledger.head
        const events = decided.map(({ stream, type, reason, before, after }) => ({
          ...{ stream, version: fleet.versions.get(stream) ?? 0, type, schema: 1, actor, actorKind },
          ...{ commandId: uuid(seq), correlationId: uuid(seq), reasonCode: reason, meta: "{}" },
          data: JSON.stringify({ before, after })
        }))
        yield* ledger.append({ ...emptyBatch({ epoch, seq }), events })
        return { _tag: "Done", seqFrom: null, seqTo: null } satisfies CommandReply
      }).pipe(Effect.orDie)
  }
  /** Rows of one hour, sealed after it. */
  const hour = (number: number, count: number) =>
    Effect.gen(function* () {
      clock.nowMs = atHour(number)
      yield* ledger.appendWire(
        Array.from({ length: count }, () => ({ cluster: "east", kind: "session", detail: "{}" }))
      )
      const until = new Date(atHour(number + 1)).toISOString()
      const seal = yield* sealUntil(until, fleet.wireSeal?.untilId ?? 0)
      if (seal !== undefined) yield* reign.submit("allocator", "system", seal)
    })
  const ids = Effect.map(ledger.wire({ limit: 100, order: "asc" }), (rows) => rows.map(({ id }) => id))
  const drops = Effect.map(ledger.events({ type: "WireRowsDropped", limit: 100, order: "asc" }), (events) =>
    events.map(({ data }) => JSON.parse(data).after)
  )
  return { reign, hour, ids, drops }
})

describe("the retention of commands' results", () => {
  it.effect("removes those older than a week by both clocks, and asks the log for no more", () =>
    Effect.gen(function* () {
      const ledger = yield* Ledger
      const { epoch } = Option.getOrThrow(yield* ledger.acquireLease(uuid(1), 10 ** 12))
      const stored = (day: number, name: number) =>
        Effect.gen(function* () {
          clock.nowMs = atHour(24 * day)
          yield* TestClock.setTime(clock.nowMs)
          const { seq } = yield* ledger.head
          yield* ledger.append({ ...emptyBatch({ epoch, seq }), results: [{ commandId: uuid(name), outcome: "{}" }] })
        })
      const kept = Effect.map(
        Effect.forEach([5, 6], (name) => ledger.commandResult(uuid(name))),
        (results) => results.map(Option.isSome)
      )
      yield* stored(0, 5)
      yield* stored(3, 6)
      yield* Effect.forkScoped(retainCommandResults)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(yield* kept, [true, true])
      clock.nowMs = atHour(24 * 1000)
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(yield* kept, [true, true], "a database's clock that jumped ahead takes nothing")
      yield* TestClock.setTime(atHour(24 * 7 + 1))
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(yield* kept, [false, true])
    }).pipe(Effect.scoped, Effect.provide(memoryLedger({ nowMs: () => clock.nowMs })))
  )
})

describe("the wire journal's retention", () => {
  it.effect("removes the rows of seals that are older, after the log says so, and no others", () =>
    Effect.gen(function* () {
      const { reign, hour, ids, drops } = yield* reigning
      yield* hour(0, 3)
      yield* hour(5, 2)
      yield* hour(30, 4)
      clock.nowMs = atHour(1 + 24 - 0.01)
      yield* TestClock.setTime(clock.nowMs)
      yield* Effect.forkScoped(retainWireJournal(reign, 1))
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(yield* ids, [1, 2, 3, 4, 5, 6, 7, 8, 9], "none is a day old as a whole")
      clock.nowMs = atHour(1000)
      yield* TestClock.adjust("1 second")
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(
        (yield* ids).length,
        6,
        "of a database's clock that jumped ahead no more than this one's says"
      )
      clock.nowMs = atHour(1 + 24)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* ids, [4, 5, 6, 7, 8, 9])
      yield* TestClock.adjust("5 minutes")
      const first = { _tag: "WireDrop", untilId: 3, before: new Date(atHour(1)).toISOString() }
      assert.deepStrictEqual(yield* drops, [first], "said once")
      yield* hour(60, 1)
      yield* TestClock.setTime(clock.nowMs)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* ids, [10])
      const second = { _tag: "WireDrop", untilId: 9, before: new Date(atHour(31)).toISOString() }
      const between = { _tag: "WireDrop", untilId: 5, before: new Date(atHour(6)).toISOString() }
      assert.deepStrictEqual(yield* drops, [first, between, second])
    }).pipe(Effect.scoped, Effect.provide(memoryLedger({ nowMs: () => clock.nowMs })))
  )
})

it.effect("questions to the record go after the days that are set, and are counted", () =>
  Effect.gen(function* () {
    const ledger = yield* Ledger
    for (const day of [0, 39, 40, 41]) {
      clock.nowMs = atHour(24 * day)
      yield* ledger.recordRead({ actor: "person:ada", isAuthenticated: true, question: "/v1/history", position: day })
    }
    const kept = (days: number | undefined) =>
      Effect.gen(function* () {
        const retaining = yield* Effect.forkChild(retainReads(days))
        yield* TestClock.setTime(clock.nowMs)
        yield* Effect.yieldNow
        const found = (yield* Metric.snapshot).find(({ id }) => id === "lowtide_audit_reads")
        yield* Fiber.interrupt(retaining)
        const reads = yield* ledger.auditReads({ limit: 10 })
        return [reads.map(({ position }) => position), found?.type === "Gauge" ? found.state.value : undefined]
      })
    clock.nowMs = atHour(24 * 75)
    yield* TestClock.setTime(clock.nowMs)
    assert.deepStrictEqual(yield* kept(undefined), [[41, 40, 39, 0], 4])
    assert.deepStrictEqual(yield* kept(35), [[41, 40], 2])
  }).pipe(Effect.provide(memoryLedger({ nowMs: () => clock.nowMs })))
)
