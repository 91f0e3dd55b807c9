import { Currency, minSeqWaitMs } from "@lowtide/api/currency"
import { BehindProblem, InvalidQueryProblem, NotLeaderProblem } from "@lowtide/api/problems"
import { Clock, Effect, Layer } from "effect"
import { HttpServerRequest } from "effect/http"
import { Centre } from "../centre.ts"

/** How often a position that is waited for is looked at. */
const lookEveryMs = 20

/** Holds every request of the API to how current its answer has to be; `Currency` says what a request may ask. */
export const CurrencyLive: Layer.Layer<Currency, never, Centre> = Layer.effect(
  Currency,
  Effect.gen(function* () {
    const centre = yield* Centre
    return (answer) =>
      Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        const query = new URL(request.url, "http://localhost").searchParams
        const isRead = request.method === "GET" || request.method === "HEAD"
        if (!isRead || (yield* wantsLeader(query.get("read")))) yield* refuseUnlessLeader(centre)
        const minSeq = query.get("min_seq")
        if (minSeq !== null) yield* awaitPosition(centre, yield* readMinSeq(minSeq))
        return yield* answer
      })
  })
)

const wantsLeader = Effect.fnUntraced(function* (read: string | null) {
  if (read === null || read === "any") return false
  if (read === "leader") return true
  const detail = `read: expected any or leader, found ${JSON.stringify(read)}`
  return yield* new InvalidQueryProblem({ field: "read", detail })
})

const readMinSeq = Effect.fnUntraced(function* (text: string) {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  const detail = `min_seq: expected a position, a whole number, found ${JSON.stringify(text)}`
  return yield* new InvalidQueryProblem({ field: "min_seq", detail })
})

/** Sends whoever needs the leader to it. */
export const refuseUnlessLeader = Effect.fnUntraced(function* (centre: Centre["Service"]) {
  const { role, leader } = yield* centre.health
  if (role === "leader") return
  const whom = leader === null ? "nobody is known to lead now; ask again" : `${leader.name} leads`
  const where = leader?.url == null ? "" : `, at ${leader.url}`
  return yield* new NotLeaderProblem({ detail: `this allocator does not lead: ${whom}${where}`, leader })
})

const awaitPosition = Effect.fnUntraced(function* (centre: Centre["Service"], minSeq: number) {
  const deadlineMs = (yield* Clock.currentTimeMillis) + minSeqWaitMs
  for (;;) {
    const position = (yield* centre.position) ?? 0
    if (position >= minSeq) return
    if ((yield* Clock.currentTimeMillis) >= deadlineMs) {
      const detail = `min_seq: expected event ${minSeq} to be read within ${minSeqWaitMs} ms, found position ${position}`
      return yield* new BehindProblem({ detail, position })
    }
    yield* Effect.sleep(lookEveryMs)
  }
})
