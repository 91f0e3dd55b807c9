/**
 * `export [EVENTS]`, 200,000 unless given; the bar is for 1,000,000: what an export of the whole ledger takes of memory, in the
 * allocator that answers and in the command that writes it to a file, in both formats. Every process is a real one. The baselines are the
 * same processes when they export a single event.
 */
import { spawn } from "node:child_process"
import { readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { ledgerPostgres } from "@lowtide/ledger"
import { Effect } from "effect"
import { type CentreLab, leads, makeCentreLab } from "../faults/centre-lab.ts"
import { argument, figuresOf, runBenchmark, timed } from "./kit/figures.ts"
import { fillLedger, repeatEvents } from "./kit/filled-ledger.ts"

const eventCount = argument(0, 200_000)
const print = figuresOf("export")
const command = join(import.meta.dirname, "../../services/cli/src/main.ts")

/** Makes a process say on its way out how much it had resident at the most, KiB. */
const telling = `data:text/javascript,process.on("exit",()=>process.stderr.write("peak "+process.resourceUsage().maxRSS))`

/** The most that a process has had resident since it was last asked, MiB. */
const takePeak = (pid: number): number => {
  const [, kib = "0"] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? []
  writeFileSync(`/proc/${pid}/clear_refs`, "5")
  return Number(kib) / 1024
}

/** Exports to a file, and answers what the command had resident at the most, MiB. */
const exported = (lab: CentreLab, url: string, ...more: ReadonlyArray<string>) =>
  Effect.promise(
    () =>
      new Promise<number>((resolve, reject) => {
        const args = [
          "--import",
          telling,
          command,
          "audit",
          "export",
          "--server",
          url,
          "--out",
          join(lab.folder, "out")
        ]
        const child = spawn(process.execPath, [...args, ...more], { stdio: ["ignore", "ignore", "pipe"] })
        let said = ""
        child.stderr.on("data", (chunk) => (said += chunk))
        child.on("close", (code) => {
          const [, kib] = /peak (\d+)$/.exec(said) ?? []
          if (code === 0 && kib !== undefined) resolve(Number(kib) / 1024)
          else reject(new Error(said))
        })
      })
  )

const main = Effect.gen(function* () {
  const lab = yield* makeCentreLab
  const databaseUrl = lab.postgres.url
  const filled = yield* fillLedger({ databaseUrl, privatePem: lab.privatePem, vips: 5_000 }).pipe(
    Effect.provide(ledgerPostgres(databaseUrl))
  )
  const events = yield* Effect.promise(() => repeatEvents({ databaseUrl, filled, events: eventCount }))
  process.stderr.write(`${events} events are written\n`)
  const leader = yield* lab.allocator("leader", { LOWTIDE_REPLAY_CHECK_SECONDS: "0" })
  yield* leads(leader, 120_000)
  const { pid } = leader.process
  for (const format of ["ndjson", "csv"]) {
    takePeak(pid)
    const commandOnce = yield* exported(lab, leader.url, "--format", format, "--after", String(events))
    const serverOnce = takePeak(pid)
    let commandPeak = 0
    const ms = yield* timed(
      Effect.map(exported(lab, leader.url, "--format", format), (peak) => {
        commandPeak = peak
      })
    )
    const what = `${events} events as ${format}`
    const baselineName = "an export of a single event"
    print({
      figure: `${what}, the command's memory`,
      value: commandPeak,
      unit: "MiB",
      baseline: commandOnce,
      baselineName
    })
    print({
      figure: `${what}, the allocator's memory`,
      value: takePeak(pid),
      unit: "MiB",
      baseline: serverOnce,
      baselineName
    })
    const mebibytes = statSync(join(lab.folder, "out")).size / 1024 / 1024
    print({
      figure: `${what}, MiB a second`,
      value: mebibytes / (ms / 1000),
      unit: "MiB/s",
      baseline: mebibytes,
      baselineName: "MiB in all"
    })
  }
})

await runBenchmark(main)
