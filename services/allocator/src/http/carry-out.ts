import { UnavailableProblem } from "@lowtide/api/problems"
import { Clock, Effect } from "effect"
import { Centre, type Order } from "../centre.ts"
import { problemOf } from "./refused.ts"

/** How long an order waits for an allocator that has just come to lead, or loads its state again, milliseconds. */
const waitMs = 5_000

/** How often it is tried meanwhile; its id makes sure that it is carried out once. */
const tryEveryMs = 100

/** Has an order carried out; the places of its events, or the problem that it met. */
export const carryOut = Effect.fnUntraced(function* (order: Order) {
  const centre = yield* Centre
  const deadlineMs = (yield* Clock.currentTimeMillis) + waitMs
  for (;;) {
    const reply = yield* centre.order(order)
    if (reply._tag === "Done") return reply
    if (reply._tag === "Refused") return yield* problemOf(reply)
    if ((yield* Clock.currentTimeMillis) >= deadlineMs) {
      return yield* new UnavailableProblem({ detail: reply.message, code: codeOf(reply.message) })
    }
    yield* Effect.sleep(tryEveryMs)
  }
})

/** What has a code says it first; without one the database is what is waited for. */
const codeOf = (message: string): string => /^LT\d{4}/.exec(message)?.[0] ?? "LT0501"
