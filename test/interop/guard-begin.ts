import { type LabError, waitUntil } from "@lowtide/testkit/lab/index"
import { Effect } from "effect"
import { announced, type GuardedRouter, type GuardPlan, makeGuardLab, type StartGuarded } from "./guard-lab.ts"
import { makeGuardedNode } from "./guard-node.ts"

/** What takes a second, or a hold time of 9 s, on a machine with nothing else to do; far below the longest hold time here. */
export const patience = { deadlineMs: 45_000, intervalMs: 50 } as const

/** A hold time that nothing here waits for: what ends a session before is BFD. */
export const longHoldSeconds = 240

export const until = (what: string, isSo: Effect.Effect<boolean, LabError>) => waitUntil(what, isSo, patience)

export const untilAllThere = (router: GuardedRouter) =>
  until(
    "the router has every route",
    Effect.map(router.prefixes, (found) => announced.every((prefix) => found.includes(prefix)))
  )

export const untilBfd = (router: GuardedRouter, ...states: ReadonlyArray<string>) =>
  until(
    `the router's BFD session is ${states.join(" or ")}`,
    Effect.map(router.bfd, (state) => states.includes(state ?? "none"))
  )

/** Node and router with each other, up and with every route. */
export const beginGuarded = Effect.fnUntraced(function* (start: StartGuarded, change: Partial<GuardPlan>) {
  const plan: GuardPlan = {
    way: "one hop, IPv4",
    hasBfd: true,
    holdTimeSeconds: longHoldSeconds,
    keepsRoutes: false,
    ...change
  }
  const lab = yield* makeGuardLab(plan.way)
  const router = yield* start(lab, plan)
  const node = yield* makeGuardedNode(lab, plan)
  const bfd = yield* node.startBfd
  const speaker = yield* node.startSpeaker
  yield* untilAllThere(router)
  if (plan.hasBfd) yield* untilBfd(router, "up")
  return { plan, lab, router, node, bfd, speaker }
})
