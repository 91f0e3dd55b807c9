import { Result, Schema } from "effect"
import { checkedLine, readCheckedLine } from "./checked-line.ts"

/** One fact that outlives the process. */
export const SavedRecord = Schema.Union([
  /**
   * The newest message under a key, exactly as it was signed. It is in effect, unless the brake holds it: then `inEffect`
   * is. A release without a brake passes over that field, and lets the message take effect.
   */
  Schema.TaggedStruct("Message", {
    key: Schema.String,
    envelope: Schema.String,
    inEffect: Schema.optionalKey(Schema.Struct({ envelope: Schema.String, sinceMs: Schema.Number }))
  }),
  /** What was last known of a Service's endpoints; `service` is `namespace/name`. */
  Schema.TaggedStruct("Health", { service: Schema.String, servesHere: Schema.Boolean, servesAnywhere: Schema.Boolean }),
  /** A session that was up, or may have been; null: without a hold timer, so that its router never forgets by itself. */
  Schema.TaggedStruct("Session", { session: Schema.String, holdTimeSeconds: Schema.NullOr(Schema.Number) })
])
export type SavedRecord = typeof SavedRecord.Type

const decodeRecords = Schema.decodeUnknownResult(Schema.fromJsonString(Schema.Array(SavedRecord)))
const decodeEnd = Schema.decodeUnknownResult(Schema.fromJsonString(Schema.Struct({ end: Schema.Int })))

/**
 * The records of one batch as a checked line. A batch is wholly there or not at all, so a crash in its writing damages the
 * last line only.
 */
export const encodeBatch = (records: ReadonlyArray<SavedRecord>): string => checkedLine(JSON.stringify(records))

/** The last line of a snapshot: how many lines come before it. */
export const encodeEnd = (lines: number): string => checkedLine(JSON.stringify({ end: lines }))

/** What a file holds. */
export interface ReadBatches {
  /** Of every line that is intact, in order. */
  readonly records: ReadonlyArray<SavedRecord>
  /** Lines before the last that are damaged: something that was on the disk is gone. */
  readonly damaged: number
  /** Whether the last line is damaged or cut: what a crash leaves of a batch that was never acknowledged. */
  readonly isCut: boolean
  /** Whether the file ends with the line that ends a snapshot, with the right count. */
  readonly isEnded: boolean
}

/** Reads batches and drops what is damaged. Total: any octets give an answer. */
export const decodeBatches = (text: string): ReadBatches => {
  const lines = text.split("\n")
  const rest = lines.pop() ?? ""
  if (rest !== "") lines.push(rest)
  const records: Array<SavedRecord> = []
  const bad: Array<number> = []
  let isEnded = false
  for (const [index, one] of lines.entries()) {
    // Without its line feed even a line whose checksum fits was not written to the end.
    const isWhole = index < lines.length - 1 || rest === ""
    const payload = isWhole ? readCheckedLine(one) : undefined
    const batch = payload === undefined ? undefined : Result.getOrUndefined(decodeRecords(payload))
    const end = payload === undefined || batch ? undefined : Result.getOrUndefined(decodeEnd(payload))
    if (batch !== undefined) for (const record of batch) records.push(record)
    else if (end !== undefined) isEnded = index === lines.length - 1 && end.end === index
    else bad.push(index)
  }
  const isCut = bad.at(-1) === lines.length - 1 && lines.length > 0
  return { records, damaged: bad.length - (isCut ? 1 : 0), isCut, isEnded }
}
