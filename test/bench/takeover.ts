/**
 * `takeover`: with 100,000 VIPs held, how long until another allocator leads and has carried out a command: after the
 * leader ended in order, and after it was killed, which waits for its lease of 5 s first. And `load`: how long a leader
 * takes to have its state. Every process is a real one. The baseline of the first two is one round trip to the database,
 * which is what a take-over is at the least; that of `load` is the reading of the same rows without doing anything with them.
 */
import { decideBatch, type ReceivedCommand } from "@lowtide/allocator/decide-batch"
import { loadMemory } from "@lowtide/allocator/memory"
import { readSigningKey } from "@lowtide/bus"
import type { Command } from "@lowtide/domain"
import { Ledger, ledgerPostgres, migrate } from "@lowtide/ledger"
import { waitUntil } from "@lowtide/testkit/lab/index"
import { Effect, Option } from "effect"
import { type CentreLab, follows, leads, makeCentreLab, type RunningAllocator, uuid } from "../faults/centre-lab.ts"
import { announcing, service } from "../faults/orders.ts"

const vipCount = Number(process.argv[2] ?? 100_000)
const rounds = 3
const commandsAtOnce = 500

const main = Effect.gen(function* () {
  const lab = yield* makeCentreLab
  process.stderr.write(`${vipCount} VIPs are given out\n`)
  yield* fill(lab).pipe(Effect.provide(ledgerPostgres(lab.postgres.url)))
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
    print(figure, median(times), roundTripMs, "one connection and round trip to the database")
  }
})

const fill = Effect.fnUntraced(function* (lab: CentreLab) {
  yield* migrate(lab.postgres.url)
  const ledger = yield* Ledger
  const { epoch } = Option.getOrThrow(yield* ledger.acquireLease(uuid(1), 600_000))
  const memory = yield* loadMemory
  const key = readSigningKey("k1", lab.privatePem)
  let id = 0
  const received = (command: Command): ReceivedCommand => ({
    envelope: { commandId: uuid(++id), correlationId: uuid(id), actor: "agent:east", actorKind: "agent", command },
    receivedAt: new Date().toISOString()
  })
  const pools = Array.from({ length: Math.ceil(vipCount / 65_536) }, (_, n): Command => {
    const manifest = {
      apiVersion: "metallb.io/v1beta1",
      kind: "IPAddressPool",
      namespace: "metallb-system",
      name: `p${n}`
    }
    return {
      _tag: "ApplyManifest",
      cluster: "east",
      manifest: { ...manifest, spec: { addresses: [`10.${n}.0.0/16`] } }
    }
  })
  const all = [...announcing, ...pools, ...Array.from({ length: vipCount }, (_, n) => service(`s${n}`))]
  for (let start = 0; start < all.length; start += commandsAtOnce) {
    const { batch } = decideBatch(memory, all.slice(start, start + commandsAtOnce).map(received), key, Date.now())
    const { seq, commitSeq, recordedAt } = yield* ledger.append(batch)
    memory.head = { ...memory.head, seq, commitSeq, recordedAt }
  }
  yield* ledger.releaseLease(epoch)
})

const measureLoad = (lab: CentreLab) =>
  Effect.gen(function* () {
    const ledger = yield* Ledger
    const loadMs = yield* medianOf(rounds, timed(loadMemory))
    const readMs = yield* medianOf(rounds, timed(ledger.load))
    print("load", loadMs, readMs, "reading the same rows")
  }).pipe(Effect.provide(ledgerPostgres(lab.postgres.url)))

const isPublished = (leader: RunningAllocator) =>
  waitUntil(
    "everything is published",
    Effect.map(leader.process.log, (log) => /messages after cseq \d+ published again/.test(log)),
    { deadlineMs: 120_000 }
  )

const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const startMs = performance.now()
    yield* effect
    return performance.now() - startMs
  })

const medianOf = <E, R>(times: number, measure: Effect.Effect<number, E, R>) =>
  Effect.map(Effect.all(Array.from({ length: times }, () => measure)), median)

const median = (values: ReadonlyArray<number>): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0

const print = (figure: string, value: number, baseline: number, baselineName: string) =>
  console.log(
    JSON.stringify({
      bench: "takeover",
      figure: `${figure}, ${vipCount} VIPs`,
      value: Math.round(value),
      unit: "ms",
      baseline: Number(baseline.toFixed(1)),
      baselineName,
      ratio: Number((value / baseline).toFixed(2))
    })
  )

await Effect.runPromise(Effect.scoped(main))
