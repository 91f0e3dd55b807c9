/**
 * `append`: commands a second through group commit with 1, 32 and 256 waiting, beside single-row commits on one
 * connection, in the same run, on a durable PostgreSQL (fsync on) of its own. A command is what the allocator writes
 * for one VIP's change: an event, its state, a stretch of history, a signed intent and the answer; a batch adds the
 * cluster's head. The first baseline writes the same, one command a commit; the second only inserts the event's row.
 * `append [COMMANDS] [ROUNDS]`: so many in each round with 32 waiting, 8,000 and 5 unless given.
 */
import { sqlSession, startPostgres } from "@lowtide/testkit"
import { Context, Effect, Layer, Option } from "effect"
import { type Batch, type HeadPosition, Ledger, ledgerPostgres, makeGroupCommit, migrate } from "../src/index.ts"

const vipsCount = 5_000
const commandsCount = Number(process.argv[2] ?? 8_000)
const roundsCount = Number(process.argv[3] ?? 5)
const singleCommands = commandsCount / 10
const sizes = [
  { waiting: 1, commands: singleCommands },
  { waiting: 32, commands: commandsCount },
  { waiting: 256, commands: 2 * commandsCount }
] as const

interface Measured {
  readonly perSecond: number
  readonly latenciesMs: ReadonlyArray<number>
}

/** The leader's memory: the head it left, and each VIP's version. */
class Leader {
  head: HeadPosition
  readonly #versions = new Map<string, number>()
  readonly #ledger: Ledger["Service"]

  constructor(ledger: Ledger["Service"], head: HeadPosition) {
    this.#ledger = ledger
    this.head = head
  }

  /** Commits the changes of these VIPs, in one batch. */
  commit(vips: ReadonlyArray<number>) {
    return Effect.suspend(() => this.#ledger.append(this.#batch(vips))).pipe(
      Effect.map(({ seq }) => {
        this.head = { epoch: this.head.epoch, seq }
        return vips
      })
    )
  }

  #batch(vips: ReadonlyArray<number>): Batch {
    const rows = vips.map((vip, index) => this.#change(vip, this.head.seq + 1 + index))
    const last = this.head.seq + vips.length
    const final = rows.filter((row, index) => rows.findLastIndex((other) => other.stream === row.stream) === index)
    const previous = new Map(rows.toReversed().map((row) => [row.stream, row.version - 1]))
    return {
      expected: this.head,
      events: rows.map((row) => row.event),
      current: final.map(({ stream, version, seq }) => {
        return { stream, kind: "vip", version, previousVersion: previous.get(stream)!, seq, schema: 1, state: payload }
      }),
      history: rows.map((row) => row.history),
      intents: final.map((row) => row.intent),
      intentHeads: [{ cluster: "a", cseq: last, seq: last, digest: "d".repeat(64), count: vipsCount, envelope }],
      results: rows.map(({ event, seq }) => ({ commandId: event.commandId, seqFrom: seq, seqTo: seq, outcome: "{}" }))
    }
  }

  #change(vip: number, seq: number) {
    const address = `198.18.${vip >> 8}.${vip & 255}`
    const stream = `vip:default/${address}`
    const version = (this.#versions.get(stream) ?? 0) + 1
    this.#versions.set(stream, version)
    const commandId = commandUuid(seq)
    const who = { actor: "agent:a", actorKind: "agent", reasonCode: "pool-selected" }
    const place = { network: "default", address, pool: "public" }
    const service = { cluster: "a", namespace: "shop", service: `web-${vip}` }
    return {
      stream,
      version,
      seq,
      event: {
        ...{ stream, version, type: "VipAssigned", schema: 1, ...place, ...service, ...who },
        ...{ commandId, correlationId: commandId, data: payload, meta }
      },
      history: { ...place, seq, state: "assigned", holders: `[${JSON.stringify(service)}]`, ...who },
      intent: { cluster: "a", subject: `adv.${vip}`, cseq: seq, seq, envelope }
    }
  }
}

const payload = JSON.stringify({ before: null, after: { words: "x".repeat(400) } })
const meta = JSON.stringify({ candidates: "x".repeat(150) })
const envelope = JSON.stringify({ payload: "x".repeat(500), keyId: "k1", sig: "s".repeat(86) })
const commandUuid = (seq: number) => `00000000-0000-7000-8000-${String(seq).padStart(12, "0")}`

/** Each of `workers` sends its next command as soon as the last is answered. */
const closedLoop = <E>(workers: number, commands: number, send: (index: number) => Effect.Effect<unknown, E>) =>
  Effect.gen(function* () {
    const latenciesMs: Array<number> = []
    let next = 0
    const worker = Effect.gen(function* () {
      while (next < commands) {
        const index = next
        next += 1
        const startMs = performance.now()
        yield* send(index)
        latenciesMs.push(performance.now() - startMs)
      }
    })
    const startMs = performance.now()
    yield* Effect.all(
      Array.from({ length: workers }, () => worker),
      { concurrency: "unbounded", discard: true }
    )
    return { perSecond: (commands * 1_000) / (performance.now() - startMs), latenciesMs } satisfies Measured
  })

/** The least that a durable append can do: one row, prepared, autocommit. */
const bareInsert = Effect.fnUntraced(function* (url: string) {
  const client = yield* sqlSession(url)
  const table = "create table if not exists bare (seq bigserial primary key, id uuid, data json, meta json)"
  yield* Effect.promise(() => client.query(table))
  const text = "insert into bare (id, data, meta) values ($1, $2, $3)"
  return (index: number) =>
    Effect.promise(() => client.query({ name: "bare", text, values: [commandUuid(index), payload, meta] }))
})

/** All cases once, starting with another one each round: what one leaves behind (vacuum, checkpoints) must not always hit the same. */
const round = Effect.fnUntraced(function* (
  leader: Leader,
  bare: (index: number) => Effect.Effect<unknown>,
  start: number
) {
  const vip = (index: number) => (index * 7_919) % vipsCount
  const grouped = (waiting: number, commands: number) =>
    Effect.gen(function* () {
      const group = yield* makeGroupCommit({ commit: (vips: ReadonlyArray<number>) => leader.commit(vips) })
      return yield* closedLoop(waiting, commands, (index) => group.submit(vip(index)))
    }).pipe(Effect.scoped)
  const cases: ReadonlyArray<readonly [name: string, measure: Effect.Effect<Measured, unknown>]> = [
    ["single command", closedLoop(1, singleCommands, (index) => leader.commit([vip(index)]))],
    ["bare insert", closedLoop(1, singleCommands, bare)],
    ...sizes.map(({ waiting, commands }) => [`group ${waiting}`, grouped(waiting, commands)] as const)
  ]
  const measured: Record<string, Measured> = {}
  for (const index of cases.keys()) {
    const [name, measure] = cases[(start + index) % cases.length]!
    measured[name] = yield* measure
  }
  return measured
})

const median = (values: ReadonlyArray<number>) => values.toSorted((a, b) => a - b)[values.length >> 1]!
const quantile = (values: ReadonlyArray<number>, share: number) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * share)]!

const report = (rounds: ReadonlyArray<Record<string, Measured>>) => {
  const rate = (name: string) => median(rounds.map((measured) => measured[name]!.perSecond))
  const latency = (name: string, share: number) =>
    median(rounds.map((measured) => quantile(measured[name]!.latenciesMs, share)))
  const print = (figure: string, unit: string, of: (name: string) => number, name: string, baseline: string) => {
    const baselineName = baseline === "bare insert" ? "one bare row a commit, one connection" : singleName
    const [value, base] = [of(name), of(baseline)]
    const line = { bench: "append", figure, value: round3(value), unit, baseline: round3(base), baselineName }
    process.stdout.write(`${JSON.stringify({ ...line, ratio: round3(value / base) })}\n`)
  }
  for (const { waiting } of sizes) {
    const name = `group ${waiting}`
    print(`group commit, ${waiting} waiting`, "commands/s", rate, name, "single command")
    print(`group commit, ${waiting} waiting, beside a bare row`, "commands/s", rate, name, "bare insert")
    print(`group commit, ${waiting} waiting, p50`, "ms", (of) => latency(of, 0.5), name, "single command")
    print(`group commit, ${waiting} waiting, p99`, "ms", (of) => latency(of, 0.99), name, "single command")
  }
}

const singleName = "one command a commit, one connection"
const round3 = (value: number) => Number(value.toPrecision(4))

const main = Effect.gen(function* () {
  const server = yield* startPostgres({ durable: true })
  yield* migrate(server.url)
  const ledger = Context.get(yield* Layer.build(ledgerPostgres(server.socketUrl)), Ledger)
  const lease = yield* ledger.acquireLease(commandUuid(0), 3_600_000)
  const leader = new Leader(ledger, { epoch: Option.getOrThrow(lease).epoch, seq: 0 })
  const bare = yield* bareInsert(server.socketUrl)
  yield* round(leader, bare, 0) // warms both sides up, and fills the tables
  const rounds: Array<Record<string, Measured>> = []
  for (let index = 0; index < roundsCount; index += 1) {
    const measured = yield* round(leader, bare, index)
    const rates = Object.entries(measured).map(([name, { perSecond }]) => `${name} ${perSecond.toFixed(0)}/s`)
    process.stderr.write(`round ${index + 1} of ${roundsCount}: ${rates.join(", ")}\n`)
    rounds.push(measured)
  }
  report(rounds)
}).pipe(Effect.scoped)

await Effect.runPromise(main)
