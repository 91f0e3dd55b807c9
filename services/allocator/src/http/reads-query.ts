import type { AuditReadPage, auditReadsQuery } from "@lowtide/api/audit"
import { historyLimitDefault } from "@lowtide/api/parameters"
import { Ledger } from "@lowtide/ledger"
import { Effect, type Schema } from "effect"
import { Centre } from "../centre.ts"
import { orUnavailable } from "./asking.ts"
import { momentUnchecked } from "./past.ts"
import { readingOf } from "./views/reading.ts"

/** Which of them are asked for. */
export type AuditReadsQuery = Schema.Struct<typeof auditReadsQuery>["Type"]

/** One page of who asked what of the record, the newest last. */
export const askReads = Effect.fnUntraced(function* (query: AuditReadsQuery) {
  const ledger = yield* Ledger
  const reading = yield* orUnavailable((yield* Centre).read(readingOf))
  const { actor, before, limit = historyLimitDefault } = query
  const since = query.since === undefined ? undefined : (yield* momentUnchecked(query.since, "since")).at
  const ends = [
    ...(query.until === undefined ? [] : [(yield* momentUnchecked(query.until, "until")).at]),
    ...(query.at === undefined ? [] : [(yield* momentUnchecked(query.at, "at")).at])
  ]
  const until = ends.sort()[0]
  const found = yield* orUnavailable(ledger.auditReads({ actor, since, until, before, limit: limit + 1 }))
  const kept = found.slice(0, limit)
  const answer: AuditReadPage = {
    ...reading,
    items: kept
      .map(({ id, readAt: time, actor, isAuthenticated, question, position }) => ({
        ...{ id, time, actor, unauthenticated: !isAuthenticated, question, position }
      }))
      .reverse(),
    next: found.length > limit ? (kept.at(-1)?.id ?? null) : null
  }
  return answer
})
