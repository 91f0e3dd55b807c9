/**
 * `everyday [ROUTES] [PEERS] [ROUNDS] [SECONDS] [INTERVAL]`, 2,000, 4, 3 and 600 unless given: a node's everyday load on a fifth of one
 * processor. Our speaker, BIRD (kept awake), GoBGP, FRR and ExaBGP each have so many routes and so many sessions with one BIRD, in a
 * control group with a quota of 20 ms in 100 ms, and reload: all sessions go up at once, the time is from the first that is up until
 * the last has all. Then the memory that each has resident.
 *
 * Then our speaker withdraws and announces everything over and over for so many seconds, while BFD runs beside it on all of its paths: at
 * 300 ms x 3 and then as long at 50 ms x 3, or at INTERVAL ms alone. BFD is in the same group, in real time as always, of which a
 * group has a share of its own where the kernel divides it: a fifth as well. Needs root and a writable `cpu` control group, version 1 or 2.
 */
import { appendFileSync, existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs"
import { execute } from "@lowtide/testkit/lab/index"
import { Effect } from "effect"
import { watchByBfd } from "./announce/bfd-watch.ts"
import type { BirdControl } from "./announce/bird-control.ts"
import { type AnnounceLab, makeAnnounceLab, pause, type SenderPlace, until } from "./announce/lab.ts"
import { protocolsOf, receiverPidFile, startReceiver } from "./announce/receiver.ts"
import { baselineNames, cpuMs, residentMib, type Sender, type SenderName, senders } from "./announce/senders.ts"
import { argument, figuresOf, median, runBenchmark } from "./kit/figures.ts"

const routes = argument(0, 2_000)
const peers = argument(1, 4)
const rounds = argument(2, 3)
const watchedSeconds = argument(3, 600)
const intervalsMs = process.argv[6] === undefined ? [300, 50] : [argument(4, 300)]
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
        if (existsSync(`${folder}/cpu.rt_runtime_us`) && name === "native") {
          writeFileSync(`${folder}/cpu.rt_period_us`, "100000")
          writeFileSync(`${folder}/cpu.rt_runtime_us`, "20000")
        }
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

const moveInto = (group: string | undefined, pid: number): void => appendFileSync(`${group}/cgroup.procs`, String(pid))

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

const untilImported = async (receiver: BirdControl, place: SenderPlace, count: number): Promise<void> => {
  const deadline = performance.now() + 60_000
  for (const protocol of protocolsOf(place)) {
    while ((await receiver.session(protocol)).imported !== count) {
      if (performance.now() > deadline) throw new Error(`${protocol}: not ${count} routes after 60 s`)
      await pause(1)
    }
  }
}

/** A sender's table goes and comes without a pause, and BFD runs beside it: what goes down though every path is there all the time. */
const watchWhileBusy = (receiver: BirdControl, sender: Sender, group: string | undefined, intervalMs: number) =>
  Effect.gen(function* () {
    const watch = yield* watchByBfd(sender.place, intervalMs)
    moveInto(group, watch.pid)
    const changes = yield* Effect.promise(async () => {
      const ownBefore = await cpuMs(watch.pid)
      const before = await cpuMs(sender.pid)
      const endsAtMs = performance.now() + watchedSeconds * 1000
      let tables = 0
      for (; performance.now() < endsAtMs; tables += 2) {
        await sender.setAll?.("gone")
        await untilImported(receiver, sender.place, 0)
        await sender.setAll?.("there")
        await untilImported(receiver, sender.place, routes)
      }
      const share = (ms: number) => `${(ms / watchedSeconds / 10).toFixed(1)} %`
      progress(
        `processor: the speaker ${share((await cpuMs(sender.pid)) - before)}, BFD ${share((await cpuMs(watch.pid)) - ownBefore)}`
      )
      return tables
    })
    const sessions = yield* Effect.promise(watch.sessions)
    for (const down of watch.downs) progress(`${intervalMs} ms x 3: ${down}`)
    const of = `BFD at ${intervalMs} ms x 3 for ${watchedSeconds} s beside ${changes} whole tables`
    print({
      figure: `${of}: false downs`,
      value: watch.downs.length,
      unit: "downs",
      baseline: sessions.reduce((sum, { counters }) => sum + counters.received, 0),
      baselineName: "packets taken from the receiver"
    })
    print({
      figure: `${of}: latest timer`,
      value: Math.max(...sessions.map(({ counters }) => counters.lateUsMax)) / 1000,
      unit: "ms",
      baseline: 2 * intervalMs,
      baselineName: "what a packet may be late"
    })
  }).pipe(Effect.scoped)

const enableAll = async (receiver: BirdControl, place: SenderPlace): Promise<void> => {
  for (const protocol of protocolsOf(place)) await receiver.ask(`enable ${protocol}`)
  await untilImported(receiver, place, routes)
}

/** A router does not share the node's processors, and its alarms are to be ours alone. */
const inRealTime = (lab: AnnounceLab) => execute(["sh", "-c", `chrt -a -r -p 1 "$(cat ${receiverPidFile(lab)})"`])

const main = Effect.gen(function* () {
  const groups = new Map<SenderName, string>()
  for (const name of names) groups.set(name, yield* limitedGroup(name))
  const lab = yield* makeAnnounceLab(names, peers)
  const { receiver, native, close } = yield* Effect.promise(async () => {
    const receiver = await startReceiver(
      lab,
      lab.places.filter(({ name }) => name === "native")
    )
    const all: Array<Sender> = []
    for (const place of lab.places) {
      const sender = await senders[place.name](place, routes)
      // Loading is not measured; from here on the process, with all its threads, has its fifth.
      moveInto(groups.get(place.name), sender.pid)
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
    const native = all.find(({ place }) => place.name === "native")!
    const close = () => {
      for (const sender of all) sender.stop?.()
      receiver.close()
    }
    return { receiver, native, close }
  })
  yield* inRealTime(lab)
  yield* Effect.promise(() => enableAll(receiver, native.place))
  for (const intervalMs of intervalsMs) {
    yield* watchWhileBusy(receiver, native, groups.get("native"), intervalMs)
  }
  close()
})

await runBenchmark(main)
