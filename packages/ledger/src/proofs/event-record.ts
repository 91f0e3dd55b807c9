import { Option, Schema } from "effect"
import type { StoredEvent } from "../event.ts"

const Text = Schema.String
const Count = Schema.Int.pipe(Schema.check(Schema.isGreaterThanOrEqualTo(0)))

/**
 * An event as exports and proofs carry it: one JSON object, payloads as the very texts that are stored. Keys stand in this
 * order; what an event lacks is left out.
 */
export const EventRecord = Schema.Struct({
  seq: Count,
  epoch: Count,
  commitSeq: Count,
  eventId: Text,
  recordedAt: Text,
  stream: Text,
  version: Count,
  type: Text,
  schema: Count,
  observedAt: Schema.optionalKey(Text),
  network: Schema.optionalKey(Text),
  address: Schema.optionalKey(Text),
  pool: Schema.optionalKey(Text),
  cluster: Schema.optionalKey(Text),
  namespace: Schema.optionalKey(Text),
  service: Schema.optionalKey(Text),
  serviceUid: Schema.optionalKey(Text),
  actor: Text,
  actorKind: Text,
  commandId: Text,
  correlationId: Text,
  causationSeq: Schema.optionalKey(Count),
  reasonCode: Text,
  data: Text,
  meta: Text,
  leafHash: Text
}).annotate({ identifier: "EventRecord" })
export type EventRecord = typeof EventRecord.Type

/** The columns of an export, in their order. */
export const eventRecordKeys = Object.keys(EventRecord.fields) as ReadonlyArray<keyof EventRecord>

/** The event with its keys in the order of exports. */
export const toEventRecord = (event: StoredEvent): EventRecord =>
  Object.fromEntries(
    eventRecordKeys.flatMap((key) => (event[key] === undefined ? [] : [[key, event[key]]]))
  ) as unknown as EventRecord

const decode = Schema.decodeUnknownOption(Schema.fromJsonString(EventRecord))

/** Reads a line of an export. */
export const readEventRecord = (line: string): EventRecord | undefined => Option.getOrUndefined(decode(line))

/** The first line of an export in CSV (RFC 4180). */
export const csvHeader = `${eventRecordKeys.join(",")}\r\n`

/** An event as a line of CSV. What it lacks is an empty field; a text is quoted where it has to be. */
export const csvLine = (event: StoredEvent): string =>
  `${eventRecordKeys.map((key) => csvField(event[key])).join(",")}\r\n`

/**
 * The line of CSV that stands for the events up to a seq which are in archives alone: of their columns it has the seq of the
 * last one, and a type that no event has.
 */
export const csvArchivedLine = (untilSeq: number): string =>
  `${eventRecordKeys.map((key) => (key === "seq" ? untilSeq : key === "type" ? "ArchivedEvents" : "")).join(",")}\r\n`

/**
 * A text that a spreadsheet would take for a formula is made one by an apostrophe before it, as spreadsheets themselves write
 * it: names and words in the log are other people's.
 */
const csvField = (value: string | number | undefined): string => {
  const text = String(value ?? "").replace(/^[=+\-@\t\r]/, "'$&")
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
