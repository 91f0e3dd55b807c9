/**
 * `total-loss [VIPS]`, 1,000 unless given: database and NATS lose everything while two nodes announce so many VIPs. How long it takes
 * from the start of the next allocator until all is taken over and published anew. Allocator, agent, speakers, PostgreSQL,
 * nats-server and BIRD are processes of their own. The baseline is how long the same took to be given and announced the first time.
 */
import { Effect } from "effect"
import { loseAll, startFleet, untilOver } from "../e2e/loopback-fleet.ts"
import { argument, figuresOf, runBenchmark, timed } from "./kit/figures.ts"

const count = argument(0, 1_000)
const print = figuresOf("total-loss")

await runBenchmark(
  Effect.gen(function* () {
    const startMs = performance.now()
    const fleet = yield* startFleet(count, "198.18.0.0/16")
    const baseline = performance.now() - startMs
    process.stderr.write(`${count} VIPs are announced\n`)
    yield* loseAll(fleet)
    const value = yield* timed(untilOver(fleet, 2))
    yield* fleet.hasRoutes(count)
    print({
      figure: `published anew, ${count} VIPs`,
      value,
      unit: "ms",
      baseline,
      baselineName: "the processes start, and all is given and announced"
    })
  })
)
