import { assert, describe, it } from "@effect/vitest"
import { execute } from "@lowtide/testkit"
import { Context, Effect, Fiber, Layer, Option, Schedule } from "effect"
import { Ledger, ledgerPostgres, loadWhole, makeGroupCommit } from "../src/index.ts"
import { liveDatabases } from "./live-database.ts"
import { event, uuid } from "./rows.ts"

const databases = liveDatabases({ durable: true })

const writersCount = 48

/** Appends through a group commit, as a leader does: after a failure it forgets its memory and loads again. */
const startLoad = Effect.fnUntraced(function* (ledger: Ledger["Service"], epoch: number, acknowledged: Set<string>) {
  let head: { readonly epoch: number; readonly seq: number } | undefined = { epoch, seq: (yield* ledger.head).seq }
  const group = yield* makeGroupCommit({
    commit: (commandIds: ReadonlyArray<string>) =>
      Effect.gen(function* () {
        const expected = head ?? (yield* loadWhole(ledger)).head
        head = undefined // unknown until the batch is acknowledged
        const events = commandIds.map((commandId) => event(`command:${commandId}`, 1, { commandId }))
        const results = commandIds.map((commandId) => ({ commandId, outcome: "{}" }))
        const batch = { expected, events, results, current: [], history: [], intents: [], intentHeads: [] }
        const { seq } = yield* ledger.append(batch)
        head = { epoch, seq }
        return commandIds
      })
  })
  let next = 0
  const writer = Effect.gen(function* () {
    for (;;) {
      next += 1
      const commandId = uuid(next)
      yield* group.submit(commandId)
      acknowledged.add(commandId)
    }
  }).pipe(Effect.retry(Schedule.spaced("10 millis")))
  return yield* Effect.forkScoped(
    Effect.all(
      Array.from({ length: writersCount }, () => writer),
      { concurrency: "unbounded" }
    )
  )
})

const untilMoreThan = (acknowledged: Set<string>, count: number) =>
  Effect.gen(function* () {
    while (acknowledged.size <= count) yield* Effect.sleep("5 millis")
  }).pipe(Effect.timeout("30 seconds"))

describe("PostgreSQL killed under load", () => {
  it.live("what was acknowledged is stored, seqs have no gap, and the same ledger goes on", () =>
    Effect.gen(function* () {
      const server = yield* databases.server
      const url = yield* databases.fresh()
      const ledger = Context.get(yield* Layer.build(ledgerPostgres(url)), Ledger)
      const { epoch } = Option.getOrThrow(yield* ledger.acquireLease(uuid(1), 60_000))
      const acknowledged = new Set<string>()
      const load = yield* startLoad(ledger, epoch, acknowledged)
      for (let round = 0; round < 3; round += 1) {
        yield* untilMoreThan(acknowledged, acknowledged.size + 500)
        yield* server.kill
        const atKill = acknowledged.size
        yield* server.restart
        yield* untilMoreThan(acknowledged, atKill + writersCount)
      }
      yield* Fiber.interrupt(load)
      const stored = yield* Effect.promise(() => execute(url, "select seq::int, command_id from events order by seq"))
      const head = yield* ledger.head
      assert.deepStrictEqual(
        stored.map((row) => row.seq),
        Array.from({ length: head.seq }, (_, index) => index + 1)
      )
      const storedIds = new Set(stored.map((row) => String(row.command_id)))
      assert.strictEqual(storedIds.size, stored.length)
      assert.deepStrictEqual(
        [...acknowledged].filter((commandId) => !storedIds.has(commandId)),
        []
      )
    }).pipe(Effect.scoped)
  )
})
