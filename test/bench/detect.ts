/**
 * `detect [ROUNDS]`, 5 unless given: how soon a router has dropped a node's routes when the path between them is cut and no interface
 * shows it. With BFD at 300 ms x 3, over one hop and several and with both families, so many times each, and once by a hold time of
 * 9 s alone, which is the baseline. When a route went is read from the router's own log. Needs root, for network namespaces.
 */
import { Effect } from "effect"
import { beginGuarded, until, untilAllThere, untilBfd } from "../interop/guard-begin.ts"
import { announced, type StartGuarded, type Way, ways } from "../interop/guard-lab.ts"
import { startGuardedBird, startGuardedFrr } from "../interop/guard-routers.ts"
import { argument, figuresOf, median, runBenchmark } from "./kit/figures.ts"

const rounds = argument(0, 5)
const holdTimeSeconds = 9
const print = figuresOf("detect")
const routers: Readonly<Record<string, StartGuarded>> = { BIRD: startGuardedBird, FRR: startGuardedFrr }

type Guarded = Effect.Success<ReturnType<typeof beginGuarded>>

/** Cuts the path, and answers the milliseconds until the last route went. */
const cut = ({ lab, router }: Guarded) =>
  Effect.gen(function* () {
    const cutAtUnixMs = Date.now()
    yield* lab.setPath("cut")
    const since = Effect.map(router.removals, (removals) => removals.filter(({ atUnixMs }) => atUnixMs >= cutAtUnixMs))
    yield* until(
      "the router has dropped every route",
      Effect.map(since, (removals) => removals.length >= announced.length)
    )
    const lastUnixMs = Math.max(...(yield* since).map(({ atUnixMs }) => atUnixMs))
    yield* lab.setPath("whole")
    return lastUnixMs - cutAtUnixMs
  })

/** The median of all cuts over one way, milliseconds. */
const detect = (start: StartGuarded, way: Way) =>
  Effect.gen(function* () {
    const guarded = yield* beginGuarded(start, { way })
    const tookMs: Array<number> = []
    for (let round = 0; round < rounds; round++) {
      tookMs.push(yield* cut(guarded))
      yield* untilAllThere(guarded.router)
      yield* untilBfd(guarded.router, "up")
    }
    return { median: median(tookMs), most: Math.max(...tookMs) }
  }).pipe(Effect.scoped)

const main = Effect.gen(function* () {
  for (const [name, start] of Object.entries(routers)) {
    const byHoldMs = yield* Effect.scoped(
      Effect.flatMap(beginGuarded(start, { hasBfd: false, holdTimeSeconds }), (guarded) => cut(guarded))
    )
    const baseline = { unit: "ms", baseline: byHoldMs, baselineName: `a hold time of ${holdTimeSeconds} s alone` }
    for (const way of Object.keys(ways) as ReadonlyArray<Way>) {
      const took = yield* detect(start, way)
      print({ figure: `${name}, ${way}: a cut until the routes are gone`, value: took.median, ...baseline })
      print({ figure: `${name}, ${way}: the latest of ${rounds}`, value: took.most, ...baseline })
    }
  }
})

await runBenchmark(main)
