import { assert, describe, it } from "@effect/vitest"
import { execute } from "@lowtide/testkit"
import { Context, Effect, Layer, Option } from "effect"
import { Ledger, ledgerPostgres, noPlace } from "../src/index.ts"
import { liveDatabases } from "./live-database.ts"
import { assignment, uuid } from "./rows.ts"
import { smallPartitions } from "./small-partitions.ts"

const databases = liveDatabases()

const million = 1_000_000

/** A leader on a new database, with partitions of ten events where they are to be small. */
const leading = Effect.fnUntraced(function* (size: "small" | "usual") {
  const url = yield* databases.fresh()
  if (size === "small") yield* smallPartitions(url, 10)
  const ledger = Context.get(yield* Layer.build(ledgerPostgres(url)), Ledger)
  const { epoch } = Option.getOrThrow(yield* ledger.acquireLease(uuid(1), 60_000))
  const append = (seq: number) => ledger.append(assignment({ epoch, seq }, seq + 1))
  const sql = (text: string) => Effect.promise(() => execute(url, text))
  const bounds = Effect.map(sql("select from_seq::int, to_seq::int from ledger_partitions()"), (rows) =>
    rows.map(({ from_seq, to_seq }) => [from_seq, to_seq])
  )
  return { ledger, append, sql, bounds }
})

describe("partitions of the log", () => {
  it.live("are there for the seq and two more, each as wide as the one before", () =>
    Effect.gen(function* () {
      const { ledger, bounds } = yield* leading("usual")
      assert.strictEqual(yield* ledger.ensurePlaces(1), 15 * million)
      assert.strictEqual(yield* ledger.ensurePlaces(5 * million), 15 * million)
      assert.strictEqual((yield* bounds).length, 3)
      assert.strictEqual(yield* ledger.ensurePlaces(5 * million + 1), 20 * million)
      assert.strictEqual(yield* ledger.placesUntil(7), 20 * million)
      assert.deepStrictEqual((yield* bounds).at(-1), [15 * million + 1, 20 * million])
    }).pipe(Effect.scoped)
  )

  it.live("are made for all that a long log has below, as a restore needs them", () =>
    Effect.gen(function* () {
      const { ledger, bounds } = yield* leading("usual")
      assert.strictEqual(yield* ledger.ensurePlaces(31 * million), 45 * million)
      assert.strictEqual(yield* ledger.placesUntil(1), 45 * million)
      assert.strictEqual((yield* bounds).length, 9)
    }).pipe(Effect.scoped)
  )

  it.live("that were lost ahead are made again, as wide as the gap", () =>
    Effect.gen(function* () {
      const { ledger, sql, bounds } = yield* leading("usual")
      const before = yield* bounds
      yield* sql("drop table events_000001")
      assert.strictEqual(yield* ledger.placesUntil(1), 5 * million)
      assert.strictEqual(yield* ledger.ensurePlaces(1), 15 * million)
      assert.deepStrictEqual(yield* bounds, before)
    }).pipe(Effect.scoped)
  )

  it.live("that are missing refuse the batch, and nothing of it is written", () =>
    Effect.gen(function* () {
      const { ledger, append, sql } = yield* leading("small")
      for (let seq = 0; seq < 30; seq++) yield* append(seq)
      assert.strictEqual(yield* ledger.placesUntil(31), 30)
      const refused = yield* Effect.flip(append(30))
      assert.deepInclude(refused, { _tag: "Unavailable", operation: noPlace })
      assert.include(refused.message, "no partition")
      const [counts] = yield* sql(
        "select (select count(*)::int from events) as events, (select seq::int from log_head) as head, (select count(*)::int from stream_current) as streams"
      )
      assert.deepStrictEqual(counts, { events: 30, head: 30, streams: 30 })
      yield* ledger.ensurePlaces(31)
      assert.strictEqual((yield* append(30)).seq, 31)
    }).pipe(Effect.scoped)
  )

  it.live("that have events are not made anew beside those that somebody detached", () =>
    Effect.gen(function* () {
      const { ledger, append, sql } = yield* leading("small")
      for (let seq = 0; seq < 15; seq++) yield* append(seq)
      yield* sql("alter table events detach partition events_000001")
      const refused = yield* Effect.flip(ledger.ensurePlaces(16))
      assert.include(
        refused.message,
        "expected a partition of events for seq 11 to 15, found none: attach the one that was detached"
      )
      yield* sql("alter table events attach partition events_000001 for values from (11) to (21)")
      assert.strictEqual(yield* ledger.ensurePlaces(16), 40)
      assert.strictEqual((yield* append(15)).seq, 16)
    }).pipe(Effect.scoped)
  )
})
