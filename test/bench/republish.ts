/**
 * `republish [VIPS]`, 20,000 unless given; the bar is for 100,000: a cluster with so many VIPs is published anew after history was
 * lost. How long the longest of its batches keeps every other command waiting, how large it is, and how long all of them take.
 * Decided, signed and committed as an allocator does it. The baseline is a batch of 256 Services that change.
 */
import { decideBatch } from "@lowtide/allocator/decide-batch"
import { loadMemory } from "@lowtide/allocator/memory"
import { republicationOf } from "@lowtide/allocator/republication"
import { generateKey, readSigningKey } from "@lowtide/bus"
import type { Command } from "@lowtide/domain"
import { Ledger, ledgerPostgres } from "@lowtide/ledger"
import { startPostgres } from "@lowtide/testkit"
import { manifestObject } from "@lowtide/testkit/observed"
import { Effect, Option } from "effect"
import { uuid } from "../faults/centre-lab.ts"
import { service } from "../faults/orders.ts"
import { argument, figuresOf, median, runBenchmark } from "./kit/figures.ts"
import { fillLedger } from "./kit/filled-ledger.ts"

const vipCount = argument(0, 20_000)
const print = figuresOf("republish")
const { privatePem } = generateKey()
const key = readSigningKey("k1", privatePem)

interface Measured {
  readonly ms: number
  readonly mib: number
}

const main = Effect.gen(function* () {
  const postgres = yield* startPostgres()
  yield* Effect.gen(function* () {
    yield* fillLedger({ databaseUrl: postgres.socketUrl, privatePem, vips: vipCount })
    process.stderr.write(`${vipCount} VIPs are given out\n`)
    yield* measure
  }).pipe(Effect.provide(ledgerPostgres(postgres.socketUrl)))
})

const measure = Effect.gen(function* () {
  const ledger = yield* Ledger
  const { epoch } = Option.getOrThrow(yield* ledger.acquireLease(uuid(1), 3_600_000))
  let id = 0
  let memory = yield* loadMemory
  const commit = (...commands: ReadonlyArray<Command>) =>
    Effect.gen(function* () {
      const startMs = performance.now()
      const receivedAt = new Date().toISOString()
      const received = commands.map((command) => {
        const commandId = uuid(900_000_000 + ++id)
        const envelope = {
          commandId,
          correlationId: commandId,
          actor: "allocator",
          actorKind: "system",
          command
        } as const
        return { envelope, receivedAt }
      })
      const { batch } = decideBatch(memory, received, key, Date.now())
      const { seq, commitSeq, recordedAt } = yield* ledger.append(batch)
      memory.head = { ...memory.head, seq, commitSeq, recordedAt }
      const ms = performance.now() - startMs
      return { ms, mib: Buffer.byteLength(JSON.stringify(batch)) / 2 ** 20 } satisfies Measured
    })
  const usual: Array<Measured> = []
  for (let round = 0; round < 5; round++) {
    const changed = Array.from({ length: 256 }, (_, n) => service(`s${n}`, { labels: { round: `${round}` } }))
    usual.push(yield* commit(...changed))
  }
  const { incarnation, seq } = memory.head
  yield* commit({ _tag: "BeginRecovery", incarnation: 2, why: "a bench", lostAfter: { incarnation, seq } })
  yield* ledger.raiseIncarnation(epoch, 2)
  memory = yield* loadMemory
  yield* commit({ _tag: "FinishRecovery", without: [] })
  const { services, nodes, manifests } = memory.fleet.cluster("east")
  const batches: Array<Measured> = []
  batches.push(
    yield* commit({
      _tag: "RepublishCluster",
      cluster: "east",
      inventory: {
        ...{ _tag: "ObserveInventory", cluster: "east", namespaces: [], findings: [] },
        ...{ services: [...services.keys()], nodes: [...nodes.keys()], manifests: [...manifests.keys()] }
      }
    })
  )
  const republication = republicationOf(memory, "east")
  while (!republication.isWhole) {
    const part = { _tag: "RepublishPart", cluster: "east", services: republication.takeUnsettled() } as const
    batches.push(yield* commit(part))
  }
  // What is not done by parts: one order that every VIP's message follows.
  const change = yield* commit({
    _tag: "ApplyManifest",
    cluster: "east",
    manifest: manifestObject("BGPAdvertisement", "all", { localPref: 200 })
  })
  const baselineName = "a batch of 256 Services that change"
  const usualMs = median(usual.map(({ ms }) => ms))
  const longest = Math.max(...batches.map(({ ms }) => ms))
  const say = (figure: string, value: number, unit: string, baseline: number) =>
    print({ figure: `${figure}, ${vipCount} VIPs`, value, unit, baseline, baselineName })
  say("the longest batch", longest, "ms", usualMs)
  say("the largest batch", Math.max(...batches.map(({ mib }) => mib)), "MiB", median(usual.map(({ mib }) => mib)))
  say("an Advertisement changes, in one batch", change.ms, "ms", usualMs)
  say("the size of that", change.mib, "MiB", median(usual.map(({ mib }) => mib)))
  say(
    `${batches.length} batches`,
    batches.reduce((sum, { ms }) => sum + ms, 0),
    "ms",
    usualMs
  )
})

await runBenchmark(main)
