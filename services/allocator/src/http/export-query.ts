import { randomUUID } from "node:crypto"
import { Caller } from "@lowtide/api/access"
import type { ExportQuery } from "@lowtide/api/audit"
import { addressFilter } from "@lowtide/api/parameters"
import { InvalidQueryProblem, NotFoundProblem, UnavailableProblem } from "@lowtide/api/problems"
import type { RecordExport } from "@lowtide/domain"
import { type EventSelection, Ledger, treeSource, Unavailable } from "@lowtide/ledger"
import { csvArchivedLine, csvHeader, csvLine, toEventRecord } from "@lowtide/ledger/proofs/event-record"
import { rangeProof } from "@lowtide/ledger/proofs/merkle"
import { type ArchivedLine, archivedKind } from "@lowtide/ledger/proofs/segment"
import { wireRecordKeys } from "@lowtide/ledger/proofs/wire-seal"
import { Effect, Option, Stream } from "effect"
import { Centre } from "../centre.ts"
import { archivedEvents } from "./archived.ts"
import { orUnavailable } from "./asking.ts"
import { spanOf } from "./history-query.ts"
import { refuseUnindexed, refuseUnknown } from "./unknown-names.ts"
import { unknownCluster, unknownNetwork } from "./views/clusters.ts"

/** Events, or rows, that are in memory at once. */
const pageMax = 500

/**
 * What the query keeps of the ledger, or of the wire journal, the oldest first, a page at a time. That somebody reads it is
 * committed before the first line is handed out.
 */
export const beginExport = Effect.fnUntraced(function* (query: ExportQuery) {
  yield* refuseIncomplete(query)
  const { fault, networkFault } = yield* orUnavailable(
    (yield* Centre).read((view) => ({
      fault: unknownCluster(view, query.cluster),
      networkFault: unknownNetwork(view, query.network)
    }))
  )
  if (fault !== undefined) return yield* new NotFoundProblem({ detail: `cluster: ${fault}` })
  if (networkFault !== undefined) return yield* new NotFoundProblem({ detail: `network: ${networkFault}` })
  return query.journal === "wire" ? yield* exportWire(query) : yield* exportEvents(query)
})

const wireFilters: ReadonlySet<string> = new Set(["journal", "format", "after", "address", "network", "cluster"])

const refuseIncomplete = (query: ExportQuery): Effect.Effect<void, InvalidQueryProblem> => {
  const refuse = (field: string, detail: string) =>
    Effect.fail(new InvalidQueryProblem({ field, detail: `${field}: ${detail}` }))
  if (query.service !== undefined && query.namespace === undefined) {
    return refuse("namespace", "expected it beside service, found nothing")
  }
  const odd = query.journal === undefined ? undefined : Object.keys(query).find((name) => !wireFilters.has(name))
  if (odd !== undefined)
    return refuse(odd, "expected none of it with the wire journal, which knows addresses and clusters")
  if (query.journal !== undefined && query.format === "csv")
    return refuse("format", "expected ndjson, in which alone the wire journal is exported, found csv")
  return Effect.void
}

const exportEvents = Effect.fnUntraced(function* (query: ExportQuery) {
  const ledger = yield* Ledger
  const centre = yield* Centre
  const format = query.format ?? "ndjson"
  const headSeq = yield* orUnavailable(centre.read(({ head }) => head.seq))
  const selection = yield* selectionOf(query, headSeq)
  yield* refuseUnindexed(query)
  const count = yield* orUnavailable(ledger.countEvents(selection))
  if (count === 0) yield* refuseUnknown(query)
  const { format: _, after, ...filter } = query
  const { sinceSeq, untilSeq } = selection
  const ownSeq = yield* record({ filter, format, sinceSeq, untilSeq, count })
  // A whole export ends with the event that tells of it, which dates it for who verifies it.
  const isWhole = Object.keys(filter).length === 0 && after === undefined
  const read = isWhole ? { ...selection, untilSeq: ownSeq } : selection
  const whileKnown = yield* whileCallerIsKnown
  const events = pages(
    sinceSeq,
    (from) => whileKnown(ledger.events({ ...read, sinceSeq: from, limit: pageMax, order: "asc" })),
    ({ seq }) => seq + 1
  )
  const beginning = yield* beginningOf(sinceSeq, untilSeq)
  return format === "csv"
    ? Stream.make(csvHeader, ...beginning.map(({ untilSeq }) => csvArchivedLine(untilSeq))).pipe(
        Stream.concat(Stream.map(events, csvLine)),
        Stream.encodeText
      )
    : Stream.fromIterable<unknown>(beginning).pipe(
        Stream.concat(Stream.map(events, toEventRecord)),
        Stream.map(jsonLine),
        Stream.encodeText
      )
})

/** What is said before the events when some of those that are asked for are in archives alone. */
const beginningOf = Effect.fnUntraced(function* (sinceSeq: number, untilSeq: number) {
  const archived = yield* archivedEvents
  if (archived === undefined || sinceSeq > archived.untilSeq || untilSeq < sinceSeq) return []
  const { untilSeq: end } = archived
  const { left } = yield* orUnavailable(
    rangeProof(treeSource(yield* Ledger), { start: end, end, size: end }).pipe(
      Effect.catchTag("TreeDamaged", ({ message }) =>
        Effect.fail(new UnavailableProblem({ detail: message, code: "LT0530" }))
      )
    )
  )
  const line: ArchivedLine = {
    kind: archivedKind,
    untilSeq: end,
    left: left.map((hash) => Buffer.from(hash).toString("hex"))
  }
  return [line]
})

const exportWire = Effect.fnUntraced(function* (query: ExportQuery) {
  const ledger = yield* Ledger
  const { format: _, after = 0, address, ...filter } = query
  const kept = {
    cluster: query.cluster,
    network: query.network,
    ...(address === undefined ? {} : addressFilter(address))
  }
  const [last] = yield* orUnavailable(ledger.wire({ ...kept, limit: 1, order: "desc" }))
  const untilId = last?.id ?? after
  const said = address === undefined ? filter : { ...filter, address }
  yield* record({ filter: said, format: "ndjson", sinceSeq: after + 1, untilSeq: untilId, count: null })
  const whileKnown = yield* whileCallerIsKnown
  return pages(
    after,
    (sinceId) => whileKnown(ledger.wire({ ...kept, sinceId, limit: pageMax, order: "asc" })),
    ({ id }) => id
  ).pipe(
    Stream.takeWhile(({ id }) => id <= untilId),
    Stream.map((row) => jsonLine(Object.fromEntries(wireRecordKeys.map((key) => [key, row[key]])))),
    Stream.encodeText
  )
})

/**
 * Reads as long as the caller's credential is good. An export may take hours: one whose token is taken away ends in the
 * middle, without its last line.
 */
const whileCallerIsKnown = Effect.map(
  Caller,
  ({ actor, isKnown }) =>
    <Rows>(read: Effect.Effect<Rows, Unavailable>): Effect.Effect<Rows, Unavailable> =>
      Effect.flatMap(isKnown, (isStill) =>
        isStill
          ? read
          : Effect.fail(
              new Unavailable({ operation: "export", cause: new Error(`a token of ${actor} that is good no more`) })
            )
      )
)

/** Commits that somebody exports; answers the seq of the event that says so. */
export const record = Effect.fnUntraced(function* (said: Omit<RecordExport, "_tag">) {
  const centre = yield* Centre
  const caller = yield* Caller
  const reply = yield* centre.order({ commandId: randomUUID(), caller, command: { _tag: "RecordExport", ...said } })
  if (reply._tag === "Done") return reply.seqTo ?? 0
  const code = reply._tag === "Refused" ? reply.code : (/^LT\d{4}/.exec(reply.message)?.[0] ?? "LT0501")
  return yield* new UnavailableProblem({ detail: reply.message, code })
})

const jsonLine = (value: unknown): string => `${JSON.stringify(value)}\n`

/** Rows from a place on until a page is not full; `placeAfter` is where the next page begins. */
export const pages = <Row>(
  start: number,
  read: (from: number) => Effect.Effect<ReadonlyArray<Row>, Unavailable>,
  placeAfter: (last: Row) => number,
  size = pageMax
): Stream.Stream<Row, Unavailable> =>
  Stream.paginate(start, (from) =>
    Effect.map(read(from), (rows) => {
      const last = rows.at(-1)
      const isFull = rows.length === size && last !== undefined
      return [rows, isFull ? Option.some(placeAfter(last)) : Option.none<number>()] as const
    })
  )

/** The query in the ledger's terms, up to the seq that was last when it was asked. */
const selectionOf = (query: ExportQuery, headSeq: number) =>
  Effect.gen(function* () {
    const { network, cluster, namespace, service, pool, actor, type, correlation, address, since, until, at } = query
    const span = yield* spanOf({
      ...(since === undefined ? {} : { since }),
      ...(until === undefined ? {} : { until }),
      ...(at === undefined ? {} : { at })
    })
    const selection: EventSelection & { readonly sinceSeq: number; readonly untilSeq: number } = {
      ...{ network, cluster, namespace, service, pool, actor, type },
      correlationId: correlation,
      ...(address === undefined ? {} : addressFilter(address)),
      sinceSeq: Math.max(span.sinceSeq ?? 1, (query.after ?? 0) + 1),
      untilSeq: Math.min(span.untilSeq ?? headSeq, headSeq)
    }
    return selection
  })
