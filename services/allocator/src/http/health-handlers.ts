import { LowtideApi } from "@lowtide/api/api"
import { NotReadyProblem } from "@lowtide/api/problems"
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Centre, type CentreHealth } from "../centre.ts"

/** `healthz`: the process answers. `readyz`: it leads or follows the log, and its database is up; NATS away is told, and no reason to go elsewhere. */
export const HealthHandlers = HttpApiBuilder.group(
  LowtideApi,
  "health",
  Effect.fn(function* (handlers) {
    const centre = yield* Centre
    return handlers.handleAll({
      healthz: () => Effect.succeed("ok\n"),
      readyz: Effect.fnUntraced(function* () {
        const health = yield* centre.health
        const reasons = whyNotReady(health)
        if (reasons.length === 0) return health
        return yield* new NotReadyProblem({ detail: reasons.join("; "), reasons })
      })
    })
  })
)

/** Why requests should not be sent to this allocator; empty when they may be. */
export const whyNotReady = ({ role, database, unreadable }: CentreHealth): ReadonlyArray<string> => [
  ...(unreadable === null ? [] : [unreadable]),
  ...(role === "waiting" && unreadable === null ? ["the log is not read yet"] : []),
  ...(database === "up" ? [] : ["the database does not answer"])
]
