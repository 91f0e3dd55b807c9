import { assert, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { readSessionOptions } from "../src/session-options.ts"
import { makeSessions, sessionsMax } from "../src/sessions.ts"

const ends = [
  [4, `127.${1 + Math.floor(Math.random() * 250)}.0.1`, (index: number) => `198.18.${index >> 8}.${index & 255}`],
  [6, "::1", (index: number) => `2001:db8::${index.toString(16)}`]
] as const

it.live.each(ends)("IPv%i: a node has as many sessions as are promised, and one more is refused", ([, here, peer]) =>
  Effect.gen(function* () {
    const sessions = yield* Effect.acquireRelease(
      Effect.sync(() => makeSessions(() => undefined)),
      ({ stop }) => Effect.promise(stop)
    )
    const add = (index: number) => {
      const options = readSessionOptions({ localAddress: here, peerAddress: peer(index + 1) })
      return sessions.set(`session ${index}`, Result.getOrThrow(options))
    }
    for (let index = 0; index < sessionsMax; index++) assert.isTrue(Result.isSuccess(add(index)), String(index))
    const discriminators = new Set(sessions.status().map(({ localDiscriminator }) => localDiscriminator))
    const sourcePorts = new Set(sessions.status().map(({ sourcePort }) => sourcePort))
    assert.deepStrictEqual([discriminators.size, sourcePorts.size], [sessionsMax, sessionsMax])
    assert.deepStrictEqual(add(sessionsMax), Result.fail(`there are ${sessionsMax} sessions, which is the most`))
  }).pipe(Effect.scoped)
)
