import { assert, describe, it } from "@effect/vitest"
import { decide, Fleet } from "@lowtide/domain"
import { Ledger } from "@lowtide/ledger"
import { WireStretch } from "@lowtide/ledger/proofs/wire-seal"
import { memoryLedger } from "@lowtide/testkit"
import { Effect, Result } from "effect"
import { sealUntil } from "../src/seal-wire.ts"

const clock = { nowMs: 0 }
const at = (minute: number) => Date.parse("2026-11-23T14:00:00Z") + minute * 60_000
const row = { cluster: "east", kind: "session", node: "east-1", peer: "tor", detail: "{}" }

describe("sealing the wire journal", () => {
  it.effect("covers the rows before an hour's end, goes on where the last seal ended, and seals nothing twice", () =>
    Effect.gen(function* () {
      const ledger = yield* Ledger
      const write = (minute: number, count: number) => {
        clock.nowMs = at(minute)
        return ledger.appendWire(Array.from({ length: count }, () => row))
      }
      yield* write(10, 1_500)
      yield* write(59, 1)
      yield* write(61, 2)
      const ten = new Date(at(60)).toISOString()
      const first = yield* sealUntil(ten, 0)
      const stretch = new WireStretch()
      for (const stored of yield* ledger.wire({ limit: 1_501, order: "asc" })) stretch.add(stored)
      assert.deepInclude(first, { sinceId: 1, untilId: 1_501, count: 1_501, root: stretch.root(), until: ten })
      assert.isUndefined(yield* sealUntil(ten, 1_501))
      const second = yield* sealUntil(new Date(at(120)).toISOString(), 1_501)
      assert.deepInclude(second, { sinceId: 1_502, untilId: 1_503, count: 2 })

      const fleet = new Fleet()
      const context = { nowMs: 0, obligedOf: () => [], hasConfirmed: () => false }
      const sealed = [first!, first!, second!, first!].map(
        (command) => Result.getOrThrow(decide(fleet, command, context)).length
      )
      assert.deepStrictEqual(sealed, [1, 0, 1, 0])
      assert.deepInclude(fleet.wireSeal, { sinceId: 1_502, untilId: 1_503 })
    }).pipe(Effect.provide(memoryLedger({ nowMs: () => clock.nowMs })))
  )
})
