/**
 * `takeover [VIPS] [ROUNDS]`, 20,000 and 3 unless given; the bar is for 100,000. With so many VIPs held: how long until another allocator leads and has carried out a command: after the
 * leader ended in order, and after it was killed, which waits for its lease of 5 s first. And `load`: how long a leader
 * takes to have its state. Every process is a real one. The baseline of the first two is one round trip to the database,
 * which is what a take-over is at the least; that of `load` is the reading of the same rows without doing anything with them.
 */
import { loadMemory } from "@lowtide/allocator/memory"
import { Ledger, ledgerPostgres, loadWhole } from "@lowtide/ledger"
import { waitUntil } from "@lowtide/testkit/lab/index"
import { Effect } from "effect"
import { type CentreLab, follows, leads, makeCentreLab, type RunningAllocator } from "../faults/centre-lab.ts"
import { service } from "../faults/orders.ts"
import { argument, figuresOf, median, medianOf, runBenchmark, timed } from "./kit/figures.ts"
import { fillLedger } from "./kit/filled-ledger.ts"

const vipCount = argument(0, 20_000)
const print = figuresOf("takeover")
const rounds = argument(1, 3)

const main = Effect.gen(function* () {
  const lab = yield* makeCentreLab
  process.stderr.write(`${vipCount} VIPs are given out\n`)
  yield* fillLedger({ databaseUrl: lab.postgres.url, privatePem: lab.privatePem, vips: vipCount }).pipe(
    Effect.provide(ledgerPostgres(lab.postgres.url))
  )
  yield* lab.sql("vacuum analyze")
  yield* measureLoad(lab)
  const roundTripMs = yield* medianOf(50, timed(lab.sql("select 1")))
  let leader = yield* lab.allocator("first")
  yield* leads(leader, 120_000)
  process.stderr.write("everything is published\n")
  yield* isPublished(leader)
  let count = 0
  const handOver = (end: (old: RunningAllocator) => Effect.Effect<unknown>) =>
    Effect.gen(function* () {
      const next = yield* lab.allocator(`next-${++count}`)
      yield* follows(next)
      yield* Effect.sleep("1 second") // it is warm
      const old = leader
      leader = next
      const startMs = performance.now()
      yield* end(old)
      const leadsMs = yield* Effect.as(leads(next), performance.now() - startMs)
      yield* lab.send(service(`after-${count}`), 10_000_000 + count)
      return { leadsMs: performance.now() - startMs, roleMs: leadsMs }
    })
  for (const [figure, end] of [
    ["ended in order, to the first command carried out", (old: RunningAllocator) => old.process.signal("SIGTERM")],
    ["killed, to the first command carried out", (old: RunningAllocator) => old.process.kill]
  ] as const) {
    const times: Array<number> = []
    for (let round = 0; round < rounds; round++) times.push((yield* handOver(end)).leadsMs)
    print({
      figure: `${figure}, ${vipCount} VIPs`,
      value: median(times),
      unit: "ms",
      baseline: roundTripMs,
      baselineName: "one connection and round trip to the database"
    })
  }
})

const measureLoad = (lab: CentreLab) =>
  Effect.gen(function* () {
    const ledger = yield* Ledger
    const loadMs = yield* medianOf(rounds, timed(loadMemory))
    const readMs = yield* medianOf(rounds, timed(loadWhole(ledger)))
    print({
      figure: `load, ${vipCount} VIPs`,
      value: loadMs,
      unit: "ms",
      baseline: readMs,
      baselineName: "reading the same rows"
    })
  }).pipe(Effect.provide(ledgerPostgres(lab.postgres.url)))

const isPublished = (leader: RunningAllocator) =>
  waitUntil(
    "everything is published",
    Effect.map(leader.process.log, (log) => /messages after cseq \d+ published again/.test(log)),
    { deadlineMs: 120_000 }
  )

await runBenchmark(main)
