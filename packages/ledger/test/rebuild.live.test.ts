import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { execute, sqlSession } from "@lowtide/testkit"
import { waitUntil } from "@lowtide/testkit/lab/wait"
import { Context, Effect, Fiber, Layer, Option } from "effect"
import { writeBackup } from "../src/backup.ts"
import { type Batch, emptyBatch, Ledger, ledgerPostgres, type ReplayDifference, walkReplay } from "../src/index.ts"
import { dropRebuildLeftovers, rebuildProjection } from "../src/rebuild.ts"
import { liveDatabases } from "./live-database.ts"
import { event, historyRow, uuid } from "./rows.ts"

const databases = liveDatabases()

/** A log of VIPs that change in turns, and the way to write on. */
const written = Effect.fnUntraced(function* (count: number) {
  const url = yield* databases.fresh()
  const ledger = Context.get(yield* Layer.build(ledgerPostgres(url)), Ledger)
  const { epoch } = Option.getOrThrow(yield* ledger.acquireLease(uuid(1), 60_000))
  let seq = 0
  const write = Effect.suspend(() => {
    const address = `198.18.0.${1 + (seq % 7)}`
    const stream = `vip:default/${address}`
    const version = 1 + Math.floor(seq / 7)
    const after = {
      ...{ _tag: "Vip", cluster: "east", phase: seq % 3 === 0 ? "free" : "assigned", pool: "public" },
      // The odd ones are as in logs of before.
      holders: [{ namespace: "shop", name: `wéb-${seq}${seq % 5 === 0 ? "\0\ud83d" : ""}`, uid: "u" }]
    }
    const holders = JSON.stringify([{ cluster: "east", ...after.holders[0] }])
    const row = { ...historyRow(address, seq + 1, after.phase), holders }
    const batch: Batch = {
      ...emptyBatch({ epoch, seq }),
      events: [event(stream, version, { network: "default", address, data: JSON.stringify({ before: null, after }) })],
      current: [
        {
          stream,
          kind: "vip",
          version,
          previousVersion: version - 1,
          seq: seq + 1,
          state: JSON.stringify(after),
          schema: 1
        }
      ],
      history: [row]
    }
    seq += 1
    return ledger.append(batch)
  })
  for (let done = 0; done < count; done++) yield* write
  const sql = (text: string) => Effect.promise(() => execute(url, text))
  const differences = Effect.gen(function* () {
    const found: Array<ReplayDifference> = []
    yield* walkReplay(ledger, (page) => Effect.sync(() => void found.push(...page.differences)))
    return found
  })
  return { url, ledger, write, sql, differences, head: () => seq }
})

const tables = `select relname::text as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'
  and relname ~ '^(stream_current|vip_history)' order by 1`

describe("a table made anew from the log", () => {
  it.live("takes the place of one that was changed, which is kept until it is dropped", () =>
    Effect.gen(function* () {
      const { url, ledger, write, sql, differences } = yield* written(40)
      const schema =
        "select indexname, replace(indexdef, '_before_40', '') as def from pg_indexes where tablename = 'vip_history' order by 1"
      const before = yield* sql(schema)
      yield* sql("create role reader_of_history; grant select on vip_history to reader_of_history")
      yield* sql("update stream_current set state = '{}' where stream = 'vip:default/198.18.0.3'")
      yield* sql("delete from vip_history where from_seq = 9")
      yield* sql("update vip_history set holders = '[]' where from_seq = 12")
      assert.isAbove((yield* differences).length, 2)
      const history = yield* rebuildProjection(url, "vip_history")
      assert.deepStrictEqual(history, {
        ...{ projection: "vip_history", position: 40, rows: 40, takenOver: 0, differing: 2 },
        examples: ["vip:default/198.18.0.2 from event 9", "vip:default/198.18.0.5 from event 12"],
        kept: "vip_history_before_40"
      })
      yield* write // the leader goes on: what it decides on was right
      const current = yield* rebuildProjection(url, "stream_current")
      assert.deepInclude(current, { rows: 7, differing: 1, examples: ["vip:default/198.18.0.3"] })
      assert.deepStrictEqual(yield* differences, [])
      assert.deepStrictEqual(yield* sql(schema), before)
      const [view] = yield* sql("select count(*)::int as n from audit.vip_history where from_seq = 9")
      assert.deepStrictEqual(view, { n: 1 }, "views read the new table")
      yield* sql("set role reader_of_history; select 1 from vip_history")

      const refused = yield* Effect.flip(write)
      assert.strictEqual(refused._tag, "Fenced", "who decided on the old table decides no more")
      assert.isTrue(Option.isSome(yield* ledger.acquireLease(uuid(2), 60_000)))

      const names = ["stream_current", "stream_current_before_41", "vip_history", "vip_history_before_40"]
      assert.deepStrictEqual(
        (yield* sql(tables)).map(({ name }) => name),
        names
      )
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "lowtide-rebuild-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
      )
      const { rows } = yield* writeBackup(url, join(folder, "backup.gz"))
      assert.isAbove(rows, 0)
      assert.deepStrictEqual(
        yield* dropRebuildLeftovers(url),
        names.filter((name) => name.includes("before"))
      )
      assert.deepStrictEqual(yield* differences, [])
    }).pipe(Effect.scoped)
  )

  it.live("is made beside one that is written to, goes on where it was broken off, and stops no writer", () =>
    Effect.gen(function* () {
      const { url, write, sql, differences, head } = yield* written(60)
      const places: Array<number> = []
      const broken = yield* Effect.flip(
        rebuildProjection(url, "vip_history", {
          pageEvents: 10,
          onPage: (position) => {
            places.push(position)
            if (position === 30) throw new Error("broken off")
          }
        })
      )
      assert.include(broken.message, "broken off")
      yield* write
      const writer = yield* Effect.forkChild(
        Effect.forEach(Array.from({ length: 300 }), () => write, { discard: true })
      )
      const again: Array<number> = []
      const rebuilt = yield* rebuildProjection(url, "vip_history", {
        pageEvents: 10,
        onPage: (position) => void again.push(position)
      })
      const state = yield* rebuildProjection(url, "stream_current", { pageEvents: 10 })
      yield* Fiber.join(writer)
      assert.deepStrictEqual([places, again[0]], [[0, 10, 20, 30], 30])
      assert.deepStrictEqual([rebuilt.differing, state.differing], [0, 0])
      assert.deepStrictEqual([rebuilt.rows, state.rows], [rebuilt.position, 7])
      assert.strictEqual(head(), 361)
      assert.deepStrictEqual(yield* differences, [])
      const [rows] = yield* sql("select count(*)::int as n from vip_history")
      assert.deepStrictEqual(rows, { n: 361 })
    }).pipe(Effect.scoped)
  )

  it.live("begins again where events that it had not read yet were archived meanwhile", () =>
    Effect.gen(function* () {
      const { url, sql, differences } = yield* written(40)
      const archived = `insert into stream_current values ('segment:1', 'segment', 1, 1, now(), '{"toSeq":20}');
        set session_replication_role = replica; delete from events where seq <= 20`
      const stop = (position: number) => {
        if (position === 10) throw new Error("broken off")
      }
      const options = { pageEvents: 10, onPage: stop }
      yield* Effect.flip(rebuildProjection(url, "vip_history", options))
      yield* Effect.flip(rebuildProjection(url, "stream_current", options))
      yield* sql(archived)
      const history = yield* rebuildProjection(url, "vip_history")
      assert.deepInclude(history, { rows: 40, takenOver: 20, differing: 0 })
      assert.deepInclude(yield* rebuildProjection(url, "stream_current"), { rows: 8, differing: 0 })
      assert.deepStrictEqual(yield* differences, [])
    }).pipe(Effect.scoped)
  )

  it.live("has compared the tables before it keeps writers out", () =>
    Effect.gen(function* () {
      const { url, sql, differences } = yield* written(40)
      yield* sql("update vip_history set holders = '[]' where from_seq = 12")
      const batch = yield* sqlSession(url)
      yield* Effect.promise(() => batch.query("begin; lock table vip_history in row exclusive mode"))
      const rebuilding = yield* Effect.forkChild(rebuildProjection(url, "vip_history"))
      const waiting = "select from pg_locks where mode = 'AccessExclusiveLock' and not granted"
      yield* waitUntil(
        "the swap at the lock",
        Effect.map(sql(waiting), (rows) => rows.length > 0)
      )
      // Of no event since: a comparison under the lock would find it.
      yield* Effect.promise(() => batch.query("update vip_history set holders = '[]' where from_seq = 13; commit"))
      assert.deepInclude(yield* Fiber.join(rebuilding), { differing: 1, rows: 40 })
      assert.deepStrictEqual(yield* differences, [])
    }).pipe(Effect.scoped)
  )

  it.live("lets writers go on while somebody reads the table for long, and is swapped in when nobody does", () =>
    Effect.gen(function* () {
      const { url, write, sql, differences } = yield* written(40)
      const reader = yield* sqlSession(url)
      yield* Effect.promise(() => reader.query("begin; select count(*) from vip_history"))
      const rebuilding = yield* Effect.forkChild(rebuildProjection(url, "vip_history"))
      const waiting = "select from pg_locks where mode = 'AccessExclusiveLock' and not granted"
      for (let attempt = 0; attempt < 2; attempt++) {
        yield* waitUntil(
          "the swap at the lock",
          Effect.map(sql(waiting), (rows) => rows.length > 0)
        )
        yield* write
      }
      yield* Effect.promise(() => reader.query("rollback"))
      assert.deepInclude(yield* Fiber.join(rebuilding), { differing: 0, rows: 42 })
      assert.deepStrictEqual(yield* differences, [])
    }).pipe(Effect.scoped)
  )

  it.live("takes over what stands on archived events", () =>
    Effect.gen(function* () {
      const { url, sql, differences } = yield* written(40)
      yield* sql("set session_replication_role = replica; delete from events where seq <= 20")
      yield* sql(`insert into stream_current values ('segment:1', 'segment', 1, 1, now(), '{"toSeq":20}')`)
      yield* sql("update vip_history set holders = '[]' where from_seq in (3, 30)")
      const rebuilt = yield* rebuildProjection(url, "vip_history")
      assert.deepInclude(rebuilt, { rows: 40, takenOver: 20, differing: 1 })
      assert.deepStrictEqual(yield* differences, [])
      const [old] = yield* sql("select holders::text from vip_history where from_seq = 3")
      assert.deepStrictEqual(old, { holders: "[]" })
    }).pipe(Effect.scoped)
  )
})
