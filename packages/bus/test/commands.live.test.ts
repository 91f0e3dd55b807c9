import { assert, describe, it } from "@effect/vitest"
import type { AgentCommand } from "@lowtide/domain/fleet/command-schema"
import { newestFleetVersion } from "@lowtide/domain/fleet/fleet-version"
import { Effect, Exit, Fiber, Scope } from "effect"
import { Bus, type CommandReply, commandSubject, makeSendWindow, sendCommand, serveCommands } from "../src/index.ts"
import { until, withBus } from "./live-bus.ts"

const uuid = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`

const command = (n: number, cluster = "east"): AgentCommand => ({
  commandId: uuid(n),
  correlationId: uuid(n),
  command: { _tag: "RegisterCluster", cluster, network: "default" }
})

const done: CommandReply = { _tag: "Done", seqFrom: 1, seqTo: 2 }

/** Serves by the given answers, one after another, the last one for ever, and notes what was asked. */
const serving = (...answers: ReadonlyArray<Effect.Effect<CommandReply>>) =>
  Effect.gen(function* () {
    const asked: Array<AgentCommand> = []
    yield* serveCommands((envelope) =>
      Effect.suspend(() => {
        asked.push(envelope)
        return answers[Math.min(asked.length, answers.length) - 1] ?? Effect.never
      })
    )
    return asked
  })

const attempts = (asked: ReadonlyArray<AgentCommand>) => asked.map(({ commandId, attempt }) => [commandId, attempt])

/** What a plain request of any text is answered. */
const ask = (subject: string, text: string) =>
  Effect.gen(function* () {
    const connection = yield* (yield* Bus).connection
    return yield* Effect.promise(async () => JSON.parse((await connection.request(subject, text)).string()))
  })

describe("a command", () => {
  it.live("is answered, with everything that it carries", () =>
    withBus(() =>
      Effect.gen(function* () {
        const asked = yield* serving(Effect.succeed(done))
        const sent = { ...command(1), words: "because", observedAt: "2026-01-01T00:00:00.000Z" }
        assert.deepStrictEqual(yield* sendCommand("east", sent), done)
        assert.deepStrictEqual(asked, [{ ...sent, fleetVersion: newestFleetVersion, attempt: 1 }])
      }).pipe(Effect.scoped)
    )
  )

  it.live("that the server would not carry is refused, with what it may be", () =>
    withBus(() =>
      Effect.gen(function* () {
        yield* serving(Effect.succeed(done))
        const reply = yield* sendCommand("east", { ...command(1), words: "x".repeat(1024 ** 2) })
        assert.deepInclude(reply, { _tag: "Refused", code: "LT0509" })
        assert.match(reply._tag === "Refused" ? reply.message : "", /at most 1048576 octets.*found one of 104\d{4}/)
        assert.deepStrictEqual(yield* sendCommand("east", command(2)), done)
      }).pipe(Effect.scoped)
    )
  )

  it.live("is sent until somebody is there, with the same id and a rising attempt", () =>
    withBus(() =>
      Effect.gen(function* () {
        const waiting = yield* Effect.forkScoped(sendCommand("east", command(1)))
        const connection = yield* (yield* Bus).connection
        yield* until(
          "two tries",
          Effect.sync(() => connection.stats().outMsgs >= 2)
        )
        assert.isUndefined(waiting.pollUnsafe(), "nobody answers yet")
        const asked = yield* serving(Effect.succeed(done))
        assert.deepStrictEqual(yield* Fiber.join(waiting), done)
        assert.strictEqual(asked.length, 1)
        assert.strictEqual(asked[0]?.commandId, uuid(1))
        assert.isAbove(asked[0]?.attempt ?? 0, 1)
      }).pipe(Effect.scoped)
    )
  )

  it.live("is sent again when it is to be tried again, and not when it is refused", () =>
    withBus(() =>
      Effect.gen(function* () {
        const refused: CommandReply = { _tag: "Refused", code: "LT0506", message: "no" }
        const asked = yield* serving(
          Effect.succeed({ _tag: "TryAgain", message: "later" }),
          Effect.succeed({ _tag: "TryAgain", message: "later" }),
          Effect.succeed(refused)
        )
        assert.deepStrictEqual(yield* sendCommand("east", command(1)), refused)
        assert.deepStrictEqual(attempts(asked), [
          [uuid(1), 1],
          [uuid(1), 2],
          [uuid(1), 3]
        ])
      }).pipe(Effect.scoped)
    )
  )

  it.live("that met a busy allocator is sent as if it never had been: it was not looked at", () =>
    withBus(() =>
      Effect.gen(function* () {
        const busy: CommandReply = { _tag: "TryAgain", message: "many wait", isBusy: true }
        const asked = yield* serving(Effect.succeed(busy), Effect.succeed(busy), Effect.succeed(done))
        const window = yield* makeSendWindow(16)
        assert.deepStrictEqual(yield* sendCommand("east", command(1), window), done)
        assert.deepStrictEqual(attempts(asked), [
          [uuid(1), 1],
          [uuid(1), 1],
          [uuid(1), 1]
        ])
        assert.strictEqual(yield* window.size, 5, "halved by either, wider by the answer")
      }).pipe(Effect.scoped)
    )
  )

  it.live("is tried again when its handling dies", () =>
    withBus(() =>
      Effect.gen(function* () {
        const asked = yield* serving(Effect.die("a defect"), Effect.succeed(done))
        const startedMs = Date.now()
        assert.deepStrictEqual(yield* sendCommand("east", command(1)), done)
        assert.deepStrictEqual(attempts(asked), [
          [uuid(1), 1],
          [uuid(1), 2]
        ])
        assert.isBelow(Date.now() - startedMs, 4_000, "the answer comes at once, not by the time-out of the request")
      }).pipe(Effect.scoped)
    )
  )

  it.live("is told to try again when the allocator that it waits for stops, and the next one answers", () =>
    withBus(() =>
      Effect.gen(function* () {
        const first = yield* Scope.make()
        const asked = yield* serving(Effect.never).pipe(Scope.provide(first))
        const waiting = yield* Effect.forkScoped(sendCommand("east", command(1)))
        yield* until(
          "the command",
          Effect.sync(() => asked.length === 1)
        )
        const startedMs = Date.now()
        yield* Scope.close(first, Exit.void)
        const later = yield* serving(Effect.succeed(done))
        assert.deepStrictEqual(yield* Fiber.join(waiting), done)
        assert.isBelow(Date.now() - startedMs, 4_000)
        assert.deepStrictEqual(attempts(asked), [[uuid(1), 1]], "one that stopped is asked nothing more")
        assert.isAbove(later[0]?.attempt ?? 0, 1)
      }).pipe(Effect.scoped)
    )
  )

  it.live("is answered when it is on its way as the allocator stops", () =>
    withBus(() =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        yield* serving(Effect.succeed(done)).pipe(Scope.provide(scope))
        const connection = yield* (yield* Bus).connection
        yield* Effect.promise(() => connection.flush())
        const text = JSON.stringify({ ...command(1), attempt: 1 })
        const answer = connection.request(commandSubject("east"), text, { timeout: 3_000 })
        yield* Scope.close(scope, Exit.void) // what was sent comes after this has begun
        const reply = yield* Effect.promise(() => answer)
        assert.deepStrictEqual(reply.json(), done)
      }).pipe(Effect.scoped)
    )
  )

  it.live("loses no answer when the server restarts under it", () =>
    withBus((server) =>
      Effect.gen(function* () {
        const answered = new Map<string, number>()
        yield* serveCommands(({ commandId }) =>
          Effect.gen(function* () {
            yield* Effect.sleep("300 millis")
            answered.set(commandId, (answered.get(commandId) ?? 0) + 1)
            return { _tag: "Done", seqFrom: Number(commandId.slice(-3)), seqTo: Number(commandId.slice(-3)) } as const
          })
        )
        const waiting = yield* Effect.forEach(
          Array.from({ length: 20 }, (_, n) => n),
          (n) => sendCommand("east", command(n)).pipe(Effect.forkScoped)
        )
        yield* server.kill
        yield* server.restart
        const replies = yield* Effect.forEach(waiting, Fiber.join)
        assert.deepStrictEqual(
          replies.map((reply) => (reply._tag === "Done" ? reply.seqFrom : reply)),
          Array.from({ length: 20 }, (_, n) => n)
        )
        assert.strictEqual(answered.size, 20)
      }).pipe(Effect.scoped)
    )
  )
})

describe("a command that is none of its cluster's", () => {
  const refusal = (subject: string, value: unknown) =>
    withBus(() =>
      Effect.gen(function* () {
        const asked = yield* serving(Effect.succeed(done))
        const reply = yield* ask(subject, typeof value === "string" ? value : JSON.stringify(value))
        assert.deepStrictEqual(asked, [], "nobody acts on it")
        return reply as { readonly _tag: string; readonly code: string; readonly message: string }
      }).pipe(Effect.scoped)
    )

  it.live("is refused where it speaks of another cluster", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* refusal(commandSubject("east"), command(1, "west")), {
        _tag: "Refused",
        code: "LT0508",
        message: 'expected a command about the cluster of lt.v1.cmd.east, found cluster "west"'
      })
    })
  )

  it.live.each([
    ["no JSON", "{"],
    ["no id", { ...command(1), commandId: undefined }],
    ["an id that is no UUID", { ...command(1), commandId: "1" }],
    ["a command of the allocator's own", { ...command(1), command: { _tag: "ExpireQuarantines", cluster: "east" } }],
    [
      "another's confirmation",
      { ...command(1), command: { _tag: "ConfirmWithdrawals", cluster: "east", node: "n1", cseq: 9 } }
    ],
    [
      "the character U+0000",
      { ...command(1), command: { _tag: "RegisterCluster", cluster: "east", network: "a\u0000b" } }
    ],
    ["a field of another type", { ...command(1), command: { _tag: "RegisterCluster", cluster: "east", network: 7 } }]
  ])("is refused with %s", ([, value]) =>
    Effect.gen(function* () {
      const reply = yield* refusal(commandSubject("east"), value)
      assert.deepStrictEqual([reply._tag, reply.code], ["Refused", "LT0507"])
      assert.match(reply.message, /^malformed command: /)
    })
  )
})

describe("who serves commands", () => {
  it.live("divides them among several, each to one", () =>
    withBus(() =>
      Effect.gen(function* () {
        const one = yield* serving(Effect.succeed(done))
        const two = yield* serving(Effect.succeed(done))
        for (let n = 0; n < 40; n++) yield* sendCommand("east", command(n))
        assert.strictEqual(one.length + two.length, 40)
      }).pipe(Effect.scoped)
    )
  )
})
