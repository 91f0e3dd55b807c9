import type { HistoryEntry } from "@lowtide/api/history"
import type { StoredEvent, StoredWire } from "@lowtide/ledger"
import { describeEvent } from "./describe.ts"
import { describeWire, routerOf } from "./wire-rows.ts"

/** One page of a history as it was read: events newest first, and rows of the wire journal in any order. */
export interface HistoryRead {
  readonly events: ReadonlyArray<StoredEvent>
  /** Whether there are older events. */
  readonly hasOlder: boolean
  readonly wire: ReadonlyArray<StoredWire>
  /** When the first event after this page was recorded; undefined for the newest page. */
  readonly endsAt: string | undefined
  /** Keeps what other nodes did out of the rows of the wire journal. */
  readonly node: string | undefined
}

/**
 * Events and rows of the wire journal in the order of time, the newest last. Rows belong to the page whose events are
 * about their time: none is older than the page's first event unless that is the first there is.
 */
export const historyEntries = (read: HistoryRead): ReadonlyArray<HistoryEntry> => {
  const startsAt = read.hasOlder ? read.events.at(-1)?.recordedAt : undefined
  const rows = read.wire.filter(
    ({ recordedAt }) =>
      (startsAt === undefined || recordedAt >= startsAt) && (read.endsAt === undefined || recordedAt < read.endsAt)
  )
  const entries = [
    ...read.events.map((event) => ({ rank: 0, order: event.seq, entry: eventEntry(event) })),
    ...rows.flatMap((row) => {
      const entry = wireEntry(row, read.node)
      return entry === undefined ? [] : { rank: 1, order: row.id, entry }
    })
  ]
  return entries
    .sort((left, right) => {
      if (left.entry.time !== right.entry.time) return left.entry.time < right.entry.time ? -1 : 1
      return left.rank - right.rank || left.order - right.order
    })
    .map(({ entry }) => entry)
}

/** An event as a line of a history. */
export const eventEntry = (event: StoredEvent): HistoryEntry => ({
  time: event.recordedAt,
  seq: event.seq,
  type: event.type,
  actor: event.actor,
  correlationId: event.correlationId,
  cluster: event.cluster ?? null,
  reason: event.reasonCode,
  ...saidOf(event),
  ...describeEvent(event)
})

/** What stands beside an event of whoever ordered it. */
const saidOf = ({ meta }: StoredEvent): Pick<HistoryEntry, "words" | "unauthenticated"> => {
  const { words = null, unauthenticated = false } = JSON.parse(meta) as {
    readonly words?: string
    readonly unauthenticated?: boolean
  }
  return { words, unauthenticated }
}

const wireEntry = (row: StoredWire, node: string | undefined): HistoryEntry | undefined => {
  const described = describeWire(row, node)
  if (described === undefined) return undefined
  return {
    time: row.recordedAt,
    seq: null,
    type: row.kind,
    actor:
      row.kind === "status-written"
        ? `agent:${row.cluster}`
        : row.kind === "router"
          ? `router:${routerOf(row)?.router ?? "?"}`
          : `speaker:${row.cluster}${row.node === undefined ? "" : `/${row.node}`}`,
    correlationId: null,
    cluster: row.cluster,
    reason: null,
    words: null,
    unauthenticated: false,
    ...described
  }
}
