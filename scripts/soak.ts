/** Runs what is too long for `npm test`. See `--help`. */
import { parseArgs } from "node:util"
import { Cause, Effect, Exit } from "effect"
import { fuzzLines } from "../packages/bfd/test/fuzz/lines.ts"
import { fuzzPackets } from "../packages/bfd/test/fuzz/packets.ts"
import { fuzzBgp } from "../packages/bgp/test/fuzz/run.ts"
import { fuzzBmp } from "../packages/bmp/test/fuzz/messages.ts"
import { heapInUse } from "../packages/testkit/src/fuzz/heap.ts"
import { type Fuzz, FuzzFailed } from "../packages/testkit/src/fuzz/run.ts"
import { cutCommits } from "../test/faults/commit-cuts.ts"
import { goldenKinds } from "../test/golden/kinds.ts"
import { mutateAll } from "../test/golden/mutate.ts"
import { runBusy } from "../test/interop/bfd-busy.ts"
import { restartOver } from "../test/interop/guard-restarts.ts"
import { startGuardedBird, startGuardedFrr } from "../test/interop/guard-routers.ts"
import { freshSeed, runHistories } from "../test/sim/histories.ts"
import { HistoryFailed } from "../test/sim/simulation.ts"

const help = `Runs what is too long for npm test, and prints a row for docs/soak.md.

  npm run soak                      the names
  npm run soak -- histories         simulated histories with faults until a million commands were decided
      --seed N                      from this seed on; a fresh one, which is printed, unless given
      --commands N                  how many (1000000)
      --losses                      each of them loses history, not only each third
      --minutes N                   ends after so many minutes, as far as it got
  npm run soak -- golden            golden files of what is stored and sent, changed at random and read
      --seed N                      as above
      --mutations N                 how many (1000000)
  npm run soak -- commit            cuts the way to PostgreSQL while commands are committed, at a byte of each seed
      --seed N                      as above
      --cuts N                      how many (200)
  npm run soak -- fuzz              messages that nobody should send, real ones changed at random and made by a grammar
      --of bgp|bmp|bfd|bfd-lines    BGP, BMP, BFD's packets, or the lines of its control socket (bgp)
      --seed N                      as above
      --messages N                  how many (100000000)
      --minutes N                   ends after so many minutes, as far as it got
  npm run soak -- bfd               BFD at 50 ms x 3 with BIRD while every processor is busy; needs root
      --minutes N                   how long (10)
  npm run soak -- restarts          speakers that are killed and upgraded by turns, with BFD and graceful restart; needs root
      --router bird|frr             the router that must lose no route meanwhile (bird)
      --rounds N                    how often (1000)

Exits 1 when a law is broken, or a reader throws; the failure names the seed that replays it.
`

const stepsPerHistory = 200
const progressEvery = 100_000

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: "string" },
    commands: { type: "string", default: "1000000" },
    losses: { type: "boolean", default: false },
    minutes: { type: "string" },
    cuts: { type: "string", default: "200" },
    router: { type: "string", default: "bird" },
    rounds: { type: "string", default: "1000" },
    mutations: { type: "string", default: "1000000" },
    messages: { type: "string", default: "100000000" },
    of: { type: "string", default: "bgp" },
    help: { type: "boolean", default: false }
  }
})

const fuzzes: Readonly<Record<string, Fuzz>> = {
  bgp: fuzzBgp,
  bmp: fuzzBmp,
  bfd: fuzzPackets,
  "bfd-lines": fuzzLines
}

const [name, ...others] = positionals
if (values.help) process.stdout.write(help)
else if (name === undefined) console.log("histories\ngolden\ncommit\nfuzz\nbfd\nrestarts")
else if (name === "golden" && others.length === 0) {
  process.exitCode = await soakGolden(Number(values.seed ?? freshSeed()), Number(values.mutations))
} else if (name === "commit" && others.length === 0) {
  process.exitCode = await soakCommit(Number(values.seed ?? freshSeed()), Number(values.cuts))
} else if (name === "fuzz" && others.length === 0) {
  process.exitCode = await soakFuzz({
    of: values.of,
    seed: Number(values.seed ?? freshSeed()),
    messageCount: Number(values.messages),
    minutesMax: Number(values.minutes ?? 1_000_000)
  })
} else if (name === "bfd" && others.length === 0) {
  process.exitCode = await soakBfd(Number(values.minutes ?? 10))
} else if (name === "restarts" && others.length === 0) {
  process.exitCode = await soakRestarts(values.router, Number(values.rounds))
} else if (name !== "histories" || others.length > 0) {
  console.error(`no soak is called ${positionals.join(" ")}; there are: histories, golden, commit, fuzz, bfd, restarts`)
  process.exitCode = 2
} else {
  process.exitCode = await soakHistories({
    seed: Number(values.seed ?? freshSeed()),
    commandCount: Number(values.commands),
    minutesMax: Number(values.minutes ?? 1_000_000),
    losesHistory: values.losses
  })
}

async function soakHistories({
  seed,
  commandCount,
  minutesMax,
  losesHistory
}: {
  readonly seed: number
  readonly commandCount: number
  readonly minutesMax: number
  readonly losesHistory: boolean
}): Promise<number> {
  if (![seed, commandCount, minutesMax].every(Number.isSafeInteger)) {
    console.error("--seed, --commands and --minutes: expected whole numbers")
    return 2
  }
  console.log(`histories of ${stepsPerHistory} steps from seed ${seed} on, until ${commandCount} commands were decided`)
  const startedMs = performance.now()
  let said = 0
  try {
    const sum = await runHistories({
      seed,
      steps: stepsPerHistory,
      ...(losesHistory ? { losesHistory } : {}),
      isEnough: ({ commands, histories }) => {
        if (commands - said >= progressEvery) {
          said = commands
          process.stderr.write(`${commands} commands in ${histories} histories\n`)
        }
        return commands >= commandCount || performance.now() - startedMs > minutesMax * 60_000
      }
    })
    const minutes = ((performance.now() - startedMs) / 60_000).toFixed(0)
    const facts = [sum.histories, sum.commands, sum.events, sum.faults].join(" | ")
    const what = `histories, ${losesHistory ? "each" : "a third"} with losses`
    console.log(
      `| ${what} | ${new Date().toISOString().slice(0, 10)} | ${seed} | ${facts} | ${minutes} min | no law broken |`
    )
    return 0
  } catch (cause) {
    if (!(cause instanceof HistoryFailed)) throw cause
    console.log(cause.message)
    console.log(
      `again: npm run sim -- --seed ${cause.seed} --count 1 --steps ${stepsPerHistory}${losesHistory ? " --losses" : ""}`
    )
    return 1
  }
}

async function soakGolden(seed: number, mutationCount: number): Promise<number> {
  if (!Number.isSafeInteger(seed) || !Number.isSafeInteger(mutationCount)) {
    console.error("--seed and --mutations: expected whole numbers")
    return 2
  }
  const kinds = await goldenKinds()
  const counts = { read: 0, refused: 0 }
  const started = performance.now()
  try {
    for (let round = 0; counts.read + counts.refused < mutationCount; round++) {
      const { read, refused } = mutateAll(kinds, 100, seed + round)
      counts.read += read
      counts.refused += refused
    }
  } catch (cause) {
    console.error(cause instanceof Error ? cause.message : String(cause))
    return 1
  }
  const seconds = Math.round((performance.now() - started) / 1_000)
  console.log(
    `golden: ${counts.read + counts.refused} changed texts from seed ${seed} on in ${seconds} s: ${counts.refused} refused, ${counts.read} read, none threw`
  )
  return 0
}

async function soakCommit(seed: number, cuts: number): Promise<number> {
  if (!Number.isSafeInteger(seed) || !Number.isSafeInteger(cuts)) {
    console.error("--seed and --cuts: expected whole numbers")
    return 2
  }
  const started = performance.now()
  const ran = await Effect.runPromiseExit(cutCommits(seed, cuts, (text) => process.stderr.write(`${text}\n`)))
  if (Exit.isFailure(ran)) {
    console.error(Cause.pretty(ran.cause))
    return 1
  }
  const minutes = ((performance.now() - started) / 60_000).toFixed(1)
  const facts = [new Date().toISOString().slice(0, 10), seed, ran.value.cuts, ran.value.commands].join(" | ")
  console.log(`| commit | ${facts} | ${minutes} min | each once |`)
  return 0
}

async function soakFuzz({
  of,
  seed,
  messageCount,
  minutesMax
}: {
  readonly of: string
  readonly seed: number
  readonly messageCount: number
  readonly minutesMax: number
}): Promise<number> {
  const fuzz = Object.hasOwn(fuzzes, of) ? fuzzes[of] : undefined
  if (fuzz === undefined) {
    console.error(`--of: expected ${Object.keys(fuzzes).join(", ")}, found ${of}`)
    return 2
  }
  if (![seed, messageCount, minutesMax].every(Number.isSafeInteger)) {
    console.error("--seed, --messages and --minutes: expected whole numbers")
    return 2
  }
  const part = 1_000_000 // each with a seed of its own, so that a failure is soon there again
  console.log(`${of}: ${messageCount} messages from seed ${seed} on, ${part} a seed`)
  const startedMs = performance.now()
  let [messages, decoded, refused] = [0, 0, 0]
  let heapBytes = 0
  try {
    while (messages < messageCount && performance.now() - startedMs < minutesMax * 60_000) {
      const count = fuzz(seed + messages / part, Math.min(part, messageCount - messages))
      messages += count.messages
      decoded += count.decoded
      refused += count.refused
      if (messages <= part) heapBytes = await heapInUse()
      if (messages % (10 * part) === 0) process.stderr.write(`${messages} messages\n`)
    }
  } catch (cause) {
    if (!(cause instanceof FuzzFailed)) throw cause
    console.log(cause.message)
    return 1
  }
  const grownMib = ((await heapInUse()) - heapBytes) / 1024 / 1024
  const minutes = ((performance.now() - startedMs) / 60_000).toFixed(0)
  const facts = [new Date().toISOString().slice(0, 10), seed, messages, decoded, refused, `${grownMib.toFixed(1)} MiB`]
  console.log(`| fuzz ${of} | ${facts.join(" | ")} | ${minutes} min | none threw |`)
  return 0
}

async function soakBfd(minutes: number): Promise<number> {
  if (!(minutes > 0)) {
    console.error("--minutes: expected a number above 0")
    return 2
  }
  const exit = await Effect.runPromiseExit(Effect.scoped(runBusy(minutes)))
  if (Exit.isFailure(exit)) {
    console.error(Cause.pretty(exit.cause))
    return 1
  }
  const { busyProcesses, packets, lateUsMax, losses } = exit.value
  const outcome = losses.length === 0 ? "no session went down" : `${losses.length} sessions went down`
  const day = new Date().toISOString().slice(0, 10)
  console.log(
    `| bfd, 50 ms x 3 | ${day} | ${busyProcesses} | ${packets} | ${Math.ceil(lateUsMax / 1000)} ms | ${minutes} min | ${outcome} |`
  )
  for (const loss of losses) console.log(loss)
  return losses.length === 0 ? 0 : 1
}

async function soakRestarts(router: string, rounds: number): Promise<number> {
  const start = router === "bird" ? startGuardedBird : router === "frr" ? startGuardedFrr : undefined
  if (start === undefined || !Number.isSafeInteger(rounds) || rounds < 1) {
    console.error(`--router: expected bird or frr, found ${router}; --rounds: expected a whole number above 0`)
    return 2
  }
  const began = performance.now()
  const say = (round: number) => void (round % 50 === 0 && process.stderr.write(`${round} of ${rounds}\n`))
  const exit = await Effect.runPromiseExit(Effect.scoped(restartOver(start, rounds, say)))
  if (Exit.isFailure(exit)) {
    console.error(Cause.pretty(exit.cause))
    return 1
  }
  const { removals, atTheEnd, logs, rounds: gone } = exit.value
  const isSeen = atTheEnd.length > 0 && !logs.bfd.includes("detection-time-expired")
  const outcome =
    removals.length === 0 && isSeen ? "no route left the router" : `${removals.length} routes left the router`
  const minutes = ((performance.now() - began) / 60_000).toFixed(0)
  console.log(
    `| restarts, ${router} | ${new Date().toISOString().slice(0, 10)} | ${gone} | ${minutes} min | ${outcome} |`
  )
  if (removals.length === 0 && isSeen) return 0
  for (const [name, log] of Object.entries(logs)) console.log(`---- ${name}\n${log.slice(-60_000)}`)
  return 1
}
