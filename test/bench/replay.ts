/**
 * `replay [VIPS] [EVENTS]`, 20,000 and 200,000 unless given; the bars are for 100,000 and 1,000,000. With so many VIPs held,
 * each of a Service: how long a leader takes to have its state, also from the start of its process, in one file as services are
 * run; and how long the log takes to be replayed, once by the comparison of state and history with it, without its rests, and
 * once event by event, as a follower does that has fallen behind. States are of real decisions; events after the first ones repeat them, by SQL. The baselines read the same rows and
 * do nothing with them. Processor time is that of this process, which other work on the machine changes less.
 */
import { readOn } from "@lowtide/allocator/follower"
import { loadMemory, RecordedTimes } from "@lowtide/allocator/memory"
import { generateKey } from "@lowtide/bus"
import { Fleet } from "@lowtide/domain"
import { Ledger, ledgerPostgres, loadWhole, walkReplay } from "@lowtide/ledger"
import { startPostgres } from "@lowtide/testkit"
import { Effect } from "effect"
import { argument, cpuMs, figuresOf, median, medianOf, runBenchmark, timed } from "./kit/figures.ts"
import { fillLedger, repeatEvents } from "./kit/filled-ledger.ts"
import { startedFrom } from "./kit/started.ts"

const vipCount = argument(0, 20_000)
const eventCount = argument(1, 200_000)
const rounds = 3
const print = figuresOf("replay")

const main = Effect.gen(function* () {
  const postgres = yield* startPostgres({ durable: false })
  const databaseUrl = postgres.socketUrl
  yield* Effect.gen(function* () {
    const filled = yield* fillLedger({ databaseUrl, privatePem: generateKey().privatePem, vips: vipCount })
    process.stderr.write(`${vipCount} VIPs are given out by ${filled} events\n`)
    const written = yield* Effect.promise(() => repeatEvents({ databaseUrl, filled, events: eventCount }))
    process.stderr.write(`${written} events are written\n`)
    yield* measureLoad
    yield* measureStart(databaseUrl)
    yield* measureReplay(written)
  }).pipe(Effect.provide(ledgerPostgres(databaseUrl)))
})

const measureLoad = Effect.gen(function* () {
  const ledger = yield* Ledger
  const runs = { load: [] as Array<number>, loadCpu: [] as Array<number>, read: [] as Array<number> }
  for (let round = 0; round < rounds; round++) {
    const startMs = cpuMs()
    runs.load.push(yield* timed(loadMemory))
    runs.loadCpu.push(cpuMs() - startMs)
    runs.read.push(yield* timed(loadWhole(ledger)))
  }
  const baseline = { baseline: median(runs.read), baselineName: "reading the same rows" }
  const figure = `a leader's state is loaded, ${vipCount} VIPs`
  print({ figure, value: median(runs.load), unit: "ms", ...baseline })
  print({ figure: `${figure}, processor time`, value: median(runs.loadCpu), unit: "ms", ...baseline })
})

const measureStart = Effect.fnUntraced(function* (databaseUrl: string) {
  const start = yield* startedFrom("load-once.ts")
  const value = yield* medianOf(rounds, start({ ...process.env, DATABASE_URL: databaseUrl }))
  const baseline = yield* medianOf(rounds, timed(loadMemory))
  const figure = `from the start of a process to its state, ${vipCount} VIPs`
  print({ figure, value, unit: "ms", baseline, baselineName: "the same in a process that runs" })
})

const measureReplay = Effect.fnUntraced(function* (events: number) {
  const ledger = yield* Ledger
  const readMs = yield* timed(readAll(ledger, events))
  const baseline = { baseline: readMs, baselineName: "reading every event" }
  const walkMs = yield* timed(
    walkReplay(ledger, ({ differences: [difference] }) =>
      difference === undefined ? Effect.void : Effect.die(new Error(`${difference.key}: ${difference.what}`))
    )
  )
  print({ figure: `state and history are compared with ${events} events`, value: walkMs, unit: "ms", ...baseline })
  const startMs = cpuMs()
  const head = yield* ledger.head
  const fleet = new Fleet()
  const followed = { fleet, recordedAt: new RecordedTimes(fleet.versions), head: { ...head, seq: 0 } }
  const followMs = yield* timed(readOn(followed, head))
  const cpu = cpuMs() - startMs
  const figure = `${events} events are applied one by one`
  print({ figure, value: followMs, unit: "ms", ...baseline })
  print({ figure: `${figure}, processor time`, value: cpu, unit: "ms", ...baseline })
})

const pageSize = 1_000

const readAll = Effect.fnUntraced(function* (ledger: Ledger["Service"], untilSeq: number) {
  for (let seq = 0; seq < untilSeq; ) {
    const page = yield* ledger.events({ sinceSeq: seq + 1, untilSeq, limit: pageSize, order: "asc" })
    seq = page.at(-1)?.seq ?? untilSeq
  }
})

await runBenchmark(main)
