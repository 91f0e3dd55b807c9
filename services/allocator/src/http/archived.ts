import { Ledger } from "@lowtide/ledger"
import { Effect } from "effect"
import { Centre } from "../centre.ts"
import { orUnavailable } from "./asking.ts"

/** What of the log is in archives alone. */
export interface Archived {
  /** Seq of the last event that the database does not have any more. */
  readonly untilSeq: number
  /** Since when the log is complete, where the rest is and how it comes back. */
  readonly sentence: string
}

/** Undefined where every event is in the database. */
export const archivedEvents = Effect.gen(function* () {
  const centre = yield* Centre
  const first = yield* (yield* Ledger).firstEvent
  if (first === undefined || first.seq === 1) return undefined
  // Also of one whose drop was cut off before it was recorded.
  const segments = yield* centre.read(({ fleet }) =>
    [...fleet.segments.values()].filter(({ toSeq }) => toSeq < first.seq)
  )
  const files = segments
    .sort((a, b) => a.fromSeq - b.fromSeq)
    .map(({ fromSeq, toSeq, file }) => `events ${fromSeq} to ${toSeq} are archived in ${file}`)
  const where = files.length === 0 ? `events 1 to ${first.seq - 1} are not in it` : files.join(", ")
  const archived: Archived = {
    untilSeq: first.seq - 1,
    sentence: `the ledger is complete since ${first.recordedAt} (event ${first.seq}); ${where}, and \`lowtide ledger restore-segment FILE\` brings a segment back`
  }
  return archived
}).pipe(orUnavailable)
