/**
 * `everyday [ROUTES] [PEERS] [ROUNDS]`, 2,000, 4 and 3 unless given: a node's everyday load on a fifth of one processor. Our speaker, BIRD
 * (kept awake), GoBGP, FRR and ExaBGP each have so many routes and so many sessions with one BIRD, in a control group with a quota
 * of 20 ms in 100 ms, and reload: all sessions go up at once, the time is from the first that is up until the last has all.
 * Then the memory that each has resident. Needs root and a writable `cpu` control group, version 1 or 2.
 */
import { appendFileSync, existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs"
import { Effect } from "effect"
import type { BirdControl } from "./announce/bird-control.ts"
import { makeAnnounceLab, pause, until } from "./announce/lab.ts"
import { protocolsOf, startReceiver } from "./announce/receiver.ts"
import { baselineNames, cpuMs, residentMib, type Sender, type SenderName, senders } from "./announce/senders.ts"
import { argument, figuresOf, median, runBenchmark } from "./kit/figures.ts"

const routes = argument(0, 2_000)
const peers = argument(1, 4)
const rounds = argument(2, 3)
const print = figuresOf("everyday")
const names = Object.keys(senders) as ReadonlyArray<SenderName>
const progress = (text: string) => process.stderr.write(`everyday: ${text}\n`)

/** A control group for one process, with a fifth of a processor; it is gone with the scope, after the process. */
const limitedGroup = (name: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const isFirstVersion = existsSync("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")
      const folder = `/sys/fs/cgroup/${isFirstVersion ? "cpu/" : ""}lowtide-bench-${process.pid}-${name}`
      mkdirSync(folder)
      if (isFirstVersion) {
        writeFileSync(`${folder}/cpu.cfs_period_us`, "100000")
        writeFileSync(`${folder}/cpu.cfs_quota_us`, "20000")
      } else writeFileSync(`${folder}/cpu.max`, "20000 100000")
      return folder
    }),
    (folder) =>
      Effect.promise(() =>
        until(`${folder} is empty`, async () => {
          rmdirSync(folder)
          return true
        })
      )
  )

/** All sessions of a sender go up; answers the milliseconds from the first that is up until the last has every route. */
const reload = async (receiver: BirdControl, { place }: Sender): Promise<number> => {
  const waiting = new Set(protocolsOf(place))
  for (const protocol of waiting) await receiver.ask(`enable ${protocol}`)
  let firstUpMs = Number.POSITIVE_INFINITY
  for (const deadline = performance.now() + 60_000; ; await pause(1)) {
    for (const protocol of waiting) {
      const { upAtMs, imported } = await receiver.session(protocol)
      if (upAtMs !== undefined) firstUpMs = Math.min(firstUpMs, upAtMs)
      if (imported === routes) waiting.delete(protocol)
    }
    if (waiting.size === 0) break
    if (performance.now() > deadline) throw new Error(`${[...waiting].join(", ")}: not all routes after 180 s`)
  }
  const tookMs = performance.timeOrigin + performance.now() - firstUpMs
  for (const protocol of protocolsOf(place)) await receiver.ask(`disable ${protocol}`)
  for (const protocol of protocolsOf(place)) {
    await until("the routes are gone", async () => (await receiver.session(protocol)).imported === 0)
  }
  return tookMs
}

const main = Effect.gen(function* () {
  const groups = new Map<SenderName, string>()
  for (const name of names) groups.set(name, yield* limitedGroup(name))
  const lab = yield* makeAnnounceLab(names, peers)
  yield* Effect.promise(async () => {
    const receiver = await startReceiver(lab)
    const all: Array<Sender> = []
    for (const place of lab.places) {
      const sender = await senders[place.name](place, routes)
      // Loading is not measured; from here on the process, with all its threads, has its fifth.
      appendFileSync(`${groups.get(place.name)}/cgroup.procs`, String(sender.pid))
      all.push(sender)
    }
    const times = new Map<SenderName, Array<number>>(names.map((name) => [name, []]))
    const cpu = new Map<SenderName, Array<number>>(names.map((name) => [name, []]))
    for (let round = 1; round <= rounds; round++) {
      for (const sender of all) {
        const before = await cpuMs(sender.pid)
        const tookMs = await reload(receiver, sender)
        times.get(sender.place.name)?.push(tookMs)
        cpu.get(sender.place.name)?.push((await cpuMs(sender.pid)) - before)
        progress(`${sender.place.name}: ${tookMs.toFixed(1)} ms`)
      }
    }
    const memory = new Map<SenderName, number>()
    for (const { place, pid } of all) memory.set(place.name, await residentMib(pid))
    const of = `${routes} routes x ${peers} peers, a fifth of a processor`
    for (const [name, baselineName] of Object.entries(baselineNames) as ReadonlyArray<
      readonly [Exclude<SenderName, "native">, string]
    >) {
      const compare = (figure: string, unit: string, found: (name: SenderName) => number) =>
        print({ figure: `${of}: ${figure}`, value: found("native"), unit, baseline: found(name), baselineName })
      compare("first session up to all in BIRD", "ms", (who) => median(times.get(who) ?? []))
      compare("processor time of a reload", "ms", (who) => median(cpu.get(who) ?? []))
      compare("resident memory", "MiB", (who) => memory.get(who) ?? Number.NaN)
    }
    for (const sender of all) sender.stop?.()
    receiver.close()
  })
})

await runBenchmark(main)
