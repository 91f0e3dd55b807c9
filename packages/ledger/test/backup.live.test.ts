import { createHash } from "node:crypto"
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gunzipSync, gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { execute } from "@lowtide/testkit"
import { Context, Effect, Layer, Option } from "effect"
import { restoreBackup, writeBackup } from "../src/backup.ts"
import { Ledger, ledgerPostgres } from "../src/index.ts"
import { liveDatabases } from "./live-database.ts"
import { assignment, uuid } from "./rows.ts"

const databases = liveDatabases()

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "lowtide-backup-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

const connect = (url: string) => Effect.map(Layer.build(ledgerPostgres(url)), Context.get(Ledger))

/** A ledger with three events, and a backup of it. */
const backedUp = Effect.gen(function* () {
  const file = join(yield* folder, "ledger.gz")
  const url = yield* databases.fresh()
  const ledger = yield* connect(url)
  const { epoch } = Option.getOrThrow(yield* ledger.acquireLease(uuid(1), 60_000))
  for (const n of [1, 2, 3]) yield* ledger.append(assignment({ epoch, seq: n - 1 }, n))
  yield* ledger.appendWire([{ cluster: "east", kind: "session", detail: '{"a":  1.0}' }])
  yield* ledger.recordRead({ actor: "person:ada", isAuthenticated: true, question: "/v1/history", position: 3 })
  const summary = yield* writeBackup(url, file)
  return { file, url, ledger, epoch, summary }
})

/** A database with nothing in it. */
const empty = Effect.gen(function* () {
  const url = yield* databases.fresh()
  yield* Effect.promise(() => execute(url, "drop schema public, audit cascade; create schema public"))
  return url
})

const tables = [
  ...[
    "log_head",
    "events",
    "stream_current",
    "vip_history",
    "intent",
    "intent_head",
    "command_result",
    "wire_journal",
    "audit_read"
  ]
]

/** Every byte of every table. */
const contents = (url: string) =>
  Effect.promise(() =>
    Promise.all(tables.map((table) => execute(url, `select t::text as row from ${table} t order by 1`)))
  )

describe("a backup", () => {
  it.live("restored into an empty database is the same to the byte, and orders a recovery", () =>
    Effect.gen(function* () {
      const { file, url, summary } = yield* backedUp
      const other = yield* empty
      assert.deepStrictEqual(yield* restoreBackup(other, file), summary)
      assert.deepStrictEqual(yield* contents(other), yield* contents(url))
      const restored = yield* connect(other)
      assert.include(yield* restored.recoveryOrder, "which ends at event 3")
      const { epoch } = Option.getOrThrow(yield* restored.acquireLease(uuid(2), 60_000))
      yield* restored.append(assignment({ epoch, seq: 3 }, 4))
      yield* restored.appendWire([{ cluster: "east", kind: "session", detail: "{}" }])
      yield* restored.recordRead({ actor: "person:ben", isAuthenticated: true, question: "/v1/diff", position: 4 })
      assert.deepStrictEqual(
        (yield* restored.auditReads({ limit: 9 })).map(({ id }) => id),
        [2, 1]
      )
    }).pipe(Effect.scoped)
  )

  it.live("has no word of when its tables were compared with the log, nor is one taken from a backup that does", () =>
    Effect.gen(function* () {
      const { file, url, ledger } = yield* backedUp
      const check = { checkedBy: "one", position: 3, compared: 9, startedAt: yield* ledger.now }
      yield* ledger.endReplay(check)
      const lasts = yield* Effect.forEach(["as it is", "of a release that wrote it"], (how) =>
        Effect.gen(function* () {
          const backup = `${file} ${how}`
          yield* writeBackup(url, backup)
          if (how !== "as it is") edit(backup, withComparison)
          const other = yield* empty
          yield* restoreBackup(other, backup)
          return (yield* (yield* connect(other)).replayStanding).last
        })
      )
      assert.deepStrictEqual(lasts, [null, null])
    }).pipe(Effect.scoped)
  )

  it.live("is of one moment: what comes while it is taken is not in it", () =>
    Effect.gen(function* () {
      const { file, url, ledger, epoch } = yield* backedUp
      const [summary] = yield* Effect.all(
        [
          writeBackup(url, `${file}.second`),
          Effect.forEach([4, 5, 6, 7], (n) => ledger.append(assignment({ epoch, seq: n - 1 }, n)))
        ],
        { concurrency: 2 }
      )
      const other = yield* empty
      yield* restoreBackup(other, `${file}.second`)
      const [{ seq, events }] = (yield* Effect.promise(() =>
        execute(other, "select seq::int, (select count(*)::int from events) as events from log_head")
      )) as [{ seq: number; events: number }]
      assert.deepStrictEqual([seq, events], [summary.head.seq, summary.head.seq])
    }).pipe(Effect.scoped)
  )

  it.live("is not written over another file", () =>
    Effect.gen(function* () {
      const { file, url } = yield* backedUp
      assert.strictEqual((yield* Effect.flip(writeBackup(url, file))).reason, "exists")
      const nowhere = yield* Effect.flip(writeBackup(url, join(file, "ledger.gz")))
      assert.strictEqual(nowhere.reason, "unwritable")
      assert.match(nowhere.message, /ledger\.gz: expected a file that can be written, found ENOTDIR/)
    }).pipe(Effect.scoped)
  )

  it.live.each([
    ["cut off", (file: string) => truncateSync(file, 200)],
    ["changed in one byte", (file: string) => edit(file, (text) => text.replace("198.18.0.2", "198.18.0.9"))],
    ["without its end", (file: string) => edit(file, (text) => text.replace(/#\{"rows".*\n$/, ""))],
    ["of a line twice", (file: string) => edit(file, (text) => text.replace(/(\{"seq":1,.*\n)/, "$1$1"))],
    ["something else", (file: string) => writeFileSync(file, "hello")],
    ["of another format", (file: string) => edit(file, (text) => text.replace("lowtide-backup/1", "lowtide-backup/9"))]
  ] as const)("that is %s is refused, and the database stays empty", ([, damage]) =>
    Effect.gen(function* () {
      const { file } = yield* backedUp
      damage(file)
      const other = yield* empty
      const fault = yield* Effect.flip(restoreBackup(other, file))
      assert.strictEqual(fault.reason, "damaged")
      assert.include(fault.message, "expected a whole backup of format lowtide-backup/1")
      const found = yield* Effect.promise(() =>
        execute(other, "select 1 from pg_class where relnamespace = 'public'::regnamespace")
      )
      assert.deepStrictEqual(found, [])
    }).pipe(Effect.scoped)
  )

  it.live("is not restored over a database that has tables", () =>
    Effect.gen(function* () {
      const { file, url } = yield* backedUp
      const before = yield* contents(url)
      assert.strictEqual((yield* Effect.flip(restoreBackup(url, file))).reason, "not-empty")
      assert.deepStrictEqual(yield* contents(url), before)
    }).pipe(Effect.scoped)
  )
})

const edit = (file: string, change: (text: string) => string) =>
  writeFileSync(file, gzipSync(change(gunzipSync(readFileSync(file)).toString())))

/** As releases wrote a backup that had the last comparison in it. */
const withComparison = (text: string): string => {
  const [end = "", ...lines] = text.trimEnd().split("\n").reverse()
  const body = `${[...lines.reverse(), ...comparison].join("\n")}\n`
  const { rows } = JSON.parse(end.slice(1))
  return `${body}#${JSON.stringify({ rows: rows + 1, sha256: createHash("sha256").update(body).digest("hex") })}\n`
}

const comparison = [
  '#{"table":"replay_check","columns":[["one","boolean"],["checked_by","text"],["position","bigint"],["compared","bigint"],["started_at","timestamp with time zone"],["finished_at","timestamp with time zone"]]}',
  '{"one":true,"checked_by":"one","position":0,"compared":0,"started_at":"2026-11-23T14:05:01Z","finished_at":"2026-11-23T14:05:01Z"}'
]
