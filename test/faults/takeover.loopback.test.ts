import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { waitUntil } from "@lowtide/testkit/lab/index"
import { Effect } from "effect"
import { alertRules, exportersOf, metricsOf } from "../../scripts/test/alert-rules.ts"
import { answers, follows, leads, makeCentreLab, type RunningAllocator } from "./centre-lab.ts"
import { announcing, service } from "./orders.ts"

/** By the database's clock a lease lasts 5 s; the next leader has two more to be there. */
const takeOverMs = 7_000

/** What alert rules speak of and an allocator has only of what it serves, or while there is any. */
const notAlways =
  /^lowtide_(tokens_stale|certificate_stale|certificate_not_after_seconds|approvals_pending|nodes_braked|router_evidence|bmp_\w+)$/

const addresses = (allocator: RunningAllocator, minSeq: number) =>
  Effect.map(allocator.get(`/v1/services?min_seq=${minSeq}`), ({ body }) =>
    body.items.map(
      (item: { readonly name: string; readonly addresses: ReadonlyArray<{ readonly address: string }> }) => [
        item.name,
        item.addresses[0]?.address
      ]
    )
  )

describe("several allocators", () => {
  it.live(
    "one leads; the other answers from the log, says who leads, and takes over from a leader that is killed",
    () =>
      Effect.gen(function* () {
        const lab = yield* makeCentreLab
        const one = yield* lab.allocator("one")
        yield* leads(one)
        const two = yield* lab.allocator("two")
        yield* follows(two)
        for (const command of announcing) yield* lab.send(command)
        const reply = yield* lab.send(service("web"))
        if (reply._tag !== "Done" || reply.seqTo === null) throw new Error(`expected Done, found ${reply._tag}`)

        assert.deepStrictEqual(
          yield* addresses(two, reply.seqTo),
          [["web", "198.18.0.0"]],
          "the follower waits for the event"
        )
        const behind = yield* two.get("/v1/services?min_seq=1000000")
        assert.deepInclude(behind.body, {
          status: 503,
          type: "https://lowtide.dev/problems/behind",
          position: reply.seqTo
        })
        assert.strictEqual((yield* two.get("/v1/services?min_seq=x")).status, 400)
        assert.strictEqual((yield* one.get("/v1/services?read=leader")).status, 200)
        const { body } = yield* answers(two, "/v1/services?read=leader", ({ body }) => body?.leader !== null)
        assert.deepInclude(body, { status: 503, leader: { name: "one", url: one.url } })

        const ready = yield* two.get("/readyz")
        assert.deepInclude(ready.body, { role: "follower", lagEvents: 0, leader: { name: "one", url: one.url } })
        assert.match((yield* two.get("/metrics")).body, /^lowtide_leader 0$/m)
        assert.match((yield* two.get("/metrics")).body, /^lowtide_wire_reports_passed_over_total\S* 0$/m)
        assert.match((yield* two.get("/metrics")).body, /^lowtide_follower_lag_events 0$/m)
        const own = alertRules.flatMap(metricsOf).filter((name) => exportersOf(name).includes("allocator"))
        for (const metric of own.filter((name) => !notAlways.test(name))) {
          yield* answers(one, "/metrics", ({ body }) => new RegExp(`^${metric}(\\{.*\\})? -?\\d`, "m").test(body))
        }
        const list = yield* answers(two, "/v1/allocators", ({ body }) => body?.items?.length === 2)
        assert.deepStrictEqual(
          list.body.items.map((item: { readonly name: string; readonly state: string }) => [item.name, item.state]),
          [
            ["one", "leader"],
            ["two", "follower"]
          ]
        )

        yield* one.process.kill
        assert.isBelow(yield* leads(two), takeOverMs)
        assert.deepStrictEqual(yield* addresses(two, 0), [["web", "198.18.0.0"]])
        assert.strictEqual((yield* lab.send(service("later")))._tag, "Done")
      }).pipe(Effect.scoped)
  )

  it.live("a leader that is told to end hands over within a second, and is off the list", () =>
    Effect.gen(function* () {
      const lab = yield* makeCentreLab
      const one = yield* lab.allocator("one")
      yield* leads(one)
      const two = yield* lab.allocator("two")
      yield* follows(two)
      yield* one.process.signal("SIGTERM")
      assert.isBelow(yield* leads(two), 1_000)
      assert.strictEqual((yield* one.process.ended).code, 0)
      yield* answers(two, "/v1/allocators", ({ body }) => body?.items?.length === 1)
    }).pipe(Effect.scoped)
  )

  it.live("F7: a leader that is stopped for ten seconds writes nothing when it goes on, and ends", () =>
    Effect.gen(function* () {
      const lab = yield* makeCentreLab
      const one = yield* lab.allocator("one")
      yield* leads(one)
      const two = yield* lab.allocator("two")
      for (const command of announcing) yield* lab.send(command)
      yield* one.process.signal("SIGSTOP")
      assert.isBelow(yield* leads(two), takeOverMs)
      const [{ epoch }] = yield* lab.sql("select epoch from log_head")
      yield* Effect.sleep("5 seconds") // longer than anything that the old leader may still hold for true
      yield* one.process.signal("SIGCONT")
      // Both are asked now: whoever the question reaches, it is answered by the one that leads.
      for (let n = 0; n < 20; n++) assert.strictEqual((yield* lab.send(service(`s${n}`)))._tag, "Done")
      assert.strictEqual((yield* one.process.ended).code, 1)
      assert.include(yield* one.process.log, "LT0503 fenced: ")
      const late = yield* lab.sql(
        `select seq from events where epoch < ${epoch} and seq > (select min(seq) from events where epoch = ${epoch})`
      )
      assert.deepStrictEqual(late, [], "no event of the old epoch after the new one")
      assert.deepStrictEqual(yield* gaps(lab.sql), [])
    }).pipe(Effect.scoped)
  )

  it.live("F19: a leader whose event loop is busy for six seconds steps down, and decides on nothing meanwhile", () =>
    Effect.gen(function* () {
      const lab = yield* makeCentreLab
      const block = join(lab.folder, "block.mjs")
      const isBusy = join(lab.folder, "busy")
      writeFileSync(
        block,
        `import { writeFileSync } from "node:fs"
        process.on("SIGUSR2", () => {
          writeFileSync(${JSON.stringify(isBusy)}, "")
          for (const end = Date.now() + 6000; Date.now() < end; );
        })`
      )
      const one = yield* lab.allocator("one", { NODE_OPTIONS: `--import=${block}` })
      yield* leads(one)
      for (const command of announcing) yield* lab.send(command)
      const [{ epoch, seq }] = yield* lab.sql("select epoch, seq from log_head")
      yield* one.process.signal("SIGUSR2")
      yield* waitUntil(
        "its event loop is busy", // what came before that is decided in time
        Effect.sync(() => existsSync(isBusy))
      )
      assert.strictEqual((yield* lab.send(service("web")))._tag, "Done")
      const late = yield* lab.sql(`select seq from events where epoch = ${epoch} and seq > ${seq}`)
      assert.deepStrictEqual(late, [], "what was asked meanwhile is decided under another epoch")
      yield* waitUntil(
        "it leads again",
        Effect.map(one.role, (role) => role === "leader")
      )
      assert.include(yield* one.process.log, `the lease of epoch ${epoch} is lost`)
    }).pipe(Effect.scoped)
  )
})

/** Seqs after which one is missing. */
const gaps = (sql: (text: string) => Effect.Effect<ReadonlyArray<unknown>>) =>
  sql("select seq from (select seq, lead(seq) over (order by seq) as next from events) e where next <> seq + 1")
