/** Runs simulated histories of a fleet with faults, and replays one that failed. See `--help`. */
import { parseArgs } from "node:util"
import { freshSeed, runHistories } from "../test/sim/histories.ts"
import { HistoryFailed } from "../test/sim/simulation.ts"

const help = `Runs histories of two clusters, two allocators, four nodes and their routers in which everything goes wrong that can,
and checks the laws after each step.

  npm run sim                       a hundred histories from a fresh seed, which is printed
  npm run sim -- --seed N           from seed N on; a failure names its own, and --seed N --count 1 replays it
      --count N                     how many (100)
      --steps N                     of each (300)
      --losses                      in each of them the database goes back to an earlier copy as well, and recovers;
                                    otherwise in those whose seed three divides

Exits 1 at the first history that breaks a law or does not settle, with what led to it.
`

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    count: { type: "string", default: "100" },
    steps: { type: "string", default: "300" },
    losses: { type: "boolean", default: false },
    help: { type: "boolean", default: false }
  }
})

if (values.help) process.stdout.write(help)
else {
  const seed = wholeNumber("--seed", values.seed ?? String(freshSeed()))
  const count = wholeNumber("--count", values.count)
  const steps = wholeNumber("--steps", values.steps)
  if (seed === undefined || count === undefined || steps === undefined) process.exitCode = 2
  else {
    console.log(`${count} histories of ${steps} steps from seed ${seed} on`)
    try {
      const sum = await runHistories({
        seed,
        steps,
        ...(values.losses ? { losesHistory: true } : {}),
        isEnough: ({ histories }) => histories >= count
      })
      console.log(
        `${sum.histories} histories, ${sum.commands} commands, ${sum.events} events, ${sum.faults} faults: no law broken`
      )
    } catch (cause) {
      if (!(cause instanceof HistoryFailed)) throw cause
      console.log(cause.message)
      console.log(
        `again: npm run sim -- --seed ${cause.seed} --count 1 --steps ${steps}${values.losses ? " --losses" : ""}`
      )
      process.exitCode = 1
    }
  }
}

function wholeNumber(flag: string, text: string): number | undefined {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  console.error(`${flag}: expected a whole number, found ${text}`)
  return undefined
}
