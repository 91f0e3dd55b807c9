import { assert, describe, it } from "@effect/vitest"
import { memoryLedger } from "@lowtide/testkit"
import { Context, Effect, Layer, Option, Result, Schema } from "effect"
import { type Batch, type Committed, emptyBatch, Ledger, ledgerPostgres, loadWhole } from "../src/index.ts"
import { liveDatabases } from "./live-database.ts"
import { event, historyRow, uuid } from "./rows.ts"

const databases = liveDatabases()

const below = (count: number) => Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: count - 1 })))

/** What a leader may do; numbers choose streams, addresses and faults relative to the state it has reached. */
const Step = Schema.Union([
  Schema.TaggedStruct("Append", {
    changes: Schema.Array(Schema.Struct({ vip: below(4), gone: Schema.Boolean, purge: Schema.Boolean })),
    fault: below(8)
  }),
  Schema.TaggedStruct("TakeOver", { release: Schema.Boolean }),
  Schema.TaggedStruct("Look", {
    vip: below(4),
    commit: below(6),
    order: Schema.Literals(["asc", "desc"]),
    limit: below(5)
  })
])
type Step = typeof Step.Type

/** The leader's own memory: what it believes the ledger holds. */
interface Leader {
  epoch: number
  seq: number
  readonly versions: Map<string, number>
  readonly times: Array<string>
}

const address = (vip: number) => (vip < 2 ? `192.0.2.${vip + 1}` : `2001:db8::${vip}`)

type Append = Extract<Step, { readonly _tag: "Append" }>

/** Faults 0 to 2 spoil the batch: an older epoch, a seq that is gone, a version that is not stored. */
const toBatch = (leader: Leader, { changes, fault }: Append): Batch => {
  const expected = { epoch: leader.epoch - (fault === 0 ? 1 : 0), seq: leader.seq + (fault === 1 ? 1 : 0) }
  const rows = changes.map((change, index) => {
    const stream = `vip:default/${address(change.vip)}`
    const before = changes.slice(0, index).filter((other) => other.vip === change.vip).length
    return { ...change, stream, version: (leader.versions.get(stream) ?? 0) + before + 1, seq: leader.seq + 1 + index }
  })
  const last = rows.filter((row, index) => rows.findLastIndex((other) => other.vip === row.vip) === index)
  return {
    ...emptyBatch(expected),
    events: rows.map((row) => event(row.stream, row.version, { network: "default", address: address(row.vip) })),
    current: last.map((row) => ({
      stream: row.stream,
      kind: "vip",
      version: row.version,
      previousVersion: (leader.versions.get(row.stream) ?? 0) + (fault === 2 ? 3 : 0),
      seq: row.seq,
      schema: 1,
      state: row.gone ? null : `{"seq": ${row.seq}}`
    })),
    history: rows.map((row) => historyRow(address(row.vip), row.seq, row.gone ? "free" : "assigned")),
    intents: last.map((row) => ({
      cluster: "a",
      subject: `adv.${row.vip}`,
      cseq: row.seq,
      seq: row.seq,
      envelope: row.purge ? null : `{"seq":${row.seq}}`
    })),
    intentHeads: [{ cluster: "a", cseq: leader.seq, seq: leader.seq, digest: "d", count: rows.length, envelope: "{}" }],
    results: rows.map((row) => ({ commandId: uuid(row.seq), seqFrom: row.seq, seqTo: row.seq, outcome: "[1.0]" }))
  }
}

/** All that can be compared: ids of events, and so their leaves, are each ledger's own. Who held what is asked for the time of each commit. */
const state = (ledger: Ledger["Service"], leader: Leader) =>
  Effect.gen(function* () {
    const { head, current, intents, intentHeads } = yield* loadWhole(ledger)
    const vips = [0, 1, 2, 3].map((vip) => ({ network: "default", address: address(vip) }))
    const recent = leader.times.slice(-3)
    const events = yield* ledger.events({ limit: 500, order: "asc" })
    return {
      head,
      history: yield* Effect.forEach(vips, ledger.history),
      holders: yield* Effect.forEach(recent, (at) => Effect.forEach(vips, (vip) => ledger.holderAt({ ...vip, at }))),
      seqs: yield* Effect.forEach(recent, ledger.headAt),
      current: [...current].sort((a, b) => (a.stream < b.stream ? -1 : 1)),
      intents: [...intents].sort((a, b) => (a.subject < b.subject ? -1 : 1)),
      intentHeads,
      events: events.map(({ eventId: _, leafHash: _leaf, ...rest }) => rest)
    }
  })

const look = (ledger: Ledger["Service"], leader: Leader, step: Extract<Step, { readonly _tag: "Look" }>) => {
  const vip = { network: "default", address: address(step.vip) }
  const filter = { ...vip, limit: step.limit + 1, order: step.order, untilSeq: leader.seq - step.commit }
  return Effect.all([
    ledger.commandResult(uuid(Math.max(leader.seq - step.commit, 0))),
    ledger.events(filter).pipe(Effect.map((events) => events.map((stored) => stored.seq))),
    ledger.intentsSince("a", leader.seq - step.commit)
  ])
}

describe("memory and PostgreSQL", () => {
  it.live.prop(
    "answer the same after each step of a random history",
    [Schema.Array(Step).pipe(Schema.check(Schema.isMaxLength(30)))],
    ([steps]) =>
      Effect.gen(function* () {
        const database = Context.get(yield* Layer.build(ledgerPostgres(yield* databases.fresh())), Ledger)
        let nowMs = Date.parse((yield* database.head).recordedAt)
        const memory = Context.get(yield* Layer.build(memoryLedger({ nowMs: () => nowMs })), Ledger)
        const leader: Leader = { epoch: 0, seq: 0, versions: new Map(), times: [] }
        /** Asks the database first, and gives its time to the memory. */
        const both = <A>(ask: (ledger: Ledger["Service"]) => Effect.Effect<A, unknown>) =>
          Effect.gen(function* () {
            const stored = yield* ask(database)
            nowMs = Date.parse((yield* database.head).recordedAt)
            assert.deepStrictEqual(yield* ask(memory), stored)
            return stored
          })
        for (const step of steps) {
          switch (step._tag) {
            case "Append": {
              const batch = toBatch(leader, step)
              const answer = yield* both((ledger) => Effect.result(ledger.append(batch)).pipe(Effect.map(comparable)))
              if (typeof answer !== "string") remember(leader, batch, answer)
              break
            }
            case "TakeOver": {
              if (step.release) yield* both((ledger) => ledger.releaseLease(leader.epoch))
              const lease = yield* both((ledger) => ledger.acquireLease(uuid(1), 600_000))
              leader.epoch = Option.match(lease, { onNone: () => leader.epoch, onSome: ({ epoch }) => epoch })
              break
            }
            case "Look":
              yield* both((ledger) => look(ledger, leader, step))
              break
          }
          yield* both((ledger) => state(ledger, leader))
        }
      }).pipe(Effect.scoped),
    { arbitrary: { runs: 25 }, timeout: 120_000 }
  )
})

/** A failure by its words, which name what was expected and found; a success without its leaves, which are each ledger's own. */
const comparable = (result: Result.Result<Committed, Error>) => {
  if (Result.isFailure(result)) return result.failure.message
  const { leaves: _, ...committed } = result.success
  return committed
}

const remember = (leader: Leader, batch: Batch, committed: { readonly seq: number; readonly recordedAt: string }) => {
  leader.seq = committed.seq
  leader.times.push(committed.recordedAt)
  for (const row of batch.current) leader.versions.set(row.stream, row.version)
}
