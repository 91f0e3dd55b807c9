import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import type { CommandReply } from "@lowtide/bus"
import type { Command } from "@lowtide/domain"
import { rebuildProjection } from "@lowtide/ledger/rebuild"
import { waitUntil } from "@lowtide/testkit/lab/index"
import { Effect, Fiber } from "effect"
import { answers, isExact, leads, makeCentreLab } from "./centre-lab.ts"
import { announcing, service } from "./orders.ts"

const leading = Effect.fnUntraced(function* (env: Readonly<Record<string, string>> = {}) {
  const lab = yield* makeCentreLab
  const one = yield* lab.allocator("one", env)
  yield* leads(one)
  for (const command of announcing) yield* lab.send(command)
  return { lab, one }
})

describe("a commit that the database refuses", () => {
  it.live("F6: for want of room: nothing is stored, who waits tries again, and it is done when there is room", () =>
    Effect.gen(function* () {
      const { lab, one } = yield* leading()
      yield* lab.sql(`
        create function refuse() returns trigger language plpgsql as $$
          begin raise exception 'no space left on device' using errcode = '53100'; end $$;
        create trigger refuse before insert on events for each row execute function refuse()`)
      const waiting = yield* Effect.forkScoped(lab.send(service("web"), 1000))
      yield* waitUntil(
        "it is refused",
        Effect.map(one.process.log, (log) => log.includes("no space left on device"))
      )
      assert.deepStrictEqual(yield* lab.sql("select 1 from events where type = 'VipAssigned'"), [])
      yield* lab.sql("drop trigger refuse on events")
      assert.strictEqual((yield* Fiber.join(waiting))._tag, "Done")
      yield* isExact(lab, [1000])
    }).pipe(Effect.scoped)
  )

  it.live("F6: because it contradicts what is stored: the allocator ends, and the next one goes on", () =>
    Effect.gen(function* () {
      // The comparison that begins with a leader would find the change, and nothing would be decided on it (F20).
      const uncompared = { LOWTIDE_REPLAY_CHECK_SECONDS: "0" }
      const { lab, one } = yield* leading(uncompared)
      yield* lab.sql("update stream_current set version = version + 5 where kind = 'manifest'")
      yield* lab.ask(
        {
          _tag: "DeleteManifest",
          cluster: "east",
          kind: "IPAddressPool",
          namespace: "metallb-system",
          name: "public"
        },
        1000
      )
      assert.strictEqual((yield* one.process.ended).code, 1)
      assert.include(yield* one.process.log, "ledger state differs from the decider's")
      yield* leads(yield* lab.allocator("next", uncompared))
      assert.strictEqual((yield* lab.send(service("web"), 1001))._tag, "Done")
    }).pipe(Effect.scoped)
  )
})

describe("a state that somebody changed behind the ledger's back", () => {
  it.live(
    "F20: is noticed, nothing is decided on it, also by the next leader, and it goes on when it is put right",
    () =>
      Effect.gen(function* () {
        const lab = yield* makeCentreLab
        const env = { LOWTIDE_REPLAY_CHECK_SECONDS: "1" }
        const one = yield* lab.allocator("one", env)
        yield* leads(one)
        for (const command of [...announcing, service("web")]) yield* lab.send(command)
        const compared = yield* answers(one, "/v1/ledger", ({ body }) => body?.replay?.last !== null)
        assert.deepStrictEqual(compared.body.replay.findings, [])
        assert.strictEqual(compared.body.replay.last.checkedBy, "one")
        const [{ state }] = yield* lab.sql("select state::text from stream_current where kind = 'vip'")
        yield* lab.sql(
          `update stream_current set state = replace(state::text, '"web"', '"wob"')::json where kind = 'vip'`
        )
        const differs = yield* answers(one, "/v1/ledger", ({ body }) => body?.replay?.findings.length > 0)
        const [{ key, projection }] = differs.body.replay.findings
        assert.deepStrictEqual([projection, key.slice(0, 12)], ["stream_current", "vip:default/"])
        const nothingNew = announcing[0] as Command
        const isRefused = (reply: CommandReply | undefined) =>
          reply?._tag === "TryAgain" &&
          reply.message.startsWith("LT0533 the current state is not what the log says: vip:")
        yield* waitUntil("nothing is decided", Effect.map(lab.ask(nothingNew, 2000), isRefused), {
          deadlineMs: 20_000
        })
        assert.isTrue(isRefused(yield* lab.ask(service("other"), 2001)))
        yield* answers(one, "/metrics", ({ body }) => /^lowtide_replay_differences 1$/m.test(body))
        yield* one.process.signal("SIGKILL")
        const next = yield* lab.allocator("next", { LOWTIDE_REPLAY_CHECK_SECONDS: "0" })
        yield* leads(next)
        yield* waitUntil("nor by the next one", Effect.map(lab.ask(nothingNew, 2000), isRefused), {
          deadlineMs: 20_000
        })
        assert.deepStrictEqual(yield* lab.sql("select 1 from events where service = 'other'"), [])
        const rebuilt = yield* rebuildProjection(lab.postgres.url, "stream_current")
        assert.deepInclude(rebuilt, { differing: 1, examples: [key] })
        assert.deepStrictEqual(yield* lab.sql("select state::text from stream_current where kind = 'vip'"), [{ state }])
        assert.strictEqual((yield* next.process.ended).code, 1, "its memory came from the table of before")
        yield* leads(yield* lab.allocator("third"))
        assert.strictEqual((yield* lab.send(service("other"), 2002))._tag, "Done")
      }).pipe(Effect.scoped)
  )
})

describe("a partition that is missing", () => {
  it.live(
    "F23: commands are refused with the reason, nothing is lost, and it goes on when the partition can be made",
    () =>
      Effect.gen(function* () {
        const { lab, one } = yield* leading()
        const [{ seq }] = yield* lab.sql("select seq::int from log_head")
        yield* lab.sql(`
        alter function ledger_ensure_partitions(bigint) rename to ledger_ensure_away;
        drop table events_000001, events_000002;
        alter table events detach partition events_000000;
        alter table events attach partition events_000000 for values from (1) to (${seq + 1})`)
        const reply = yield* lab.ask(service("web"), 1000)
        assert.strictEqual(reply?._tag, "TryAgain")
        assert.include(reply?._tag === "TryAgain" ? reply.message : "", "LT0534 the ledger has no place for events")
        yield* waitUntil(
          "it is told that partitions cannot be made",
          Effect.map(one.process.log, (log) => log.includes("LT0534 partitions cannot be made ahead"))
        )
        const waiting = yield* Effect.forkScoped(lab.send(service("web"), 1000))
        assert.deepStrictEqual(yield* lab.sql("select 1 from events where type = 'VipAssigned'"), [])
        yield* lab.sql("alter function ledger_ensure_away(bigint) rename to ledger_ensure_partitions")
        assert.strictEqual((yield* Fiber.join(waiting))._tag, "Done")
        yield* isExact(lab, [1000])
        const [{ ahead }] = yield* lab.sql("select ledger_places_until(1)::int - seq::int as ahead from log_head")
        assert.isAtLeast(ahead, 10_000_000)
        const { body } = yield* one.get("/metrics")
        assert.match(body, /^lowtide_ledger_places_ahead_events [1-9]\d{7}$/m)
      }).pipe(Effect.scoped)
  )
})

describe("would-be leaders", () => {
  it.live(
    "F8: with clocks hours apart: one leads at a time, by the database's clock, each with an epoch of its own",
    () =>
      Effect.gen(function* () {
        const lab = yield* makeCentreLab
        const skewed = (hours: number) => {
          const file = join(lab.folder, `clock${hours}.mjs`)
          const shift = `const now = Date.now; Date.now = () => now() + ${hours} * 3600000`
          writeFileSync(file, shift)
          return { NODE_OPTIONS: `--import=${file}` }
        }
        const contenders = yield* Effect.all([
          lab.allocator("behind", skewed(-5)),
          lab.allocator("ahead", skewed(5)),
          lab.allocator("right")
        ])
        const leading = Effect.filter(contenders, (one) => Effect.map(one.role, (role) => role === "leader"))
        for (let round = 1; round <= 2; round++) {
          yield* waitUntil(
            "one leads",
            Effect.map(leading, ({ length }) => length === 1),
            { deadlineMs: 30_000 }
          )
          if (round === 1) for (const command of announcing) yield* lab.send(command)
          assert.strictEqual((yield* lab.send(service(`s${round}`)))._tag, "Done")
          const [leader] = yield* leading
          yield* leader === undefined ? Effect.void : leader.process.kill
        }
        const epochs = yield* lab.sql(
          "select epoch, min(seq)::int, max(seq)::int from events group by epoch order by epoch"
        )
        assert.lengthOf(epochs, 2)
        assert.isBelow(epochs[0].max, epochs[1].min)
      }).pipe(Effect.scoped)
  )
})

describe("PostgreSQL under load", () => {
  it.live("F9: killed, its connections cut, stopped for a while: what was answered is stored once", () =>
    Effect.gen(function* () {
      const { lab } = yield* leading()
      const ids = Array.from({ length: 120 }, (_, index) => 1000 + index)
      let answered = 0
      const load = yield* Effect.forkScoped(
        Effect.forEach(ids, (id) => Effect.tap(lab.send(service(`s${id}`), id), () => Effect.sync(() => answered++)), {
          concurrency: 8
        })
      )
      const untilAnswered = (count: number) =>
        waitUntil(
          `${count} are answered`,
          Effect.sync(() => answered >= count),
          { deadlineMs: 30_000, intervalMs: 1 }
        )
      yield* untilAnswered(10)
      yield* lab.sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'lowtide-ledger'")
      yield* untilAnswered(40)
      yield* lab.postgres.kill
      yield* lab.postgres.restart
      yield* untilAnswered(80)
      yield* lab.postgres.stop
      yield* Effect.sleep("6 seconds") // longer than the lease
      yield* lab.postgres.restart
      const replies = yield* Fiber.join(load)
      assert.isTrue(replies.every(({ _tag }) => _tag === "Done"))
      yield* isExact(lab, ids)
    }).pipe(Effect.scoped)
  )
})
