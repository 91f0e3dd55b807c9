import { assert, describe, it } from "@effect/vitest"
import { execute, sqlSession } from "@lowtide/testkit"
import { Context, Effect, Fiber, Layer, Option } from "effect"
import { emptyBatch, Ledger, ledgerPostgres, loadWhole } from "../src/index.ts"
import { liveDatabases } from "./live-database.ts"
import { assignment, event, historyRow, uuid } from "./rows.ts"

const databases = liveDatabases()

/** One allocator's ledger, over pools of its own. */
const connect = (url: string) => Effect.map(Layer.build(ledgerPostgres(url)), Context.get(Ledger))

const leader = Effect.fnUntraced(function* (url: string) {
  const ledger = yield* connect(url)
  const lease = yield* ledger.acquireLease(uuid(1), 60_000)
  return { ledger, epoch: Option.getOrThrow(lease).epoch }
})

/** A session in the middle of a transaction. */
const session = (url: string) =>
  Effect.gen(function* () {
    const client = yield* sqlSession(url)
    const run = (text: string) => Effect.promise(() => client.query(text))
    yield* run("begin")
    return run
  })

const rows = (url: string, text: string) => Effect.promise(() => execute(url, text))

/** Everything that a batch writes, counted. */
const counts = (url: string) =>
  rows(
    url,
    `select (select count(*)::int from events) as events, (select count(*)::int from stream_current) as current,
      (select count(*)::int from vip_history) as history, (select count(*)::int from intent) as intents,
      (select count(*)::int from intent_head) as heads, (select count(*)::int from command_result) as results,
      (select seq::int from log_head) as seq, (select commit_seq::int from log_head) as commits`
  )

const untilSomeoneWaits = (url: string) =>
  Effect.gen(function* () {
    const waiting = `select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`
    while ((yield* rows(url, waiting)).length === 0) yield* Effect.sleep("5 millis")
  }).pipe(Effect.timeout("20 seconds"))

describe("two writers", () => {
  it.live("a leader that was replaced writes nothing, and learns both epochs", () =>
    Effect.gen(function* () {
      const url = yield* databases.fresh()
      const old = yield* leader(url)
      yield* old.ledger.append(assignment({ epoch: old.epoch, seq: 0 }, 1))
      yield* old.ledger.releaseLease(old.epoch)
      const next = yield* leader(url)
      const before = yield* counts(url)
      const error = yield* Effect.flip(old.ledger.append(assignment({ epoch: old.epoch, seq: 1 }, 2)))
      assert.deepInclude(error, { _tag: "Fenced", found: { epoch: next.epoch, seq: 1 } })
      assert.deepStrictEqual(yield* counts(url), before)
      yield* next.ledger.append(assignment({ epoch: next.epoch, seq: 1 }, 2))
    }).pipe(Effect.scoped)
  )

  it.live("also when it already waits on the head row while the take-over commits", () =>
    Effect.gen(function* () {
      const url = yield* databases.fresh()
      const old = yield* leader(url)
      yield* old.ledger.append(assignment({ epoch: old.epoch, seq: 0 }, 1))
      const before = yield* counts(url)
      const takeOver = yield* session(url)
      yield* takeOver("update log_head set epoch = epoch + 1")
      const late = yield* Effect.forkChild(Effect.flip(old.ledger.append(assignment({ epoch: old.epoch, seq: 1 }, 2))))
      yield* untilSomeoneWaits(url)
      yield* takeOver("commit")
      assert.deepInclude(yield* Fiber.join(late), { _tag: "Fenced", found: { epoch: old.epoch + 1, seq: 1 } })
      assert.deepStrictEqual(yield* counts(url), before)
    }).pipe(Effect.scoped)
  )

  it.live("a take-over waits for the batch in flight and loads it", () =>
    Effect.gen(function* () {
      const url = yield* databases.fresh()
      const old = yield* leader(url)
      yield* old.ledger.releaseLease(old.epoch)
      const inFlight = yield* session(url)
      yield* inFlight("update log_head set seq = seq + 1")
      const next = yield* Effect.forkChild(leader(url))
      yield* untilSomeoneWaits(url)
      yield* inFlight("commit")
      const { ledger, epoch } = yield* Fiber.join(next)
      assert.deepInclude((yield* loadWhole(ledger)).head, { epoch, seq: 1 })
    }).pipe(Effect.scoped)
  )

  it.live("contenders on connections of their own win one epoch each, one at a time", () =>
    Effect.gen(function* () {
      const url = yield* databases.fresh()
      const ledgers = yield* Effect.all(Array.from({ length: 6 }, () => connect(url)))
      const epochs: Array<number> = []
      for (let round = 0; round < 5; round += 1) {
        const attempts = ledgers.map((ledger, index) => ledger.acquireLease(uuid(index), 60_000))
        const won = (yield* Effect.all(attempts, { concurrency: "unbounded" })).filter(Option.isSome)
        assert.strictEqual(won.length, 1)
        epochs.push(won[0]!.value.epoch)
        yield* ledgers[0]!.releaseLease(won[0]!.value.epoch)
      }
      assert.deepStrictEqual(epochs, [1, 2, 3, 4, 5])
    }).pipe(Effect.scoped)
  )
})

describe("stored rows", () => {
  it.live("events are never changed, in the table or in a partition", () =>
    Effect.gen(function* () {
      const url = yield* databases.fresh()
      const { ledger, epoch } = yield* leader(url)
      yield* ledger.append(assignment({ epoch, seq: 0 }, 1))
      for (const table of ["events", "events_000000"]) {
        for (const change of [`update ${table} set actor = 'x'`, `delete from ${table}`, `truncate ${table}`]) {
          const refused = yield* Effect.flip(Effect.tryPromise({ try: () => execute(url, change), catch: String }))
          assert.include(refused, "stored rows never change")
        }
      }
      assert.strictEqual((yield* ledger.events({ limit: 9, order: "asc" }))[0]?.actor, "system:allocator")
    }).pipe(Effect.scoped)
  )

  it.live("a second open stretch of one VIP is refused by the table itself", () =>
    Effect.gen(function* () {
      const url = yield* databases.fresh()
      const { ledger, epoch } = yield* leader(url)
      yield* ledger.append(assignment({ epoch, seq: 0 }, 1))
      const copy = `insert into vip_history select network, address, from_seq + 1, null, valid_from, valid_to, state, pool,
        holders, reason_code, actor from vip_history`
      const refused = yield* Effect.flip(Effect.tryPromise({ try: () => execute(url, copy), catch: String }))
      assert.include(refused, "vip_history_open")
    }).pipe(Effect.scoped)
  )

  it.live("a stretch that the table refuses fails the batch as a conflict, and nothing is written", () =>
    Effect.gen(function* () {
      const url = yield* databases.fresh()
      const { ledger, epoch } = yield* leader(url)
      yield* ledger.append(assignment({ epoch, seq: 0 }, 1))
      const before = yield* counts(url)
      const again = { ...assignment({ epoch, seq: 1 }, 2), history: [historyRow("198.18.0.1", 1)] }
      assert.strictEqual((yield* Effect.flip(ledger.append(again)))._tag, "ProjectionConflict")
      assert.deepStrictEqual(yield* counts(url), before)
    }).pipe(Effect.scoped)
  )

  it.live("recorded times never go back, though the database's clock did", () =>
    Effect.gen(function* () {
      const url = yield* databases.fresh()
      const { ledger, epoch } = yield* leader(url)
      yield* rows(url, "update log_head set recorded_at = '2999-01-01T00:00:00Z'")
      const { recordedAt } = yield* ledger.append(assignment({ epoch, seq: 0 }, 1))
      assert.strictEqual(recordedAt, "2999-01-01T00:00:00.000Z")
    }).pipe(Effect.scoped)
  )

  it.live("event ids are version 7 UUIDs of the recorded time", () =>
    Effect.gen(function* () {
      const { ledger, epoch } = yield* leader(yield* databases.fresh())
      const { recordedAt } = yield* ledger.append(assignment({ epoch, seq: 0 }, 1))
      const [stored] = yield* ledger.events({ limit: 1, order: "asc" })
      const milliseconds = Number.parseInt(stored!.eventId.replaceAll("-", "").slice(0, 12), 16)
      assert.strictEqual(new Date(milliseconds).toISOString(), recordedAt)
      assert.match(stored!.eventId, /^.{14}7.{4}[89ab]/)
    }).pipe(Effect.scoped)
  )

  it.live("partitions are made ahead, and a batch may cross from one into the next", () =>
    Effect.gen(function* () {
      const url = yield* databases.fresh()
      const { ledger, epoch } = yield* leader(url)
      yield* rows(url, "update log_head set seq = 9999999")
      const events = [event("pool:p", 1), event("pool:p", 2), event("pool:p", 3)]
      yield* ledger.append({ ...emptyBatch({ epoch, seq: 9_999_999 }), events })
      const partitions = yield* rows(
        url,
        "select tableoid::regclass::text as partition, seq::int from events order by seq"
      )
      assert.deepStrictEqual(partitions, [
        { partition: "events_000001", seq: 10_000_000 },
        { partition: "events_000002", seq: 10_000_001 },
        { partition: "events_000002", seq: 10_000_002 }
      ])
      yield* ledger.ensurePlaces(10_000_003)
      const made = yield* rows(
        url,
        "select count(*)::int as made from pg_inherits where inhparent = 'events'::regclass"
      )
      assert.deepStrictEqual(made, [{ made: 5 }])
    }).pipe(Effect.scoped)
  )

  it.live("a state is as it was written until somebody else changes it, or writes it without its digest", () =>
    Effect.gen(function* () {
      const url = yield* databases.fresh()
      const { ledger, epoch } = yield* leader(url)
      const stream = "service:a/default/web"
      yield* ledger.append({
        ...emptyBatch({ epoch, seq: 0 }),
        events: [event(stream, 1)],
        current: [
          { stream, kind: "service", version: 1, previousVersion: 0, seq: 1, schema: 1, state: '{"ä":"\\u001f"}' }
        ]
      })
      const isAsWritten = Effect.map(loadWhole(ledger), ({ current: [row] }) => row?.isAsWritten)
      assert.isTrue(yield* isAsWritten)
      yield* rows(url, "update stream_current set state = (state::text || ' ')::json")
      assert.isFalse(yield* isAsWritten)
      yield* rows(url, "update stream_current set state = trim(state::text)::json")
      assert.isTrue(yield* isAsWritten)
      yield* rows(url, "update stream_current set state_digest = null")
      assert.isFalse(yield* isAsWritten)
    }).pipe(Effect.scoped)
  )

  it.live("a load that fails within what takes its rows leaves the connection to others", () =>
    Effect.gen(function* () {
      const { ledger } = yield* leader(yield* databases.fresh())
      const head = () => {
        throw new Error("not today")
      }
      const exit = yield* Effect.exit(ledger.load({ head, current: () => undefined }))
      assert.match(String(exit), /not today/)
      assert.strictEqual((yield* loadWhole(ledger)).head.seq, 0)
    }).pipe(Effect.scoped)
  )

  it.live("a summary is of one message: what a release that writes none has put in its place is loaded whole", () =>
    Effect.gen(function* () {
      const url = yield* databases.fresh()
      const { ledger, epoch } = yield* leader(url)
      const row = { cluster: "a", subject: "adv.1", cseq: 1, seq: 1 }
      const intents = [{ ...row, envelope: "first", summary: "of the first" }]
      yield* ledger.append({ ...assignment({ epoch, seq: 0 }, 1), intents })
      assert.deepStrictEqual((yield* loadWhole(ledger)).intents, [{ ...row, envelope: null, summary: "of the first" }])
      yield* rows(url, "update intent set cseq = 2, seq = 2, envelope = 'second'")
      const second = { ...row, cseq: 2, seq: 2, envelope: "second", summary: null }
      assert.deepStrictEqual((yield* loadWhole(ledger)).intents, [second])
    }).pipe(Effect.scoped)
  )

  it.live("one batch carries thousands of intents", () =>
    Effect.gen(function* () {
      const { ledger, epoch } = yield* leader(yield* databases.fresh())
      const intents = Array.from({ length: 6_000 }, (_, index) => ({
        cluster: "a",
        subject: `adv.${index}`,
        cseq: index,
        seq: 1,
        envelope: `{"payload":"${index}"}`
      }))
      yield* ledger.append({ ...assignment({ epoch, seq: 0 }, 1), intents })
      assert.sameDeepMembers([...(yield* ledger.intentsSince("a", -1))], intents)
    }).pipe(Effect.scoped)
  )
})

describe("failures", () => {
  it.live("a value that the database cannot store is named by its code, and nothing is written", () =>
    Effect.gen(function* () {
      const url = yield* databases.fresh()
      const { ledger, epoch } = yield* leader(url)
      const before = yield* counts(url)
      const bad = { ...emptyBatch({ epoch, seq: 0 }), events: [event("pool:p", 1, { actor: "a\u0000b" })] }
      assert.deepInclude(yield* Effect.flip(ledger.append(bad)), { _tag: "Unavailable", code: "22P05" })
      assert.deepStrictEqual(yield* counts(url), before)
      yield* ledger.append(assignment({ epoch, seq: 0 }, 1))
    }).pipe(Effect.scoped)
  )

  it.live("without a database every call is unavailable, and works again when it is back", () =>
    Effect.gen(function* () {
      const server = yield* databases.server
      const url = yield* databases.fresh()
      const { ledger, epoch } = yield* leader(url)
      yield* loadWhole(ledger)
      yield* server.stop
      const errors = yield* Effect.all([
        Effect.flip(ledger.append(assignment({ epoch, seq: 0 }, 1))),
        Effect.flip(loadWhole(ledger)),
        Effect.flip(ledger.renewLease(epoch, 1_000)),
        Effect.flip(ledger.events({ limit: 1, order: "asc" }))
      ])
      assert.deepStrictEqual(new Set(errors.map((error) => error._tag)), new Set(["Unavailable"]))
      assert.include(errors[1].message, "expected an answer from the database")
      yield* server.restart
      yield* ledger.append(assignment({ epoch, seq: 0 }, 1))
      assert.strictEqual((yield* loadWhole(ledger)).head.seq, 1)
    }).pipe(Effect.scoped)
  )

  it.live("works over the Unix socket", () =>
    Effect.gen(function* () {
      const url = yield* databases.fresh()
      const { socketUrl } = yield* databases.server
      const overSocket = socketUrl.replace(/\/postgres$/, url.slice(url.lastIndexOf("/")))
      const { ledger, epoch } = yield* leader(overSocket)
      yield* ledger.append(assignment({ epoch, seq: 0 }, 1))
    }).pipe(Effect.scoped)
  )
})
