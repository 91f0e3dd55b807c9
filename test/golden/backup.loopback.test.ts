import { assert, it } from "@effect/vitest"
import { Ledger, ledgerPostgres, loadWhole, migrate } from "@lowtide/ledger"
import { restoreBackup } from "@lowtide/ledger/backup"
import { toEventRecord } from "@lowtide/ledger/proofs/event-record"
import { leafHash } from "@lowtide/ledger/proofs/leaf"
import { startPostgres } from "@lowtide/testkit"
import { Effect } from "effect"
import { goldenBackups, missingBackup } from "./backup.ts"
import { foldEvents, loadRows } from "./log.ts"

it.live("a backup of an earlier day is restored, brought to the schema of today, and read", () =>
  Effect.gen(function* () {
    const backups = yield* goldenBackups
    assert.isNotEmpty(backups)
    assert.deepStrictEqual(yield* missingBackup, [])
    for (const { file, path } of backups) {
      const { url } = yield* startPostgres({ durable: false })
      const { head, rows } = yield* restoreBackup(url, file)
      yield* migrate(url)
      const { loaded, events, types } = yield* Effect.gen(function* () {
        const ledger = yield* Ledger
        const events = yield* ledger.events({ limit: 10_000, order: "asc" })
        return { loaded: yield* loadWhole(ledger), events, types: yield* ledger.eventTypes }
      }).pipe(Effect.provide(ledgerPostgres(url)))
      assert.deepStrictEqual([loaded.head.seq, events.length], [head.seq, head.seq], path)
      assert.isAbove(rows, head.seq)
      for (const event of events) {
        assert.strictEqual(Buffer.from(leafHash(event)).toString("hex"), event.leafHash, `${path}, event ${event.seq}`)
      }
      assert.deepStrictEqual(foldEvents(events.map(toEventRecord)), loadRows(loaded.current), path)
      const written = new Set(events.map(({ type, schema }) => `${type} ${schema}`))
      assert.sameMembers(
        types.map(({ type, schema }) => `${type} ${schema}`),
        [...written],
        path
      )
    }
  }).pipe(Effect.scoped)
)
