import type { DiffAnswer, diffQuery } from "@lowtide/api/diff"
import { diffLimitMax } from "@lowtide/api/parameters"
import { InvalidQueryProblem, NotFoundProblem } from "@lowtide/api/problems"
import { Effect, type Schema } from "effect"
import { Centre } from "../centre.ts"
import { orUnavailable } from "./asking.ts"
import { type Moment, momentOf, Past } from "./past.ts"
import { refuseUnknown } from "./unknown-names.ts"
import { unknownCluster } from "./views/clusters.ts"
import { isWanted } from "./views/diff.ts"
import { readingOf } from "./views/reading.ts"

/** What may be asked of two times. */
export type DiffQuery = Schema.Struct<typeof diffQuery>["Type"]

/** What was added, removed, moved and changed between two times. */
export const askDiff = Effect.fnUntraced(function* (query: DiffQuery) {
  const centre = yield* Centre
  const { reading, fault } = yield* orUnavailable(
    centre.read((view) => ({ reading: readingOf(view), fault: unknownCluster(view, query.cluster) }))
  )
  if (fault !== undefined) return yield* new NotFoundProblem({ detail: `cluster: ${fault}` })
  const cursor = query.after?.split("-").map(Number) ?? []
  const [fromPosition, toPosition, offset = 0] = cursor
  const from = yield* momentOf(query.from, "from")
  const now: Moment = { position: reading.position, recordedAt: reading.asOf, at: reading.asOf, isSeq: true }
  // A page goes on at the place that the first one was of, whatever was committed since.
  const to =
    toPosition !== undefined
      ? yield* momentOf(String(toPosition), "after")
      : query.to === undefined
        ? now
        : yield* momentOf(query.to, "to")
  if (fromPosition !== undefined && fromPosition !== from.position) {
    const detail = `after: expected \`next\` of a page from event ${from.position}, found one from event ${fromPosition}`
    return yield* new InvalidQueryProblem({ field: "after", detail })
  }
  if (from.position > to.position) {
    const detail = `from: expected a place of the log before event ${to.position} (${to.at}), found event ${from.position} (${from.at})`
    return yield* new InvalidQueryProblem({ field: "from", detail })
  }
  const all = (yield* (yield* Past).itemsBetween(from.position, to.position)).filter(isWanted(query))
  if (all.length === 0) yield* refuseUnknown(query)
  const end = offset + (query.limit ?? diffLimitMax)
  const answer: DiffAnswer = {
    position: to.position,
    asOf: to.recordedAt,
    from: { position: from.position, time: from.at },
    to: { position: to.position, time: to.at },
    items: all.slice(offset, end),
    next: end < all.length ? `${from.position}-${to.position}-${end}` : null
  }
  return answer
})
