import { assert, describe, it } from "@effect/vitest"
import { execute, sqlSession } from "@lowtide/testkit"
import { waitUntil } from "@lowtide/testkit/lab/wait"
import { Context, Effect, Fiber, Layer, Option } from "effect"
import { emptyBatch, Ledger, ledgerPostgres } from "../src/index.ts"
import { liveDatabases } from "./live-database.ts"
import { event, uuid } from "./rows.ts"
import { smallPartitions } from "./small-partitions.ts"

const databases = liveDatabases()

describe("rows of the wire journal", () => {
  it.live("are removed as far as the log says that they go, some at once, and no further", () =>
    Effect.gen(function* () {
      const url = yield* databases.fresh()
      const ledger = Context.get(yield* Layer.build(ledgerPostgres(url)), Ledger)
      yield* ledger.appendWire(Array.from({ length: 5 }, () => ({ cluster: "east", kind: "session", detail: "{}" })))
      const refused = yield* Effect.flip(ledger.dropWire(3, 10))
      assert.include(refused.message, "expected rows that the log says to be removed, found rows up to 3")
      yield* Effect.promise(() =>
        execute(
          url,
          `insert into stream_current (stream, kind, version, seq, recorded_at, state)
          values ('audit:wire-drops', 'audit', 1, 1, now(), '{"untilId":3}')`
        )
      )
      assert.include((yield* Effect.flip(ledger.dropWire(4, 10))).message, "found rows up to 4")
      assert.deepStrictEqual(
        [yield* ledger.dropWire(3, 2), yield* ledger.dropWire(3, 2), yield* ledger.dropWire(3, 2)],
        [2, 1, 0]
      )
      const left = yield* ledger.wire({ limit: 10, order: "asc" })
      assert.deepStrictEqual(
        left.map(({ id }) => id),
        [4, 5]
      )
    }).pipe(Effect.scoped)
  )
})

describe("questions to the record", () => {
  it.live("go once they are old, the oldest first; the owner as well cannot remove those of the last 30 days", () =>
    Effect.gen(function* () {
      const url = yield* databases.fresh()
      const ledger = Context.get(yield* Layer.build(ledgerPostgres(url)), Ledger)
      const sql = (text: string) => Effect.promise(() => execute(url, text))
      // The first one is another allocator's, whose row got the lower id and the later time.
      yield* sql(
        `insert into audit_read (read_at, actor, is_authenticated, question, position)
         select now() - make_interval(days => days), 'person:ada', true, '/v1/history', 1
         from unnest(array[98, 99, 60, 31, 29, 1]) as asked (days)`
      )
      const asked = (before?: number) =>
        Effect.map(ledger.auditReads({ limit: 2, before }), (found) => found.map(({ id }) => id))
      assert.deepStrictEqual(
        [yield* asked(), yield* asked(5), yield* asked(3), yield* asked(2)],
        [[6, 5], [4, 3], [1, 2], []]
      )
      const ago = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString()
      const dropped = [yield* ledger.dropReads(ago(50), 2), yield* ledger.dropReads(ago(50), 2)]
      assert.deepStrictEqual([dropped, yield* ledger.countReads], [[2, 1], 3])
      assert.include((yield* Effect.flip(ledger.dropReads(ago(20), 9))).message, "younger ones stay")
      const refused = yield* Effect.flip(Effect.tryPromise(() => execute(url, "delete from audit_read where id = 6")))
      assert.include(String(refused.cause), "younger ones stay")
      assert.deepStrictEqual([yield* asked(), yield* asked(5)], [[6, 5], [4]])
      yield* ledger.recordRead({ actor: "person:ada", isAuthenticated: true, question: "/v1/diff", position: 1 })
      assert.deepStrictEqual(yield* asked(), [7, 6])
    }).pipe(Effect.scoped)
  )
})

describe("a segment that is to be dropped", () => {
  it.live("waits briefly for who reads the log, lets writers go on, and goes when nobody does", () =>
    Effect.gen(function* () {
      const url = yield* databases.fresh()
      yield* smallPartitions(url, 10)
      const ledger = Context.get(yield* Layer.build(ledgerPostgres(url)), Ledger)
      const { epoch } = Option.getOrThrow(yield* ledger.acquireLease(uuid(1), 60_000))
      const sql = (text: string) => Effect.promise(() => execute(url, text))
      let seq = 0
      const write = (stream: string, after: unknown, type = "NodeObserved") =>
        ledger
          .append({
            ...emptyBatch({ epoch, seq }),
            events: [{ ...event(stream, 1, { data: JSON.stringify({ before: null, after }) }), type }]
          })
          .pipe(Effect.tap(() => Effect.sync(() => void seq++)))
      for (let n = 0; n < 10; n++) yield* write(`node:east/n${n}`, {})
      const [{ digest } = { digest: "" }] = yield* sql("select ledger_leaves_digest(1, 10) as digest")
      yield* write("segment:1", { toSeq: 10, leavesDigest: digest }, "SegmentArchived")
      yield* sql("insert into tree_node (level, index, hash) values (1, 0, '')")
      const reader = yield* sqlSession(url)
      yield* Effect.promise(() => reader.query("begin; select count(*) from events"))
      const dropping = yield* Effect.forkChild(ledger.dropSegment({ fromSeq: 1, toSeq: 10 }))
      const waiting = "select from pg_locks where mode = 'AccessExclusiveLock' and not granted"
      for (const name of ["a", "b"]) {
        yield* waitUntil(
          "the drop at the lock",
          Effect.map(sql(waiting), (rows) => rows.length > 0)
        )
        yield* write(`node:east/${name}`, {})
      }
      yield* Effect.promise(() => reader.query("rollback"))
      assert.isTrue(yield* Fiber.join(dropping))
      assert.strictEqual((yield* ledger.firstEvent)?.seq, 11)

      // Nobody who asks in SQL what differs since then is answered by what is left.
      const [{ at } = { at: "" }] = yield* sql("select recorded_at::text as at from events where seq = 11")
      const lastAt = `'${at}'::timestamptz - interval '1 ms'`
      yield* sql(`insert into stream_current (stream, kind, version, seq, recorded_at, state) values ('segment:1', 'segment',
        2, 13, now(), json_build_object('fromSeq', 1, 'toSeq', 10, 'phase', 'dropped', 'lastAt', ${lastAt})::text::json)`)
      const since = (time: string) =>
        Effect.tryPromise({ try: () => execute(url, `select from audit.difference(${time}, now())`), catch: String })
      yield* since(lastAt)
      for (const time of ["'2020-01-01'", `${lastAt} - interval '1 ms'`]) {
        assert.include(yield* Effect.flip(since(time)), "expected events from 1 on, found those from 11 on", time)
      }
    }).pipe(Effect.scoped)
  )
})
