import type { AuditReadPage } from "@lowtide/api/audit"
import type { HistoryEntry } from "@lowtide/api/history"
import type { TraceHop } from "@lowtide/api/trace"
import { formatDuration, formatLocal } from "../moment.ts"
import type { Cell, Column } from "../table.ts"
import { ageCell } from "./standing.ts"

/** Columns of `lowtide history`, in the reader's zone. */
export const historyColumns = (nowMs: number, timeZone: string): ReadonlyArray<Column<HistoryEntry>> => [
  { title: `TIME (${timeZone})`, cell: ({ time }) => formatLocal(time, timeZone) },
  { title: "AGO", cell: ({ time }) => ageCell(time, nowMs) },
  { title: "SEQ", cell: ({ seq }) => (seq === null ? "" : String(seq)) },
  { title: "ACTOR", cell: actorCell },
  { title: "REASON", cell: reasonCell },
  { title: "CLUSTER", cell: ({ cluster }) => cluster ?? "", isWide: true },
  { title: "CORRELATION", cell: ({ correlationId }) => correlationId ?? "", isWide: true },
  { title: "WHAT", cell: historyWords }
]

/** Columns of `lowtide audit reads`. */
export const readColumns = (nowMs: number, timeZone: string): ReadonlyArray<Column<AuditReadPage["items"][number]>> => [
  { title: `TIME (${timeZone})`, cell: ({ time }) => formatLocal(time, timeZone) },
  { title: "AGO", cell: ({ time }) => ageCell(time, nowMs) },
  { title: "ACTOR", cell: actorCell },
  { title: "POSITION", cell: ({ position }) => String(position) },
  { title: "QUESTION", cell: ({ question }) => question }
]

/** An actor that nobody checked stands out. */
const actorCell = ({ actor, unauthenticated }: Pick<HistoryEntry, "actor" | "unauthenticated">): Cell =>
  unauthenticated ? { text: `${actor}?`, tone: "warning" } : actor

/** Where a person answered for what nodes had not confirmed, the reader is to stop. */
const reasonCell = ({ reason }: HistoryEntry): Cell =>
  reason === "force-released" ? { text: reason, tone: "bad" } : (reason ?? "")

const historyWords = ({ what, code, fix, words }: HistoryEntry): string => {
  const said = words === null ? what : `${what}: ${JSON.stringify(words)}`
  const coded = code === null || said.includes(code) ? said : `${said} (${code})`
  return fix === null ? coded : `${coded}. Fix: ${fix}`
}

/** Columns of `lowtide trace`: AFTER is the time since the hop that led to this one. */
export const traceColumns = (timeZone: string): ReadonlyArray<Column<TraceHop>> => [
  { title: `TIME (${timeZone})`, cell: ({ time }) => (time === null ? "" : formatLocal(time, timeZone)) },
  { title: "AFTER", cell: ({ deltaMs }) => (deltaMs === null ? "" : formatDuration(deltaMs)) },
  { title: "STEP", cell: ({ step }) => step },
  { title: "WHERE", cell: ({ where }) => where },
  { title: "CLOCK", cell: ({ clock }) => clock, isWide: true },
  { title: "DETAIL", cell: ({ detail, time }) => (time === null ? { text: detail, tone: "faint" } : detail) }
]
