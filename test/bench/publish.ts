/**
 * `publish [CLUSTERS] [VIPS]`, 8 and 1,250 of each unless given; the bar is for 40, which have 100,000 messages. Each cluster has an
 * intent of each and the answer to its Service stored in the database. How long until an allocator's publisher has stored all of
 * them in a NATS that lost everything, and how long a speaker needs that knows nothing until it has read a cluster's messages,
 * checked their signatures, saved its VIPs on the disk and agrees with the cluster's head. PostgreSQL, nats-server, publisher,
 * reader, intake and journal are the real ones, in this one process. The baselines are the storing of the same messages from memory, and the
 * reading of the same cluster without looking at it.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { startPublisher } from "@lowtide/allocator/publisher"
import {
  Bus,
  busCall,
  ensureStreams,
  followState,
  generateKey,
  headKey,
  layerBus,
  publishAll,
  readKeyRing,
  readLast,
  readStored,
  stateFilter,
  stateStream,
  stateSubject
} from "@lowtide/bus"
import { Ledger, ledgerPostgres } from "@lowtide/ledger"
import { parsePrefix } from "@lowtide/net"
import { HeldState } from "@lowtide/speaker/held-state"
import { Intake } from "@lowtide/speaker/intake"
import { openJournal } from "@lowtide/speaker/journal"
import { Saver } from "@lowtide/speaker/saver"
import { StandingRefusals } from "@lowtide/speaker/standing-refusals"
import { judgeMessages, type Trust } from "@lowtide/speaker/trust"
import { startNats, startPostgres } from "@lowtide/testkit"
import { jetstreamManager } from "@nats-io/jetstream"
import { Deferred, Effect, Layer, Queue, Result, Stream } from "effect"
import { argument, figuresOf, median, medianOf, runBenchmark, timed } from "./kit/figures.ts"
import { fillLedger } from "./kit/filled-ledger.ts"

const clusters = Array.from({ length: argument(0, 8) }, (_, n) => `c${n + 1}`)
const vipsEach = argument(1, 1_250)
const rounds = 3
const print = figuresOf("publish")

const main = Effect.gen(function* () {
  const postgres = yield* startPostgres()
  const nats = yield* startNats()
  const { privatePem, publicPem } = generateKey()
  const databaseUrl = postgres.socketUrl
  yield* Effect.gen(function* () {
    yield* fillLedger({ databaseUrl, privatePem, clusters, vips: vipsEach })
    process.stderr.write(`${clusters.length} clusters of ${vipsEach} VIPs are decided\n`)
    yield* measurePublisher
    yield* measureBootstrap(publicPem)
  }).pipe(Effect.provide(Layer.mergeAll(ledgerPostgres(databaseUrl), layerBus({ servers: [nats.url], name: "bench" }))))
})

const wipe = Effect.gen(function* () {
  const connection = yield* (yield* Bus).connection
  const manager = yield* busCall("open JetStream", () => jetstreamManager(connection))
  yield* busCall("delete", () => manager.streams.delete(stateStream)).pipe(Effect.ignore)
})

const lookEveryMs = 20

/** A cluster's head is stored after everything else of it, and clusters follow each other in the order of their names. */
const isPublished = Effect.gen(function* () {
  const last = clusters.toSorted().at(-1) ?? ""
  for (;;) {
    const head = yield* Effect.option(readLast(stateStream, stateSubject(last, headKey)))
    if (head._tag === "Some" && head.value !== undefined) return
    yield* Effect.sleep(lookEveryMs)
  }
})

const measurePublisher = Effect.gen(function* () {
  const ledger = yield* Ledger
  const heads = yield* ledger.intentHeads
  const rows = (yield* Effect.forEach(heads, ({ cluster }) => ledger.intentsSince(cluster, 0))).flat()
  const all = [...rows, ...heads.map((head) => ({ ...head, subject: headKey }))]
  const messages = all.map(({ cluster, subject, envelope }) => ({
    subject: stateSubject(cluster, subject),
    text: envelope
  }))
  const own: Array<number> = []
  const base: Array<number> = []
  for (let round = 0; round < rounds; round++) {
    yield* wipe
    yield* ensureStreams
    base.push(yield* timed(publishAll(messages)))
    yield* wipe
    own.push(yield* timed(Effect.scoped(Effect.andThen(startPublisher(), isPublished))))
  }
  print({
    figure: `${messages.length} messages are published into an empty NATS`,
    value: median(own),
    unit: "ms",
    baseline: median(base),
    baselineName: "the same messages stored from memory"
  })
})

const measureBootstrap = Effect.fnUntraced(function* (publicPem: string) {
  const [cluster = ""] = clusters
  const trust: Trust = {
    cluster,
    intentKeys: readKeyRing({ k1: publicPem }),
    allowedPrefixes: ["198.18.0.0/15", "10.0.0.0/8"].map((text) => Result.getOrThrow(parsePrefix(text)))
  }
  const readMs = yield* medianOf(rounds, timed(readStored(stateStream, stateFilter(cluster))))
  const runs = { whole: [] as Array<number>, main: [] as Array<number> }
  for (let round = 0; round < rounds; round++) {
    const before = process.threadCpuUsage()
    runs.whole.push(yield* timed(bootstrap(trust)))
    const { user, system } = process.threadCpuUsage(before)
    runs.main.push((user + system) / 1_000)
  }
  const baseline = { baseline: readMs, baselineName: "reading the same messages" }
  const figure = `a speaker with nothing saved is live after ${2 * vipsEach} messages and more`
  print({ figure, value: median(runs.whole), unit: "ms", ...baseline })
  print({ figure: `${figure}, processor time of its main thread`, value: median(runs.main), unit: "ms", ...baseline })
})

/** What a speaker does at its first start, but for its sessions. */
const bootstrap = Effect.fnUntraced(function* (trust: Trust) {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "lowtide-bench-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true }))
  )
  const isLive = yield* Deferred.make<void>()
  const { journal } = openJournal(folder)
  const held = new HeldState("n1")
  const saver = new Saver({
    journal,
    everything: () => [...held.vips.values()].map(({ key, envelope }) => ({ _tag: "Message", key, envelope })),
    mayCompact: () => true,
    say: (_severity, text) => process.stderr.write(`${text}\n`),
    wait: (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs))
  })
  const intake = new Intake(trust, held, {
    save: (records) => saver.save(records),
    recordsFor: () => [],
    brake: () => new Map(),
    inEffect: () => undefined,
    onAccepted: () => undefined,
    onRefused: ({ message }) => process.stderr.write(`${message}\n`),
    standing: new StandingRefusals(() => undefined),
    judge: judgeMessages,
    onRollCall: () => undefined,
    onSync: (state) => (state === "live" ? Deferred.doneUnsafe(isLive, Effect.void) : undefined),
    monotonicMs: () => performance.now(),
    unixMs: Date.now,
    random: Math.random
  })
  yield* followState(trust.cluster, yield* Queue.sliding<void>(1)).pipe(
    Stream.runForEach((item) => Effect.sync(() => intake.take(item))),
    Effect.forkScoped
  )
  yield* Deferred.await(isLive)
  if (held.vips.size !== vipsEach) throw new Error(`expected ${vipsEach} VIPs, found ${held.vips.size}`)
}, Effect.scoped)

await runBenchmark(main)
