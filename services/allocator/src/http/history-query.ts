import type { HistoryPage, historyQuery } from "@lowtide/api/history"
import { addressFilter, historyLimitDefault, isSeqText } from "@lowtide/api/parameters"
import { AmbiguousProblem, InvalidQueryProblem, NotFoundProblem } from "@lowtide/api/problems"
import { type EventFilter, Ledger, type StoredEvent, type StoredWire, type WireFilter } from "@lowtide/ledger"
import { Effect, type Schema } from "effect"
import { Centre, type CommittedView } from "../centre.ts"
import { archivedEvents } from "./archived.ts"
import { orUnavailable } from "./asking.ts"
import { networksOf } from "./holder-query.ts"
import { type Moment, momentOf, momentUnchecked } from "./past.ts"
import { refuseUnindexed, refuseUnknown } from "./unknown-names.ts"
import { networkNames, unknownCluster, unknownNetwork } from "./views/clusters.ts"
import { historyEntries } from "./views/history.ts"
import { readingOf } from "./views/reading.ts"
import { appliedOf, statusWrittenOf } from "./views/wire-rows.ts"

/** What a history may be about. */
export type HistoryQuery = Schema.Struct<typeof historyQuery>["Type"]

/** Events that one page looks through where the log has no index for what is asked; the page is short beyond it. */
const scanMax = 5_000

/** How a question is put to the log and to the wire journal. */
interface Plan {
  readonly filter: Omit<EventFilter, "limit" | "order">
  /** What the filter cannot say. */
  readonly keepEvent: ((event: StoredEvent) => boolean) | undefined
  readonly wire: ReadonlyArray<Omit<WireFilter, "limit" | "order">>
  readonly keepWire: (row: StoredWire) => boolean
}

/** One page of what happened, the newest last. */
export const askHistory = Effect.fnUntraced(function* (query: HistoryQuery) {
  const centre = yield* Centre
  const ledger = yield* Ledger
  yield* refuseIncomplete(query)
  const about = query.address === undefined ? undefined : addressFilter(query.address)
  const { reading, fault, networkFault, networks, allNetworks, vips } = yield* orUnavailable(
    centre.read((view) => ({
      reading: readingOf(view),
      fault: unknownCluster(view, query.cluster),
      networkFault: unknownNetwork(view, query.network),
      networks: about === undefined || !("address" in about) ? [] : networksOf(view, about.address),
      allNetworks: networkNames(view),
      vips: vipsOfService(view, query)
    }))
  )
  if (fault !== undefined) return yield* new NotFoundProblem({ detail: `cluster: ${fault}` })
  if (networkFault !== undefined) return yield* new NotFoundProblem({ detail: `network: ${networkFault}` })
  if (query.network === undefined && networks.length > 1) {
    return yield* new AmbiguousProblem({
      detail: "the address is known in several networks: name one",
      candidates: networks
    })
  }
  yield* refuseUnindexed(query)
  const plan = planOf(query, query.network ?? networks[0], allNetworks, vips)
  const limit = query.limit ?? historyLimitDefault
  const span = yield* spanOf(query)
  const page = yield* readEvents(plan, span, limit)
  const endsAt =
    query.before === undefined
      ? undefined
      : (yield* orUnavailable(ledger.events({ sinceSeq: query.before, limit: 1, order: "asc" })))[0]?.recordedAt
  const wire = yield* Effect.forEach(plan.wire, (filter) =>
    orUnavailable(ledger.wire({ ...filter, untilAt: span.until?.at, limit, order: "desc" }))
  )
  const items = historyEntries({
    events: page.events,
    hasOlder: page.next !== null,
    wire: wire
      .flat()
      .filter((row) => plan.keepWire(row) && (span.since === undefined || row.recordedAt >= span.since.at)),
    endsAt,
    node: query.node
  })
  if (items.length === 0) yield* refuseUnknown((yield* isNeverOfPeer(query)) ? query : withoutPeer(query))
  const answer: HistoryPage = {
    ...(span.at === undefined ? reading : { position: span.at.position, asOf: span.at.recordedAt }),
    items,
    next: page.next,
    archived:
      page.next === null
        ? [
            ...(yield* archivedOf(query, span.sinceSeq)),
            ...(plan.wire.length > 0 ? yield* removedReports(span.since?.at) : [])
          ].join("; ") || null
        : null
  }
  return answer
})

/** Of a peer that is gone there is nothing to be found by its name but what happened to it. */
const withoutPeer = ({ peer: _, ...query }: HistoryQuery): HistoryQuery => query

/**
 * Whether nothing of the peer is in any cluster at any time, whatever else is asked. Not of a log that is too long to be looked
 * through, nor once reports of its sessions may have been removed: then nobody knows.
 */
const isNeverOfPeer = Effect.fnUntraced(function* ({ peer }: HistoryQuery) {
  if (peer === undefined || (yield* removedReports(undefined)).length > 0) return false
  const plan = planOf({ peer }, undefined, [], [])
  const { events, next } = yield* readEvents(plan, { sinceSeq: undefined, untilSeq: undefined }, 1)
  if (events.length > 0 || next !== null) return false
  const [row] = yield* orUnavailable((yield* Ledger).wire({ kind: "session", peer, limit: 1, order: "desc" }))
  return row === undefined
})

/** What a page that goes as far back as there is leaves out; a question that begins later leaves out nothing. */
const archivedOf = Effect.fnUntraced(function* ({ since }: HistoryQuery, sinceSeq = 1) {
  const archived = yield* archivedEvents
  if (archived === undefined) return []
  const asked = since !== undefined && isSeqText(since) ? Number(since) : sinceSeq
  // A time before the first event that is there has its seq, and left out something.
  const first = archived.untilSeq + 1
  return asked > first || (asked === first && since !== undefined && isSeqText(since)) ? [] : [archived.sentence]
})

/** What routers were told is kept for a time of its own. */
const removedReports = Effect.fnUntraced(function* (since: string | undefined) {
  const removed = yield* orUnavailable((yield* Centre).read(({ fleet }) => fleet.wireDrop))
  if (removed === null || (since !== undefined && since >= removed.before)) return []
  return [`what routers were told before ${removed.before} was removed`]
})

const refuseIncomplete = (query: HistoryQuery): Effect.Effect<void, InvalidQueryProblem> => {
  const missing = (field: keyof HistoryQuery, wanting: string) =>
    Effect.fail(new InvalidQueryProblem({ field, detail: `${field}: expected it beside ${wanting}, found nothing` }))
  if (query.service !== undefined && query.namespace === undefined) return missing("namespace", "service")
  if (query.service !== undefined && query.cluster === undefined) return missing("cluster", "service")
  if (query.file !== undefined && query.cluster === undefined) return missing("cluster", "file")
  if (query.node !== undefined && query.cluster === undefined) return missing("cluster", "node")
  return Effect.void
}

/** The stretch of the log that a question is about, and the moments that bound it. */
interface Span {
  readonly sinceSeq: number | undefined
  readonly untilSeq: number | undefined
  readonly since: Moment | undefined
  /** The earlier one of `until` and `at`. */
  readonly until: Moment | undefined
  readonly at: Moment | undefined
}

/** Reads the bounds of a history or an export. */
export const spanOf = Effect.fnUntraced(function* (query: Pick<HistoryQuery, "since" | "until" | "at" | "before">) {
  const moment = (field: "since" | "until" | "at") => {
    const text = query[field]
    if (text === undefined) return Effect.succeed(undefined)
    return field === "since" ? sinceOf(text) : momentOf(text, field)
  }
  const [since, until, at] = [yield* moment("since"), yield* moment("until"), yield* moment("at")]
  for (const [field, end] of Object.entries({ until, at })) {
    if (since !== undefined && end !== undefined && isLater(since, end)) yield* backwards(field, since, end)
  }
  const ends = [until, at].flatMap((end) => end ?? []).sort((left, right) => left.position - right.position)
  // What was recorded at the very time `since` is kept: the first event after all that is older.
  const sinceSeq = since === undefined ? undefined : since.isSeq ? since.position : yield* firstSeqAt(since.at)
  const untilSeqs = [...ends.map(({ position }) => position), ...(query.before === undefined ? [] : [query.before - 1])]
  const span: Span = {
    sinceSeq,
    untilSeq: untilSeqs.length === 0 ? undefined : Math.min(...untilSeqs),
    since,
    until: ends[0],
    at
  }
  return span
})

const isLater = (since: Moment, end: Moment): boolean =>
  since.isSeq ? since.position > end.position : since.at > end.at

/** An empty list would say that nothing happened, where nothing was asked. */
const backwards = (field: string, since: Moment, end: Moment) => {
  const named = ({ isSeq, position, at }: Moment) => (isSeq ? `event ${position} of ${at}` : at)
  const detail = `${field}: expected a moment that is not before since, ${named(since)}, found ${named(end)}`
  return Effect.fail(new InvalidQueryProblem({ field, detail }))
}

/** From an event that is in an archive on, what is there begins with the first one that is not. */
const sinceOf = Effect.fnUntraced(function* (text: string) {
  const archived = yield* archivedEvents
  const isEarlier = archived !== undefined && isSeqText(text) && Number(text) <= archived.untilSeq
  return yield* momentUnchecked(isEarlier ? String(archived.untilSeq + 1) : text, "since")
})

/** Times are whole milliseconds. */
const firstSeqAt = Effect.fnUntraced(function* (at: string) {
  const ledger = yield* Ledger
  return 1 + (yield* orUnavailable(ledger.headAt(new Date(Date.parse(at) - 1).toISOString())))
})

/** Addresses that the Service of the question has now: the wire journal knows addresses, not Services. */
const vipsOfService = (view: CommittedView, { cluster, namespace, service }: HistoryQuery) => {
  const memory = cluster === undefined ? undefined : view.fleet.clusters.get(cluster)
  if (memory === undefined || namespace === undefined || service === undefined) return []
  return (memory.addressesOf.get(`${namespace}/${service}`) ?? []).map((address) => ({
    network: memory.network,
    address
  }))
}

const always = () => true

const planOf = (
  query: HistoryQuery,
  network: string | undefined,
  allNetworks: ReadonlyArray<string>,
  vips: ReadonlyArray<{ readonly network: string; readonly address: string }>
): Plan => {
  const plan = aboutOf(query, network, allNetworks, vips)
  const { actor, type, correlation } = query
  // The wire journal knows neither of them, nor pools.
  const isOfLog = actor !== undefined || correlation !== undefined || query.pool !== undefined
  return {
    ...plan,
    // By actor and by correlation id there is an index; a type is looked for among what the rest of the question leaves.
    filter: { ...plan.filter, actor, correlationId: correlation },
    keepEvent:
      type === undefined ? plan.keepEvent : (event) => event.type === type && plan.keepEvent?.(event) !== false,
    wire: isOfLog ? [] : plan.wire,
    keepWire: (row) => (type === undefined || row.kind === type) && plan.keepWire(row)
  }
}

/** By what the question is about. */
const aboutOf = (
  query: HistoryQuery,
  network: string | undefined,
  allNetworks: ReadonlyArray<string>,
  vips: ReadonlyArray<{ readonly network: string; readonly address: string }>
): Plan => {
  const { cluster, namespace, service, pool, node, peer, file } = query
  const filter = { cluster, namespace, service, network, pool }
  if (query.address !== undefined) {
    const about = addressFilter(query.address)
    // The wire journal's index begins with the network: a prefix is looked for in each.
    const wire =
      "address" in about
        ? [{ network, ...about }]
        : (network === undefined ? allNetworks : [network]).map((name) => ({ network: name, ...about }))
    return { filter: { ...filter, ...about }, keepEvent: undefined, wire, keepWire: always }
  }
  if (service !== undefined) {
    const wire = [...vips.map((vip) => ({ ...vip, cluster })), { cluster, kind: "status-written" }]
    return { filter, keepEvent: undefined, wire, keepWire: isOfService(namespace, service) }
  }
  if (node !== undefined) {
    const about = new Set([`node:${cluster}/${node}`, `findings:${cluster}/Node//${node}`])
    return { filter, keepEvent: ({ stream }) => about.has(stream), wire: [{ cluster }], keepWire: isOfNode(node) }
  }
  if (file !== undefined) {
    const about = `findings:${cluster}/File//${file}`
    return { filter, keepEvent: ({ stream }) => stream === about, wire: [], keepWire: always }
  }
  if (peer !== undefined) {
    const ending = new RegExp(`^(manifest|findings):[^/]+/BGPPeer/[^/]*/${escapeRegExp(peer)}$`)
    return {
      filter,
      keepEvent: ({ stream }) => ending.test(stream),
      wire: [{ cluster, kind: "session", peer }],
      keepWire: always
    }
  }
  return { filter, keepEvent: undefined, wire: [], keepWire: always }
}

const isOfService =
  (namespace: string | undefined, service: string) =>
  (row: StoredWire): boolean => {
    if (row.kind !== "status-written") return true
    const written = statusWrittenOf(row)
    return written?.namespace === namespace && written?.name === service
  }

const isOfNode =
  (node: string) =>
  (row: StoredWire): boolean =>
    row.node === node || appliedOf(row).some((entry) => entry.node === node)

const escapeRegExp = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")

/** Up to `limit` events of a stretch, newest first, and the cursor behind them. */
const readEvents = Effect.fnUntraced(function* (
  plan: Plan,
  { sinceSeq, untilSeq: last }: Pick<Span, "sinceSeq" | "untilSeq">,
  limit: number
) {
  const ledger = yield* Ledger
  const kept: Array<StoredEvent> = []
  let untilSeq = last
  for (let scanned = 0; scanned < scanMax; ) {
    const size = plan.keepEvent === undefined ? limit + 1 : Math.min(500, scanMax - scanned)
    const events = yield* orUnavailable(
      ledger.events({ ...plan.filter, sinceSeq, untilSeq, limit: size, order: "desc" })
    )
    scanned += events.length
    for (const event of events) {
      if (plan.keepEvent?.(event) === false) continue
      if (kept.length === limit) return { events: kept, next: kept.at(-1)?.seq ?? null }
      kept.push(event)
    }
    const oldest = events.at(-1)
    if (events.length < size || oldest === undefined) return { events: kept, next: null }
    untilSeq = oldest.seq - 1
  }
  return { events: kept, next: untilSeq === undefined || untilSeq < 1 ? null : untilSeq + 1 }
})
