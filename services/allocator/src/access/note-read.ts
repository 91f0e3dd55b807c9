import type { Caller } from "@lowtide/api/access"
import { AuditGroup } from "@lowtide/api/api"
import { unstorableIn } from "@lowtide/domain/config/storable"
import { Ledger } from "@lowtide/ledger"
import { Clock, Effect, Metric } from "effect"
import { HttpServerRequest } from "effect/http"
import type { HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import { Centre } from "../centre.ts"
import { ReadsOfAnHour, rowsAnHour } from "./reads-of-an-hour.ts"

/** The same question of the same caller is written once in so long: a screen asks each few seconds. */
const repeatedWithinMs = 60_000

/** Questions that are remembered as written. */
const rememberedMax = 10_000

/** Of a question, what a row has room for. */
const lengthMax = 2_000

const unwritten = Metric.counter("lowtide_audit_reads_unwritten_total", {
  description:
    "Questions asked of the record that were answered and have no row: the database took none, or their actor asked too many",
  incremental: true
})

/** What the router found for a request. */
interface Route {
  readonly endpoint: HttpApiEndpoint.Top
  readonly group: HttpApiGroup.Top
}

/**
 * Whether a request asks something of the record: what happened, why, who held what, or how anything was at some time. The
 * router tells, since one endpoint has many spellings: it decodes paths, and asks for neither case nor single slashes. What
 * the endpoints that are no GET tell is an event.
 */
const isAuditQuestion = ({ endpoint, group }: Route) =>
  Effect.map(
    HttpServerRequest.ParsedSearchParams,
    (query) => endpoint.method === "GET" && (group.identifier === AuditGroup.identifier || query.at !== undefined)
  )

/**
 * Writes down that somebody was told something of the record (docs/adr/0041). What the database does not take is counted
 * and logged: nobody is left without an answer for it. Of who asks very much it is written down how much.
 */
export const makeNoteRead = Effect.gen(function* () {
  const ledger = yield* Ledger
  const centre = yield* Centre
  yield* Metric.update(unwritten, 0)
  const written = new Map<string, number>()
  const hours = new ReadsOfAnHour()
  return Effect.fnUntraced(function* ({ actor, isAuthenticated }: Caller["Service"], route: Route) {
    if (!(yield* isAuditQuestion(route))) return
    const { url } = yield* HttpServerRequest.HttpServerRequest
    const question = readable(url).slice(0, lengthMax)
    const key = `${actor} ${withinMinute(question)}`
    const nowMs = yield* Clock.currentTimeMillis
    if (nowMs - (written.get(key) ?? Number.NEGATIVE_INFINITY) < repeatedWithinMs) return
    const remember = () => {
      if (written.size >= rememberedMax) written.clear()
      written.set(key, nowMs)
      return Effect.void
    }
    const who = isAuthenticated ? actor : "all who are unauthenticated" // they call themselves what they like
    const beyond = hours.ask(who, nowMs)
    if (beyond === undefined) return yield* Effect.andThen(Metric.update(unwritten, 1), remember)
    const many = beyond === 0 ? "" : ` (number ${rowsAnHour + beyond} of ${who} within an hour: not each has a row)`
    const position = (yield* centre.position) ?? 0
    yield* ledger.recordRead({ actor, isAuthenticated, question: `${question}${many}`, position }).pipe(
      Effect.andThen(remember),
      Effect.tapError(() => Effect.sync(() => hours.takeBack(who))),
      Effect.catch(({ message }) =>
        Effect.andThen(
          Metric.update(unwritten, 1),
          Effect.logWarning(`that ${actor} asked ${question} is not written down: ${message}`)
        )
      )
    )
  })
})

/** The same for all times of one minute: who asks again and again how it is now, by `at`, asks one question. */
const withinMinute = (question: string): string => question.replace(/([?&]at=\d{4}-\d\d-\d\dT\d\d:\d\d)[^&]*/i, "$1")

/** As people write it, where that is text that the database stores. */
const readable = (url: string): string => {
  try {
    const text = decodeURIComponent(url)
    return unstorableIn(text) === undefined ? text : url
  } catch {
    return url
  }
}
