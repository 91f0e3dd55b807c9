/** Old segments of the ledger leave the database, are proved and verified without it, and come back: by whole processes. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { gunzipSync, gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { migrate } from "@lowtide/ledger"
import { readVerifierKeys } from "@lowtide/ledger/proofs/checkpoint"
import { loadSegment } from "@lowtide/ledger/segment-file"
import { waitUntil } from "@lowtide/testkit/lab/wait"
import { sqlSession } from "@lowtide/testkit/sql"
import { Effect, Fiber, Result } from "effect"
import { root, run, startCentre, uncompared } from "./ledger-centre.ts"

/** A centre whose log has partitions of 300 events, two of them whole, and runs of 256 leaves across their bounds. */
const filled = Effect.gen(function* () {
  const centre = yield* startCentre(uncompared)
  yield* migrate(centre.postgres.url)
  yield* centre.behindTheBack(
    `create or replace function ledger_partition_events() returns bigint language sql immutable as 'select 300::bigint'`,
    `do $$ declare part record; begin
      for part in select name from ledger_partitions() loop execute format('drop table %I', part.name); end loop;
      perform ledger_ensure_partitions(1);
    end $$`
  )
  const allocator = yield* centre.allocate
  yield* centre.grow(800)
  const folder = centre.path("archive")
  mkdirSync(folder)
  const withKey = (...args: ReadonlyArray<string>) => centre.lowtide(...args, "--key", centre.keys)
  const archive = (...args: ReadonlyArray<string>) =>
    withKey("ledger", "archive", "--to", folder, "--older-than", "0s", ...args)
  const confirm = ["--confirm", "--reason", "300 events are enough"]
  return { ...centre, allocator, folder, withKey, archive, confirm }
})

/** The lock under which partitions are made, held by somebody. */
const heldLock = (url: string) =>
  Effect.gen(function* () {
    const client = yield* sqlSession(url)
    yield* Effect.promise(() => client.query("select pg_advisory_lock(hashtext('ledger_ensure_partitions'))"))
    return {
      isWaitedFor: async () =>
        (await client.query("select from pg_locks where locktype = 'advisory' and not granted")).rows.length > 0,
      release: () => client.query("select pg_advisory_unlock_all()")
    }
  })

const files = (folder: string) => readdirSync(folder).sort()
const first = "segment-000000000001-000000000300.ndjson.gz"
const second = "segment-000000000301-000000000600.ndjson.gz"

describe("the ledger over years", () => {
  it.live(
    "is archived, dropped, proved without the database, and brought back",
    () =>
      Effect.gen(function* () {
        const centre = yield* filled
        const { folder, lowtide, withKey } = centre
        const range = ["select min(seq)::int as first, count(*)::int as n from events where seq <= 600"] as const

        const would = yield* centre.archive("--drop")
        assert.strictEqual(
          would.stdout,
          [
            `would archive events 1 to 300 to ${join(folder, first)}`,
            "would drop events 1 to 300",
            `would archive events 301 to 600 to ${join(folder, second)}`,
            "would drop events 301 to 600\n"
          ].join("\n")
        )
        assert.deepStrictEqual([would.code, files(folder)], [0, []])

        const early = yield* lowtide("audit", "prove", "600", "--out", centre.path("early.json"))
        assert.strictEqual(early.code, 0, early.stderr)
        const archived = yield* centre.archive(...centre.confirm)
        assert.strictEqual(archived.code, 0, archived.stderr)
        assert.deepStrictEqual(files(folder), [first, second])
        assert.deepStrictEqual(yield* centre.rows(range[0]), [{ first: 1, n: 600 }])
        const verified = yield* withKey("ledger", "verify-segment", join(folder, second))
        assert.match(verified.stdout, /^GREEN: .* has events 301 to 600 of the ledger lowtide\/ledger, .* unchanged: /)

        const damaged = join(folder, "damaged.gz")
        const octets = readFileSync(join(folder, first))
        octets[octets.length >> 1] = (octets[octets.length >> 1] ?? 0) ^ 1
        writeFileSync(damaged, octets)
        const refused = yield* withKey("ledger", "verify-segment", damaged)
        assert.deepStrictEqual([refused.code, refused.stdout], [1, ""])
        const past = yield* lowtide("get", "nodes", "--at", "250", "--json")
        const [then] = yield* centre.rows("select recorded_at as at from events where seq = 250")

        const dropped = yield* centre.archive("--drop", ...centre.confirm)
        assert.deepStrictEqual([dropped.code, dropped.stderr], [0, ""])
        assert.deepStrictEqual(yield* centre.rows(range[0]), [{ first: null, n: 0 }])
        const status = yield* lowtide("ledger", "status")
        assert.match(status.stdout, /^The ledger is complete since 2\S+Z: events 601 to \d+\.$/m)
        assert.include(status.stdout, `Events 1 to 300 are archived and in the database no more: ${first}.`)

        // Nothing that stands on archived events is answered as if they had never been.
        const complete =
          /the ledger is complete since 2\S+Z \(event 601\); (events 1 to 300 are archived in|it is in) segment-/
        for (const question of [
          ["get", "nodes", "--at", "250"],
          ["get", "nodes", "--at", "600"],
          ["diff", "--from", "250"],
          ["history", "--until", "250"]
        ]) {
          const answer = yield* lowtide(...question)
          assert.deepStrictEqual([answer.code, answer.stdout], [2, ""], question.join(" "))
          assert.match(answer.stderr, complete)
        }
        assert.match(
          (yield* lowtide("get", "nodes", "--at", "250")).stderr,
          /LT0535 what was so at event 250 is archived: .* it is in (segment-\S+) \(events 1 to 300, .*\); `lowtide ledger restore-segment segment-\S+ --confirm --reason "WHY"` and `lowtide ledger restore-segment \1 --confirm --reason "WHY"` bring it back, in this order/
        )
        // Who held an address stays known, since the history of addresses is kept; the rest of the answer is told of.
        const who = yield* lowtide("who", "192.0.2.1", "--at", new Date(then?.at as string).toISOString())
        assert.match(
          who.stdout,
          /^192\.0\.2\.1 had not been given out .*\nFor whom it was reserved, and who was to announce it at .* is archived: .* bring it back, in this order\.\n$/
        )
        assert.strictEqual(who.code, 1, who.stderr)
        const csv = yield* lowtide("audit", "export", "--type", "NodeRetired", "--format", "csv")
        assert.match(csv.stdout, /^seq,.*\r\n600,,,,,,,ArchivedEvents,/)
        const history = yield* lowtide("history", "node/east/n-3")
        assert.match(history.stderr, complete)
        assert.notMatch((yield* lowtide("history", "--since", "601", "--limit", "5")).stderr, complete)
        const current = yield* lowtide("get", "nodes", "--json")
        assert.strictEqual(JSON.parse(current.stdout).items.length, 800, "what is so now stands on no old event")
        const [segments] = yield* centre.rows("select count(*)::int as n from audit.segments where phase = 'dropped'")
        assert.deepStrictEqual(segments, { n: 2 })

        // Proofs: of what is left, also beside the bound; of what is archived by its file alone.
        const proof = centre.path("proof.json")
        const near = yield* lowtide("audit", "prove", "603", "--out", proof)
        assert.strictEqual(near.code, 0, near.stderr)
        assert.match((yield* withKey("audit", "verify", proof)).stdout, /^GREEN: event 603 /)
        const gone = yield* lowtide("audit", "prove", "250")
        assert.deepStrictEqual([gone.code, gone.stdout], [3, ""])
        assert.match(gone.stderr, /LT0535 event 250 is in an archive, which proves it with/)
        for (const [seq, file] of [
          ["1", first],
          ["250", first],
          ["301", second],
          ["600", second]
        ] as const) {
          const proved = yield* withKey("audit", "prove", seq, "--archive", join(folder, file), "--out", proof)
          assert.strictEqual(proved.code, 0, proved.stderr)
          const byDocs = yield* run(join(root, "docs/reference/verify-proof.mjs"), proof, centre.keys)
          assert.match(byDocs.stdout, new RegExp(`^proved: event ${seq} is in lowtide/ledger`))
        }
        const wrong = yield* withKey("audit", "prove", "5", "--archive", join(folder, second))
        assert.match(wrong.stderr, /expected event 5, found events 301 to 600/)

        const partly = yield* centre.verifyServer
        assert.match(partly.stdout, /^GREEN: .* Events 1 to 600 are archived and were not read/)
        assert.match(partly.stdout, /^GREEN: the wire journal .* Seals in events 1 to 600 were not read, so /m)
        const archives = ["--archive", join(folder, first), "--archive", join(folder, second)]
        const wholly = yield* withKey("audit", "verify", ...archives)
        assert.match(wholly.stdout, /^GREEN: the ledger lowtide\/ledger is intact: events 1 to /)
        assert.notInclude(wholly.stdout, "were not read")
        const newest = yield* withKey("audit", "verify", "--archive", join(folder, second))
        assert.match(newest.stdout, /^GREEN: .* Events 1 to 300 are archived and were not read/)
        const holed = yield* withKey("audit", "verify", "--archive", join(folder, first))
        assert.match(
          holed.stdout,
          new RegExp(
            `^UNCHECKED: .* expected an archive with events 301 to 600 \\(${second}\\), found none\\. Nothing that`
          )
        )
        assert.deepStrictEqual([holed.code, holed.stderr.includes(`error: --archive: expected an archive`)], [2, true])
        const upset = yield* withKey(
          "audit",
          "verify",
          ...[second, first].flatMap((f) => ["--archive", join(folder, f)])
        )
        assert.match(
          upset.stdout,
          /^UNCHECKED: .* expected the oldest archive first, .* found event 1 behind later ones/
        )
        assert.strictEqual(upset.code, 2)
        const broken = yield* withKey("audit", "verify", "--archive", damaged, "--archive", join(folder, second))
        assert.match(broken.stderr, /damaged\.gz: expected a whole archive, found that it is damaged: /)
        assert.strictEqual(broken.code, 1)

        // A backup has what the database has, and what comes of it is as complete.
        const saved = centre.path("ledger.gz")
        const other = centre.postgres.url.replace(/\/[^/]*$/, "/restored")
        yield* centre.rows("create database restored")
        const backup = yield* lowtide("backup", saved, "--database", centre.postgres.url)
        assert.strictEqual(backup.code, 0, backup.stderr)
        const restored = yield* lowtide("restore", saved, "--database", other)
        assert.strictEqual(restored.code, 0, restored.stderr)
        const same = yield* lowtide("ledger", "check", "--database", other)
        assert.deepStrictEqual([same.code, same.stderr], [0, ""])
        const keys = new Map(Result.getOrThrow(readVerifierKeys(readFileSync(centre.keys, "utf8"))))
        // A file that is exchanged after it was verified is not loaded: the load waits for a lock meanwhile.
        const swapped = centre.path("swapped.gz")
        copyFileSync(join(folder, second), swapped)
        const blocker = yield* heldLock(other)
        const loading = yield* Effect.forkChild(Effect.flip(loadSegment(other, swapped, keys)))
        yield* waitUntil("the load at the lock", Effect.promise(blocker.isWaitedFor), { deadlineMs: 30_000 })
        const altered = gunzipSync(readFileSync(swapped))
          .toString()
          .replace('"actor":"agent:east"', '"actor":"agent:west"')
        writeFileSync(swapped, gzipSync(altered))
        yield* Effect.promise(blocker.release)
        assert.match((yield* Fiber.join(loading)).message, /swapped.gz: it changed while it was read/)
        const into = yield* loadSegment(other, join(folder, second), keys)
        assert.deepInclude(into, { isLoaded: true, fromSeq: 301, toSeq: 600 })

        // Whoever leads next needs none of them either.
        yield* centre.allocator.stop
        const next = yield* centre.allocate
        yield* centre.grow(20)
        assert.strictEqual((yield* centre.verifyServer).code, 0)
        const check = yield* lowtide("ledger", "check", "--database", centre.postgres.url)
        assert.deepStrictEqual([check.code, check.stderr], [0, ""])

        const restore = (file: string, ...more: ReadonlyArray<string>) =>
          withKey(...["ledger", "restore-segment", join(folder, file), "--database", centre.postgres.url], ...more)
        const early1 = yield* restore(first, ...centre.confirm)
        assert.strictEqual(early1.code, 4)
        assert.match(early1.stderr, /expected the segment that ends before event 601/)
        copyFileSync(join(folder, second), damaged)
        assert.match((yield* restore(second)).stdout, /^would load events 301 to 600/)
        // Who loads an archive, or drops a segment, may not live to record it: whoever leads next does.
        const mended = (fromSeq: number, phase: string) =>
          Effect.gen(function* () {
            const allocator = yield* centre.allocate
            yield* waitUntil(
              "it is recorded",
              Effect.map(
                centre.rows(`select phase from audit.segments where from_seq = ${fromSeq}`),
                ([row]) => row?.phase === phase
              ),
              { deadlineMs: 30_000 }
            )
            return allocator
          })
        yield* next.stop
        assert.isTrue((yield* loadSegment(centre.postgres.url, join(folder, second), keys)).isLoaded)
        const restarted = yield* mended(301, "restored")
        const back = yield* restore(first, ...centre.confirm)
        assert.strictEqual(back.code, 0, back.stderr)
        assert.match((yield* restore(first, ...centre.confirm)).stdout, /were there already/)
        assert.deepStrictEqual(yield* centre.rows(range[0]), [{ first: 1, n: 600 }])
        const again = yield* lowtide("get", "nodes", "--at", "250", "--json")
        assert.deepStrictEqual(JSON.parse(again.stdout).items.length, JSON.parse(past.stdout).items.length)
        assert.notInclude((yield* centre.verifyServer).stdout, "were not read")
        assert.match(
          (yield* lowtide("history", "--type", "SegmentRestored")).stdout,
          /events 1 to 300 are back from segment-/
        )

        yield* restarted.stop
        yield* centre.rows("select ledger_drop_segment(1, 300)")
        yield* mended(1, "dropped")
        assert.include((yield* lowtide("ledger", "status")).stdout, "The ledger is complete since")
      }).pipe(Effect.scoped),
    300_000
  )

  it.live(
    "is dropped only as it was archived",
    () =>
      Effect.gen(function* () {
        const centre = yield* filled
        yield* waitUntil(
          "the hashes of the segment's last run are kept", // the leader keeps them on its own time
          Effect.map(centre.rows("select from tree_node where level = 1 and index = 1"), (rows) => rows.length === 1),
          { deadlineMs: 60_000 }
        )
        const refuses = (statement: string) => Effect.flip(Effect.tryPromise(() => centre.query(statement)))
        const unknown = yield* refuses("select ledger_drop_segment(1, 300)")
        assert.match(String(unknown.cause), /expected an archive of events 1 to 300 as they are, found none in the log/)
        assert.strictEqual((yield* centre.archive(...centre.confirm)).code, 0)
        const order = yield* refuses("select ledger_drop_segment(301, 600)")
        assert.match(String(order.cause), /expected the oldest events, found some before event 301/)
        yield* centre.behindTheBack("update events set leaf_hash = sha256('') where seq = 7")
        const changed = yield* centre.archive("--drop", ...centre.confirm)
        assert.strictEqual(changed.code, 4)
        assert.match(changed.stderr, /expected an archive of events 1 to 300 as they are/)
        assert.deepStrictEqual(yield* centre.rows("select count(*)::int as n from events where seq <= 300"), [
          { n: 300 }
        ])
      }).pipe(Effect.scoped),
    180_000
  )
})
