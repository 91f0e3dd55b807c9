import { assert, it } from "@effect/vitest"
import type { RecoveryAnswer } from "@lowtide/api/recovery"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import type { Centre } from "../../src/centre.ts"
import { begun } from "../../src/http/centre-handlers.ts"
import { leaderHealth } from "./sample.ts"

const before: RecoveryAnswer = { position: 7, asOf: "2026-11-23T14:05:00.000Z", recovery: null, reserved: [] }

it.effect("a recovery that is ordered and does not begin soon is answered as one that was taken", () =>
  Effect.gen(function* () {
    // As while the leader loads its state again.
    const centre = { health: Effect.succeed(leaderHealth), read: () => Effect.never } as unknown as Centre["Service"]
    const asked = yield* Effect.forkChild(begun(centre, before))
    yield* TestClock.adjust("10 seconds")
    const { sentence, ...answer } = yield* Fiber.join(asked)
    assert.deepStrictEqual(answer, before)
    assert.match(sentence ?? "", /^The recovery is ordered and not begun yet: .* no need to order another\.$/)
  })
)
