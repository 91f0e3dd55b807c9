/**
 * `small [VIPS] [SECONDS] [ROUNDS]`, 2,500, 10 and 5 unless given. The speaker's bundle, on a disk with nothing and on one with so
 * many VIPs and four routers that do not answer: from the start of the process until it has begun its sessions, and what memory it
 * has after so many seconds with nothing to do. NATS is not there. The baseline is a Node process that does nothing.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { startProcess, waitUntil } from "@lowtide/testkit/lab/index"
import { Effect } from "effect"
import { bundle } from "../../scripts/bundle.mjs"
import { openJournal } from "../../services/speaker/src/journal.ts"
import type { SavedRecord } from "../../services/speaker/src/journal-record.ts"
import { clusterName, HandCentre, nodeIntent, nodeName, peer, vip } from "../../services/speaker/test/hand-centre.ts"
import { argument, figuresOf, median, runBenchmark } from "./kit/figures.ts"

const vipCount = argument(0, 2_500)
const idleSeconds = argument(1, 10)
const rounds = argument(2, 5)
const print = figuresOf("small")

/** Four routers at addresses of the loopback where nobody listens. */
const routers = [1, 2, 3, 4].map((number) =>
  peer({ name: `router-${number}`, peerAddress: `127.0.1.${number}`, peerPort: 1, holdTimeSeconds: 90 })
)

const main = Effect.gen(function* () {
  const built = yield* Effect.promise(() => bundle("speaker"))
  if (built === undefined) throw new Error("expected services/speaker/src/main.ts, found none")
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "lowtide-bench-small-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }))
  )
  const plain = yield* measure(folder, "plain", {
    command: ["-e", "console.log('up'); setInterval(() => {}, 1e6)"],
    until: "up"
  })
  for (const count of [0, vipCount]) {
    const name = `speaker-${count}`
    const env = yield* Effect.promise(() => prepare(join(folder, name), count))
    const took = yield* measure(folder, name, { command: [built.file], env, until: "speaker of node" })
    const on = count === 0 ? "an empty disk" : `${count} VIPs and ${routers.length} routers`
    const baselineName = "a Node process that does nothing"
    print({ figure: `start, ${on}`, value: took.startMs, unit: "ms", baseline: plain.startMs, baselineName })
    print({ figure: `idle memory, ${on}`, value: took.rssMiB, unit: "MiB", baseline: plain.rssMiB, baselineName })
  }
})

/** A disk of a node with so many VIPs in effect, and what its speaker is started with. */
const prepare = async (folder: string, count: number) => {
  const centre = new HandCentre()
  const at = (name: string) => join(folder, name)
  mkdirSync(at("manifests"), { recursive: true })
  writeFileSync(at("trust.json"), centre.trustText)
  writeFileSync(at("allowed.json"), centre.allowedText(["198.18.0.0/15"]))
  if (count > 0) {
    const { journal } = openJournal(at("state"))
    const addresses = Array.from({ length: count }, (_, index) => `198.18.${index >> 8}.${index & 255}`)
    const messages = [nodeIntent(routers), ...addresses.map((address) => vip(address))]
    const records: Array<SavedRecord> = messages.map((message) => ({ _tag: "Message", ...centre.say(message) }))
    records.push({ _tag: "Health", service: "shop/web", servesHere: true, servesAnywhere: true })
    await journal.append(records)
    await journal.close()
  }
  return {
    LOWTIDE_CLUSTER: clusterName,
    LOWTIDE_NODE: nodeName,
    LOWTIDE_NATS_URL: "nats://127.0.0.1:1",
    LOWTIDE_STATE_DIR: at("state"),
    LOWTIDE_MANIFESTS: at("manifests"),
    LOWTIDE_TRUST_FILE: at("trust.json"),
    LOWTIDE_ALLOWED_PREFIXES_FILE: at("allowed.json"),
    LOWTIDE_HTTP_LISTEN: `unix:${at("http.sock")}`
  }
}

/** Starts the program so often, and answers the median until it says `until`, and its memory when it has idled. */
const measure = (
  folder: string,
  name: string,
  program: {
    readonly command: ReadonlyArray<string>
    readonly env?: Readonly<Record<string, string>>
    readonly until: string
  }
) =>
  Effect.gen(function* () {
    const times: Array<number> = []
    let rssMiB = 0
    for (let round = 0; round < rounds; round++) {
      const startMs = performance.now()
      const ran = yield* startProcess({
        name,
        command: [process.execPath, ...program.command],
        logFile: join(folder, `${name}-${round}.log`),
        ...(program.env && { env: program.env })
      })
      const says = Effect.map(ran.log, (log) => log.includes(program.until))
      yield* waitUntil(`${name} is up`, says, { deadlineMs: 60_000, intervalMs: 2 })
      times.push(performance.now() - startMs)
      if (round === rounds - 1) {
        yield* Effect.sleep(idleSeconds * 1000)
        rssMiB = rssMiBOf(ran.pid)
      }
      yield* ran.stop
    }
    return { startMs: median(times), rssMiB }
  }).pipe(Effect.scoped)

/** Resident memory of a process: proc_pid_status(5). */
const rssMiBOf = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? Number.NaN) / 1024

await runBenchmark(main)
