/**
 * `announce [ROUTES] [ROUNDS]`: 1,000, 10,000 and 100,000 routes unless given. Our speaker, BIRD (kept awake), GoBGP, FRR and
 * ExaBGP as senders, each in a network namespace of its own, in turn against the same BIRD: session up to all routes; withdrawal
 * of all; one route more; routes in an UPDATE; the most memory that each had. FRR and ExaBGP need a command a route to
 * withdraw, so they do it up to 10,000.
 *
 * "Up" is the receiver's own time stamp of it, "all" is when it says so, asked every millisecond. Needs root.
 */
import { createInterface } from "node:readline"
import { Effect } from "effect"
import type { BirdControl } from "./announce/bird-control.ts"
import { type AnnounceLab, end, makeAnnounceLab, pause, routerAsn, until } from "./announce/lab.ts"
import { protocolsOf, startReceiver } from "./announce/receiver.ts"
import { baselineNames, cpuMs, peakMib, type Sender, type SenderName, senders } from "./announce/senders.ts"
import { argument, figuresOf, median, runBenchmark } from "./kit/figures.ts"

const print = figuresOf("announce")
const only = process.argv[2] === undefined ? undefined : argument(0, 1)
interface Size {
  readonly routes: number
  readonly rounds: number
}

const sizes: ReadonlyArray<Size> =
  only === undefined
    ? [
        { routes: 1_000, rounds: 5 },
        { routes: 10_000, rounds: 5 },
        { routes: 100_000, rounds: 3 }
      ]
    : [{ routes: only, rounds: argument(1, 1) }]
const singles = only === undefined ? 40 : 5
const names = Object.keys(senders) as ReadonlyArray<SenderName>
const progress = (text: string) => process.stderr.write(`announce: ${text}\n`)

type Times = { readonly [Name in SenderName]: Array<number> }
const noTimes = (): Times => ({ native: [], bird: [], gobgp: [], frr: [], exabgp: [] })

/** Prints what ours took beside each of the others that took part. */
const compare = (figure: string, unit: string, times: Times): void => {
  for (const [name, baselineName] of Object.entries(baselineNames) as ReadonlyArray<
    readonly [Exclude<SenderName, "native">, string]
  >) {
    if (times[name].length === 0 || times.native.length === 0) continue
    print({ figure, value: median(times.native), unit, baseline: median(times[name]), baselineName })
  }
}

/** Milliseconds until the receiver has taken so many routes of a protocol, and when that session came up. */
const untilImported = async (receiver: BirdControl, protocol: string, count: number) => {
  for (const deadline = performance.now() + 180_000; ; await pause(1)) {
    const { upAtMs, imported } = await receiver.session(protocol)
    const now = performance.now()
    if (upAtMs !== undefined && imported === count) return { upAtMs, nowMs: performance.timeOrigin + now, atMs: now }
    if (now > deadline) throw new Error(`${protocol}: ${imported} of ${count} routes after 180 s`)
  }
}

/** One round of a sender: up to all, withdrawal of all, and in the last round one route more, over and over. */
const measure = async (
  receiver: BirdControl,
  sender: Sender,
  { routes, isLast }: { readonly routes: number; readonly isLast: boolean },
  found: Readonly<Record<"reload" | "reloadCpu" | "withdrawal" | "withdrawalCpu" | "single", Times>>
) => {
  const { name } = sender.place
  const protocol = protocolsOf(sender.place)[0]!
  const cpu = () => cpuMs(sender.pid)
  const before = await cpu()
  await receiver.ask(`enable ${protocol}`)
  const { upAtMs, nowMs } = await untilImported(receiver, protocol, routes)
  found.reload[name].push(nowMs - upAtMs)
  found.reloadCpu[name].push((await cpu()) - before)
  progress(`${routes} routes, ${name}: all after ${(nowMs - upAtMs).toFixed(1)} ms`)
  if (sender.setAll !== undefined) {
    const [startMs, startCpu] = [performance.now(), await cpu()]
    await sender.setAll("gone")
    found.withdrawal[name].push((await untilImported(receiver, protocol, 0)).atMs - startMs)
    found.withdrawalCpu[name].push((await cpu()) - startCpu)
    await sender.setAll("there")
    await untilImported(receiver, protocol, routes)
  }
  for (let time = 0; isLast && time < singles; time++) {
    const startMs = performance.now()
    await sender.setSingle("there")
    found.single[name].push((await untilImported(receiver, protocol, routes + 1)).atMs - startMs)
    await sender.setSingle("gone")
    await untilImported(receiver, protocol, routes)
  }
  await receiver.ask(`disable ${protocol}`)
  await until("the routes are gone", async () => (await receiver.session(protocol)).imported === 0)
}

const measureAll = async (receiver: BirdControl, all: ReadonlyArray<Sender>, { routes, rounds }: Size) => {
  const found = {
    reload: noTimes(),
    reloadCpu: noTimes(),
    withdrawal: noTimes(),
    withdrawalCpu: noTimes(),
    single: noTimes()
  }
  for (let round = 1; round <= rounds; round++) {
    for (const sender of all) await measure(receiver, sender, { routes, isLast: round === rounds }, found)
  }
  compare(`${routes} routes, session up to all in BIRD`, "ms", found.reload)
  compare(`${routes} routes, from before the session to all, processor time`, "ms", found.reloadCpu)
  compare(`${routes} routes, command to all withdrawn in BIRD`, "ms", found.withdrawal)
  compare(`${routes} routes, command to all withdrawn, processor time`, "ms", found.withdrawalCpu)
  compare(`one route beside ${routes}, command to its being in BIRD`, "ms", found.single)
}

/** How many routes each sender puts into an UPDATE at the start of a session: a listener of our own counts. */
const measurePacking = async (lab: AnnounceLab, { routes }: Size) => {
  const program = `${import.meta.dirname}/announce/counter-main.ts`
  const counter = lab.startInRouter([process.execPath, program, String(routerAsn), String(routes)])
  const packed = noTimes()
  createInterface({ input: counter.stdout! }).on("line", (line) => {
    const found = JSON.parse(line) as { readonly address: string; readonly updates: number; readonly routes: number }
    const name = lab.places.find((place) => place.address === found.address)?.name
    if (name !== undefined) packed[name].push(found.routes / found.updates)
  })
  const isCounted = async () => names.every((name) => packed[name].length > 0)
  await until("every sender was counted", isCounted, 90_000).catch((cause) => progress(String(cause)))
  compare(`${routes} routes, routes an UPDATE`, "routes", packed)
  await end(counter)
}

const main = Effect.gen(function* () {
  for (const size of sizes) {
    yield* Effect.scoped(
      Effect.gen(function* () {
        const lab = yield* makeAnnounceLab(names, 1)
        yield* Effect.promise(async () => {
          const receiver = await startReceiver(lab)
          const all: Array<Sender> = []
          for (const place of lab.places) {
            progress(`${place.name} loads ${size.routes} routes`)
            all.push(await senders[place.name](place, size.routes))
          }
          await measureAll(receiver, all, size)
          const memory = noTimes()
          for (const { place, pid } of all) memory[place.name].push(await peakMib(pid))
          compare(`${size.routes} routes, most memory`, "MiB", memory)
          await receiver.ask("down")
          receiver.close()
          await measurePacking(lab, size)
          for (const sender of all) sender.stop?.()
        })
      })
    )
  }
})

await runBenchmark(main)
