import { LowtideApi } from "@lowtide/api/api"
import { canonicalIp } from "@lowtide/api/parameters"
import { NotFoundProblem, UnavailableProblem } from "@lowtide/api/problems"
import type { Command } from "@lowtide/domain"
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Centre } from "../centre.ts"
import { reservedVips } from "../recovery.ts"
import { orUnavailable } from "./asking.ts"
import { allocatorItems } from "./views/allocators.ts"
import { readingOf } from "./views/reading.ts"

/** What the allocators say of themselves. */
export const CentreHandlers = HttpApiBuilder.group(
  LowtideApi,
  "centre",
  Effect.fn(function* (handlers) {
    const centre = yield* Centre
    return handlers.handleAll({
      allocators: Effect.fnUntraced(function* () {
        const known = yield* centre.allocators
        const reading = yield* orUnavailable(centre.read(readingOf))
        return { ...reading, items: allocatorItems(known, reading.position) }
      }),
      recovery: () => standing(centre),
      beginRecovery: Effect.fnUntraced(function* ({ payload }) {
        yield* orUnavailable(centre.orderRecovery(`ordered by ${actorOf(payload)}: ${payload.reason}`))
        return yield* standing(centre)
      }),
      finishRecovery: Effect.fnUntraced(function* ({ payload }) {
        const { recovery } = yield* centre.health
        if (recovery === null || (recovery.phase === "recovered" && recovery.frozen.length === 0)) {
          return yield* new NotFoundProblem({ detail: "recovery: expected one under way, found none" })
        }
        yield* order(centre, payload, { _tag: "FinishRecovery", without: recovery.waitingFor })
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
        yield* order(centre, payload, { _tag: "ReleaseAdopted", network: payload.network, address })
        return yield* standing(centre)
      })
    })
  })
)

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

/** Callers are not asked who they are: the name is what they say. */
const actorOf = ({ user }: { readonly user: string }): string => `local:${user}`

const order = Effect.fnUntraced(function* (
  centre: Centre["Service"],
  payload: { readonly user: string; readonly reason: string },
  command: Command
) {
  const reply = yield* orUnavailable(centre.order(actorOf(payload), payload.reason, command))
  if (reply._tag !== "Done") return yield* new UnavailableProblem({ detail: reply.message, code: "LT0520" })
})
