/** The ledger's proofs through whole processes: allocators, PostgreSQL, NATS, the CLI, and the verifier of the docs. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { readVerifierKeys } from "@lowtide/ledger/proofs/checkpoint"
import { verifyProofText } from "@lowtide/ledger/proofs/proof"
import type { LabProcess } from "@lowtide/testkit/lab/index"
import { waitUntil } from "@lowtide/testkit/lab/wait"
import { Effect, Result } from "effect"
import { root, run, startCentre, uncompared } from "./ledger-centre.ts"

const until = (what: string, look: Effect.Effect<boolean>) => waitUntil(what, look, { deadlineMs: 60_000 })

const stop = (child: LabProcess) =>
  Effect.map(child.stop, ({ code }) => assert.strictEqual(code, 0, "the allocator ends by itself"))

const exportTo = (centre: Effect.Success<ReturnType<typeof startCentre>>, name: string) =>
  Effect.gen(function* () {
    const notes = yield* centre.lowtide("audit", "checkpoints")
    writeFileSync(centre.path(`${name}.notes`), notes.stdout)
    const exported = yield* centre.lowtide("audit", "export", "--out", centre.path(name))
    assert.deepStrictEqual([notes.code, exported.code, exported.stderr], [0, 0, ""])
  })

const verifyFile = (centre: Effect.Success<ReturnType<typeof startCentre>>, name: string, notes = `${name}.notes`) =>
  centre.lowtide("audit", "verify", centre.path(name), "--checkpoints", centre.path(notes), "--key", centre.keys)

describe("the ledger's proofs", () => {
  it.live(
    "hold over restarts and a killed leader, offline as well, and for anybody with the docs alone",
    () =>
      Effect.gen(function* () {
        const centre = yield* startCentre(uncompared)
        const first = yield* centre.allocate
        yield* centre.grow(300)
        const early = yield* centre.verifyServer
        assert.match(early.stdout, /^GREEN: the ledger lowtide\/ledger is intact: events 1 to \d+ have root /)
        assert.strictEqual(early.code, 0)
        const early1 = JSON.parse((yield* centre.lowtide("audit", "checkpoints", "--json")).stdout) as Array<string>
        const earlySize = Number(early1[0]?.split("\n")[1])

        yield* first.kill
        const second = yield* centre.allocate
        yield* centre.grow(300)
        yield* stop(second)
        const files = readFileSync(
          join(centre.checkpoints, `${new Date().toISOString().slice(0, 10)}.checkpoints`),
          "utf8"
        )
        assert.include(files, (yield* centre.inStream)?.text ?? "nothing in the stream")
        yield* centre.allocate
        yield* centre.grow(20)
        assert.match((yield* centre.verifyServer).stdout, /^GREEN: .* checkpoints fit\./)

        yield* exportTo(centre, "log.ndjson")
        const offline = yield* verifyFile(centre, "log.ndjson")
        assert.match(offline.stdout, /^GREEN: /)
        const fromFolder = yield* verifyFile(centre, "log.ndjson", "checkpoints")
        assert.match(fromFolder.stdout, /^GREEN: /)

        const proofFile = centre.path("proof.json")
        const proved = yield* centre.lowtide("audit", "prove", "300", "--from", String(earlySize), "--out", proofFile)
        assert.strictEqual(proved.code, 0, proved.stderr)
        const verified = yield* centre.lowtide("audit", "verify", proofFile, "--key", centre.keys)
        assert.match(
          verified.stdout,
          /^GREEN: event 300 \(NodeObserved of node:east\/n-\d+, by agent:east, .* goes on unchanged from its /
        )
        const script = join(root, "docs/reference/verify-proof.mjs")
        const notes = centre.path("notes.txt")
        writeFileSync(notes, files)
        const logByDocs = (lines: ReadonlyArray<string>) => {
          writeFileSync(centre.path("by-docs.ndjson"), `${lines.join("\n")}\n`)
          return run(script, centre.path("by-docs.ndjson"), centre.keys, notes)
        }
        const whole = readFileSync(centre.path("log.ndjson"), "utf8").trimEnd().split("\n")
        const asDocsSay = yield* logByDocs(whole)
        assert.match(asDocsSay.stdout, /^proved: events 1 to \d+ are those of lowtide\/ledger, signed /)
        const damagedLogs = {
          changed: whole.with(41, (whole[41] ?? "").replace("agent:east", "agent:west")),
          missing: whole.toSpliced(41, 1),
          "out of order": whole.with(41, whole[42] ?? "").with(42, whole[41] ?? ""),
          "cut off": whole.slice(0, 200),
          "a field more": whole.with(41, (whole[41] ?? "").replace("{", '{"approvedBy":"ada",')),
          "a field twice": whole.with(41, (whole[41] ?? "").replace("{", '{"actor":"ada",')),
          "no JSON": whole.with(41, "{")
        }
        for (const [name, lines] of Object.entries(damagedLogs)) {
          const { code, stdout } = yield* logByDocs(lines)
          assert.deepStrictEqual([code, stdout.slice(0, 12)], [1, "NOT proved: "], name)
        }
        assert.strictEqual((yield* run(script, centre.path("none"), centre.keys)).code, 2)
        const byDocs = yield* run(script, proofFile, centre.keys)
        assert.match(byDocs.stdout, /^proved: event 300 is in lowtide\/ledger/)
        assert.strictEqual(byDocs.code, 0)

        const proof = JSON.parse(readFileSync(proofFile, "utf8"))
        const other = "0".repeat(64)
        const damaged = {
          payload: { ...proof, event: { ...proof.event, data: proof.event.data.replace("n-", "m-") } },
          column: { ...proof, event: { ...proof.event, actor: "agent:west" } },
          time: { ...proof, event: { ...proof.event, recordedAt: "2026-01-01T00:00:00.000Z" } },
          leaf: { ...proof, event: { ...proof.event, leafHash: other } },
          place: { ...proof, event: { ...proof.event, seq: 299 } },
          step: { ...proof, inclusion: proof.inclusion.with(3, other) },
          short: { ...proof, inclusion: proof.inclusion.slice(1) },
          checkpoint: { ...proof, checkpoint: proof.checkpoint.replace("incarnation 1", "incarnation 2") },
          older: { ...proof, consistency: { ...proof.consistency, path: proof.consistency.path.slice(1) } },
          more: { ...proof, event: { ...proof.event, approvedBy: "ada" } },
          newer: { ...proof, consistency: { ...proof.consistency, path: proof.consistency.path.with(0, other) } }
        }
        for (const [name, value] of Object.entries(damaged)) {
          writeFileSync(proofFile, JSON.stringify(value))
          const docs = yield* run(script, proofFile, centre.keys)
          assert.deepStrictEqual([docs.code, docs.stdout.slice(0, 12)], [1, "NOT proved: "], name)
          const known = Result.getOrThrow(readVerifierKeys(readFileSync(centre.keys, "utf8")))
          assert.isNotTrue(verifyProofText(readFileSync(proofFile, "utf8"), known)?.isProved, name)
        }
        const damagedOne = yield* centre.lowtide("audit", "verify", proofFile, "--key", centre.keys)
        assert.match(damagedOne.stdout, /^RED: it is NOT proved that event 300 is in the ledger: /)
        assert.strictEqual(damagedOne.code, 1)
      }).pipe(Effect.scoped),
    300_000
  )

  it.live(
    "name the event that was changed, deleted or cut off behind the ledger's back",
    () =>
      Effect.gen(function* () {
        const centre = yield* startCentre(uncompared)
        const allocator = yield* centre.allocate
        yield* centre.grow(40)
        yield* exportTo(centre, "log.ndjson")
        yield* centre.grow(10)
        const verify = centre.verifyServer
        assert.strictEqual((yield* verify).code, 0)

        yield* centre.behindTheBack("create table was as select * from events where seq in (7, 20)")
        yield* centre.behindTheBack("update events set data = replace(data::text, 'n-', 'm-')::json where seq = 20")
        const edited = yield* verify
        assert.match(
          edited.stdout,
          /^RED: the ledger lowtide\/ledger is NOT intact: event 20 was changed: expected leaf /
        )
        assert.strictEqual(edited.code, 1)
        assert.strictEqual((yield* verifyFile(centre, "log.ndjson")).code, 0, "an export from before is whole")

        const csv = yield* centre.lowtide(
          "audit",
          "export",
          "--type",
          "NodeObserved",
          "--actor",
          "agent:east",
          "--format",
          "csv"
        )
        assert.strictEqual(csv.stdout.split("\r\n").length, 1 + 50 + 1)
        const until = ["--until", "2020-01-01T00:00:00Z"]
        assert.strictEqual((yield* centre.lowtide("audit", "export", ...until)).stdout, "")
        const told = yield* centre.lowtide("history", "--limit", "2", "--json")
        const [first, second] = JSON.parse(told.stdout).items as ReadonlyArray<{ actor: string; what: string }>
        assert.match(first?.actor ?? "", /^local:[A-Za-z0-9._-]+$/)
        assert.match(
          first?.what ?? "",
          /^of events 1 to \d+, those with .*type NodeObserved.* were exported as csv: 50 events$/
        )
        assert.match(second?.what ?? "", /^of events \d+ to \d+, those with until .* were exported as \w+: 0 events$/)

        const forged = "leaf_hash = sha256(leaf_hash)"
        yield* centre.behindTheBack(
          "update events e set data = was.data from was where e.seq = was.seq",
          `update events set ${forged} where seq = 20`
        )
        const withLeaf = yield* verify
        assert.match(
          withLeaf.stdout,
          /^RED: .*event \d+ was changed|^RED: .*event \d+ or one of those up to \d+ was changed/
        )
        assert.match(withLeaf.stderr, /event 20 was changed/)

        yield* centre.behindTheBack(
          "update events e set leaf_hash = was.leaf_hash from was where e.seq = was.seq",
          "delete from events where seq = 7"
        )
        const deleted = yield* verify
        assert.match(deleted.stdout, /NOT intact: event 7 is missing: expected seq 7, found seq 8/)
        yield* centre.behindTheBack("insert into events select * from was where seq = 7")
        assert.strictEqual((yield* verify).code, 0)

        const lines = readFileSync(centre.path("log.ndjson"), "utf8").split("\n")
        const cut = lines.slice(0, 30).join("\n")
        writeFileSync(centre.path("cut.ndjson"), cut)
        const short = yield* verifyFile(centre, "cut.ndjson", "log.ndjson.notes")
        assert.match(
          short.stdout,
          /NOT intact: event 31 is missing: the checkpoint signed .* covers \d+ events, found 30/
        )
        writeFileSync(centre.path("odd.ndjson"), `${lines.slice(0, 3).join("\n")}\nnot a line\n`)
        const odd = yield* verifyFile(centre, "odd.ndjson", "log.ndjson.notes")
        assert.match(odd.stdout, /NOT intact: event 4 expected an event as a line of JSON, found "not a line"/)
        yield* stop(allocator)

        const row = "insert into wire_journal (recorded_at, cluster, kind, node, peer, detail) select"
        yield* centre.behindTheBack(
          `${row} date_trunc('milliseconds', now() - interval '3 hours'), 'east', 'session', 'east-1', 'tor', '{"n": 1}' from generate_series(1, 1200)`
        )
        yield* centre.allocate
        const type = ["--type", "WireJournalSealed"]
        yield* waitUntil(
          "the wire journal is sealed",
          Effect.map(centre.lowtide("audit", "export", ...type), ({ stdout }) => stdout.includes('\\"count\\":1200')),
          { deadlineMs: 60_000 }
        )
        const sealed = yield* verify
        assert.match(sealed.stdout, /^GREEN: the ledger .*\nGREEN: the wire journal fits 1 seal of the ledger\./)
        yield* centre.behindTheBack("delete from wire_journal where id = 1100")
        const unsealed = yield* verify
        assert.match(
          unsealed.stdout,
          /\nRED: wire journal: rows 1 to 1200 were changed: expected 1200 with root .*, found 1199/
        )
        assert.strictEqual(unsealed.code, 1)
      }).pipe(Effect.scoped),
    300_000
  )

  it.live(
    "keep an allocator from deciding on events that are not those that were signed, and show it that history was lost",
    () =>
      Effect.gen(function* () {
        const centre = yield* startCentre(uncompared)
        const first = yield* centre.allocate
        yield* centre.grow(30)
        yield* stop(first)
        yield* centre.behindTheBack("create table was as select * from events")
        for (const [damage, mending, said] of [
          [
            "update events set leaf_hash = sha256(leaf_hash) where seq = 9",
            "update events e set leaf_hash = was.leaf_hash from was where e.seq = was.seq",
            /LT0530 the ledger contradicts a signed checkpoint: expected root .* by a checkpoint over \d+ events of incarnation 1, signed .* by lowtide-test, found root /
          ],
          [
            "delete from events where seq = 9",
            "insert into events select * from was where seq = 9",
            /LT0530 the ledger contradicts a signed checkpoint: the ledger's tree: expected event 9, found none/
          ]
        ] as const) {
          yield* centre.behindTheBack(damage)
          const doubting = yield* centre.allocate
          yield* until(
            "the contradiction is told",
            Effect.map(doubting.log, (log) => said.test(log))
          )
          yield* until(
            "commands are refused",
            Effect.map(centre.askOnce, (reply) => /"TryAgain".*LT0530/.test(reply))
          )
          yield* stop(doubting)
          yield* centre.behindTheBack(mending)
          const mended = yield* centre.allocate
          yield* until(
            "it decides again",
            Effect.map(centre.askOnce, (reply) => reply.includes('"Done"'))
          )
          yield* stop(mended)
        }
        // An older database, a NATS without anything, no speaker: the checkpoints in the folder alone show what is missing.
        yield* centre.behindTheBack(
          "delete from events where seq > 20",
          "update log_head set seq = 20, commit_seq = (select commit_seq from events where seq = 20)",
          "delete from stream_current where seq > 20"
        )
        yield* centre.nats.kill
        yield* centre.nats.wipe
        yield* centre.nats.restart
        const recovering = yield* centre.allocate
        const lost =
          /LT0505 .*: a checkpoint over \d+ events of incarnation 1, .*, has more than the log, which is at 1\/\d+\/20/
        yield* until(
          "the loss is told",
          Effect.map(recovering.log, (log) => lost.test(log))
        )
        yield* until(
          "the new incarnation is signed",
          Effect.map(centre.lowtide("audit", "checkpoints"), ({ stdout }) => stdout.includes("\nincarnation 2\n"))
        )
        const verified = yield* centre.verifyServer
        assert.match(verified.stdout, /^GREEN: the ledger lowtide\/ledger is intact: events 1 to 2\d have root /)
      }).pipe(Effect.scoped),
    300_000
  )
})
