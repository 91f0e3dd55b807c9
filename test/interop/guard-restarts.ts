import { type LabProcess, waitUntil } from "@lowtide/testkit/lab/index"
import { Effect } from "effect"
import { beginGuarded, patience, untilAllThere } from "./guard-begin.ts"
import type { GuardedRouter, Removal, StartGuarded } from "./guard-lab.ts"

/** What came of ending a speaker over and over. */
export interface Restarts {
  /** Rounds that were gone through; fewer than wanted where the router removed something. */
  readonly rounds: number
  /** What the router removed, by its own log, while speakers came and went. */
  readonly removals: ReadonlyArray<Removal>
  /** What it removed once the last speaker had left for good: that its log says what is removed at all. */
  readonly atTheEnd: ReadonlyArray<Removal>
  /** The logs of both, for a failure. */
  readonly logs: { readonly router: string; readonly speaker: string; readonly bfd: string }
}

/** Ends the speaker so many times, by SIGKILL and as an upgrade does by turns, and starts it again each time. */
export const restartOver = Effect.fnUntraced(function* (
  start: StartGuarded,
  rounds: number,
  say: (round: number) => void = () => undefined
) {
  const { router, node, bfd, speaker: first } = yield* beginGuarded(start, { keepsRoutes: true })
  let speaker = first
  let round = 0
  for (; round < rounds && (yield* router.removals).length === 0; round++) {
    yield* round % 2 === 0 ? speaker.kill : speaker.stop
    speaker = yield* andTold(node.startSpeaker, { router, hasTold: node.hasTold })
    say(round + 1)
  }
  yield* untilAllThere(router)
  const removals = yield* router.removals
  yield* speaker.kill
  const last = yield* andTold(node.startLast, { router, hasTold: node.hasTold })
  yield* last.stop
  yield* waitUntil(
    "the router has let everything go",
    Effect.map(router.removals, (all) => all.length > removals.length),
    patience
  )
  const result: Restarts = {
    rounds: round,
    removals,
    atTheEnd: (yield* router.removals).slice(removals.length),
    logs: { router: yield* router.log, speaker: yield* last.log, bfd: yield* bfd.log }
  }
  return result
})

/**
 * Starts the next speaker, and waits until it has told its table: of one that is gone before that, routers drop what they kept
 * from the one before it (RFC 4724 §4.2, consecutive restarts). That their TCP has it is not enough for each of them.
 */
const andTold = Effect.fnUntraced(function* <E, R>(
  start: Effect.Effect<LabProcess, E, R>,
  { router, hasTold }: { readonly router: GuardedRouter; readonly hasTold: Effect.Effect<boolean> }
) {
  const { endsOfRib } = router
  const before = endsOfRib === undefined ? 0 : yield* endsOfRib
  const next = yield* start
  yield* waitUntil("the next speaker has told its routes", hasTold, patience)
  if (endsOfRib !== undefined) {
    const hasRead = Effect.map(endsOfRib, (count) => count >= before + 2) // of each IP version
    yield* waitUntil("the router has read all of them", hasRead, patience)
  }
  return next
})
