import { randomUUID } from "node:crypto"
import { Caller } from "@lowtide/api/access"
import { LowtideApi } from "@lowtide/api/api"
import { canonicalIp } from "@lowtide/api/parameters"
import { NotFoundProblem } from "@lowtide/api/problems"
import type { RecoveryAnswer } from "@lowtide/api/recovery"
import type { Command } from "@lowtide/domain"
import type { Ledger } from "@lowtide/ledger"
import { Effect, Option } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { fleetAdmin, forbids } from "../access/permit.ts"
import { Centre } from "../centre.ts"
import { reservedVips } from "../recovery.ts"
import { orUnavailable } from "./asking.ts"
import { carryOut } from "./carry-out.ts"
import { refuseUnlessLeader } from "./currency.ts"
import { askFleetVersion } from "./fleet-version-query.ts"
import { askLedger } from "./ledger-query.ts"
import { forbiddenProblem } from "./refused.ts"
import { archiveSegment, dropSegment, readSegment, restoredSegment } from "./segment-orders.ts"
import { allocatorItems } from "./views/allocators.ts"
import { readingOf } from "./views/reading.ts"

/** What the allocators say of themselves. */
export const CentreHandlers = HttpApiBuilder.group(
  LowtideApi,
  "centre",
  Effect.fn(function* (handlers) {
    const centre = yield* Centre
    const services = yield* Effect.context<Centre | Ledger>()
    const asked = Effect.provideContext(services)
    return handlers.handleAll({
      allocators: Effect.fnUntraced(function* () {
        const known = yield* centre.allocators
        const reading = yield* orUnavailable(centre.read(readingOf))
        return { ...reading, items: allocatorItems(known, reading.position) }
      }),
      fleetVersion: () => Effect.andThen(refuseUnlessLeader(centre), asked(askFleetVersion)),
      ledger: () => asked(askLedger),
      readSegment: ({ params }) => asked(readSegment(params.fromSeq)),
      archiveSegment: ({ params, payload }) => asked(archiveSegment(params.fromSeq, payload)),
      dropSegment: ({ params, payload }) => asked(dropSegment(params.fromSeq, payload.reason)),
      restoreSegment: ({ params, payload }) => asked(restoredSegment(params.fromSeq, payload.reason)),
      // A follower hears neither who is waited for nor that it goes on: its null would say that nothing was lost.
      recovery: () => Effect.andThen(refuseUnlessLeader(centre), standing(centre)),
      beginRecovery: Effect.fnUntraced(function* ({ payload }) {
        const caller = yield* Caller
        const forbidden = forbids(caller, [fleetAdmin])
        if (forbidden !== undefined) return yield* forbiddenProblem(forbidden)
        const before = yield* standing(centre)
        yield* orUnavailable(centre.orderRecovery(`ordered by ${caller.actor}: ${payload.reason}`))
        return yield* begun(centre, before)
      }),
      finishRecovery: Effect.fnUntraced(function* ({ payload }) {
        const { recovery } = yield* centre.health
        if (recovery === null || (recovery.phase === "recovered" && recovery.frozen.length === 0)) {
          return yield* new NotFoundProblem({ detail: "recovery: expected one under way, found none" })
        }
        yield* asked(order(payload, { _tag: "FinishRecovery", without: recovery.waitingFor }))
        return yield* standing(centre)
      }),
      releaseReserved: Effect.fnUntraced(function* ({ params, payload }) {
        const address = canonicalIp(params.address)
        const { reserved } = yield* standing(centre)
        if (!reserved.some((found) => found.address === address && found.network === payload.network)) {
          return yield* new NotFoundProblem({
            detail: `address: expected one that a recovery has reserved, found ${address} of network ${payload.network}`
          })
        }
        yield* asked(order(payload, { _tag: "ReleaseAdopted", network: payload.network, address }))
        return yield* standing(centre)
      })
    })
  })
)

/** How long who ordered a recovery waits for it to begin: the leader loads its state again meanwhile. */
const beginWaitMs = 8_000

const beginLookMs = 100

/**
 * How a recovery stands that was ordered, from how it stood before. That it is not begun yet is not said as a failure, or people
 * would order another: the order was taken.
 */
export const begun = (centre: Centre["Service"], before: RecoveryAnswer): Effect.Effect<RecoveryAnswer> =>
  Effect.gen(function* () {
    for (;;) {
      const seen = yield* Effect.option(standing(centre))
      if (Option.isSome(seen) && seen.value.recovery !== null) {
        if (seen.value.recovery.incarnation !== before.recovery?.incarnation) return seen.value
      }
      yield* Effect.sleep(beginLookMs)
    }
  }).pipe(Effect.timeoutOrElse({ duration: beginWaitMs, orElse: () => Effect.succeed(orderedFrom(before)) }))

const orderedFrom = (before: RecoveryAnswer): RecoveryAnswer => ({
  ...before,
  recovery: null,
  sentence:
    "The recovery is ordered and not begun yet: `lowtide recover` says how it stands; there is no need to order another."
})

const standing = Effect.fnUntraced(function* (centre: Centre["Service"]) {
  const { recovery } = yield* centre.health
  const seen = yield* orUnavailable(
    centre.read((view) => ({
      ...readingOf(view),
      reserved: reservedVips(view).map(({ network, address, cluster, holders }) => ({
        network,
        address,
        cluster,
        services: holders.map(({ namespace, name }) => `${namespace}/${name}`)
      }))
    }))
  )
  return { ...seen, recovery }
})

const order = Effect.fnUntraced(function* ({ reason }: { readonly reason: string }, command: Command) {
  yield* carryOut({ commandId: randomUUID(), caller: yield* Caller, words: reason, command })
})
