import type { SegmentState } from "@lowtide/domain"
import { listText, plural } from "@lowtide/domain/words"
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
  /** The same for an event or a time, RFC 3339: which archive has it, and what is to be loaded for an answer about it. */
  readonly sentenceOf: (place: number | string) => string
}

/** Undefined where every event is in the database. */
export const archivedEvents = Effect.gen(function* () {
  const centre = yield* Centre
  const first = yield* (yield* Ledger).firstEvent
  if (first === undefined || first.seq === 1) return undefined
  // Also of one whose drop was cut off before it was recorded.
  const segments = yield* centre.read(({ fleet }) =>
    [...fleet.segments.values()].filter(({ toSeq }) => toSeq < first.seq).sort((a, b) => a.fromSeq - b.fromSeq)
  )
  const complete = `the ledger is complete since ${first.recordedAt} (event ${first.seq})`
  const archived: Archived = {
    untilSeq: first.seq - 1,
    sentence: `${complete}; ${placesOf(segments, first.seq - 1)}, and \`lowtide ledger restore-segment FILE\` brings a segment back`,
    sentenceOf: (place) => `${complete}; ${wayTo(segments, place)}`
  }
  return archived
}).pipe(orUnavailable)

/** Segments that a sentence names; `lowtide ledger status` names all. */
const segmentsMax = 3

/** Where the events up to the last archived one are; a sentence of bounded length. */
export const placesOf = (segments: ReadonlyArray<SegmentState>, untilSeq: number): string => {
  if (segments.length === 0) return `events 1 to ${untilSeq} are not in it`
  const older = segments.slice(0, -segmentsMax)
  const [first, last] = [older[0], older.at(-1)]
  return [
    ...(first === undefined || last === undefined
      ? []
      : [
          `events ${first.fromSeq} to ${last.toSeq} are archived in ${plural(older.length, "file")} that \`lowtide ledger status\` names`
        ]),
    ...segments.slice(-segmentsMax).map(placeOf)
  ].join(", ")
}

const placeOf = ({ fromSeq, toSeq, file }: SegmentState): string =>
  `events ${fromSeq} to ${toSeq} are archived in ${file}`

/** Where a moment is, and how it can be asked about: what is in the database has to be one stretch up to the head. */
export const wayTo = (segments: ReadonlyArray<SegmentState>, place: number | string): string => {
  const has = (segment: SegmentState) =>
    typeof place === "number" ? segment.fromSeq <= place : Date.parse(segment.firstAt) <= Date.parse(place)
  const index = segments.findLastIndex(has)
  const held = segments[index]
  if (held === undefined) return "no archive that the ledger knows of has it"
  const wanted = segments.slice(index).reverse()
  const it = `it is in ${held.file} (events ${held.fromSeq} to ${held.toSeq}, recorded ${held.firstAt} to ${held.lastAt})`
  if (wanted.length > segmentsMax) {
    const first = wanted.slice(0, segmentsMax).map(({ file }) => file)
    return `${it}; \`lowtide ledger restore-segment FILE --confirm --reason "WHY"\` is to bring ${wanted.length} files back, the newest first: ${first.join(", ")} and so on, until that one; \`lowtide ledger status\` names them all, the newest last`
  }
  const commands = listText(
    wanted.map(({ file }) => `\`lowtide ledger restore-segment ${file} --confirm --reason "WHY"\``)
  )
  const order = wanted.length === 1 ? "" : ", in this order"
  return `${it}; ${commands} ${wanted.length === 1 ? "brings" : "bring"} it back${order}`
}
