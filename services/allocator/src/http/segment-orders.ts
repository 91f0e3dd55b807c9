import { randomUUID } from "node:crypto"
import { Caller } from "@lowtide/api/access"
import type { ArchiveOrder, SegmentAnswer } from "@lowtide/api/ledger"
import { NotFoundProblem, RefusedProblem, UnavailableProblem } from "@lowtide/api/problems"
import { codes, type SegmentState } from "@lowtide/domain"
import { Ledger, type PartitionRange, treeSource } from "@lowtide/ledger"
import { toEventRecord } from "@lowtide/ledger/proofs/event-record"
import { rangeProof } from "@lowtide/ledger/proofs/merkle"
import { type SegmentHeader, type SegmentTrailer, segmentKind } from "@lowtide/ledger/proofs/segment"
import { Effect, Stream } from "effect"
import { fleetAdmin, forbids } from "../access/permit.ts"
import { Centre } from "../centre.ts"
import { leavesOf } from "../segment-leaves.ts"
import { orUnavailable } from "./asking.ts"
import { carryOut } from "./carry-out.ts"
import { pages, record } from "./export-query.ts"
import { segmentView } from "./ledger-query.ts"
import { forbiddenProblem } from "./refused.ts"
import { readingOf } from "./views/reading.ts"

/** Events that are in memory at once. */
const pageMax = 1_000

/**
 * The lines of a segment's archive: a first one with what stands before it in the tree, its events as exports have them, and
 * a last one with a signed checkpoint and what stands between the segment and that checkpoint's end.
 */
export const readSegment = Effect.fnUntraced(function* (fromSeq: number) {
  yield* adminOnly
  const ledger = yield* Ledger
  const centre = yield* Centre
  const range = yield* closedRange(fromSeq)
  const { toSeq } = range
  const head = yield* orUnavailable(ledger.head)
  const checkpoint = yield* orUnavailable(centre.checkpointOver(head.seq))
  if (checkpoint === undefined) {
    const detail = "checkpoint: this allocator signs none, and an archive without one could not be verified"
    return yield* refused(detail)
  }
  const { left, right } = yield* rangeProof(treeSource(ledger), {
    start: fromSeq - 1,
    end: toSeq,
    size: checkpoint.treeSize
  }).pipe(
    orUnavailable,
    Effect.catchTag("TreeDamaged", ({ message }) =>
      Effect.fail(new UnavailableProblem({ detail: message, code: "LT0530" }))
    )
  )
  const filter = { segment: `${fromSeq}-${toSeq}` }
  yield* record({ filter, format: "ndjson", sinceSeq: fromSeq, untilSeq: toSeq, count: toSeq - fromSeq + 1 })
  const header: SegmentHeader = { kind: segmentKind, fromSeq, toSeq, left: left.map(hex) }
  const trailer: SegmentTrailer = { kind: segmentKind, right: right.map(hex), checkpoint: checkpoint.note }
  const events = pages(
    fromSeq,
    (sinceSeq) => ledger.events({ sinceSeq, untilSeq: toSeq, limit: pageMax, order: "asc" }),
    ({ seq }) => seq + 1,
    pageMax
  ).pipe(Stream.map(toEventRecord))
  return Stream.make(header).pipe(
    Stream.concat(events),
    Stream.concat(Stream.make(trailer)),
    Stream.map((line) => `${JSON.stringify(line)}\n`),
    Stream.encodeText
  )
})

const hex = (hash: Uint8Array): string => Buffer.from(hash).toString("hex")

/** Records an archive that holds what the database has. */
export const archiveSegment = Effect.fnUntraced(function* (fromSeq: number, order: typeof ArchiveOrder.Type) {
  yield* adminOnly
  const ledger = yield* Ledger
  const { reason, ...said } = order
  const range = yield* closedRange(fromSeq)
  yield* compareLeaves(range, said)
  const [first] = yield* orUnavailable(ledger.events({ sinceSeq: fromSeq, untilSeq: fromSeq, limit: 1, order: "asc" }))
  const [last] = yield* orUnavailable(
    ledger.events({ sinceSeq: range.toSeq, untilSeq: range.toSeq, limit: 1, order: "asc" })
  )
  const times = { firstAt: first?.recordedAt ?? "", lastAt: last?.recordedAt ?? "" }
  return yield* recordSegment({ ...range, phase: "archived", ...times, ...said }, reason)
})

/** Drops the events of a segment that the log says to be archived, and records who did. */
export const dropSegment = Effect.fnUntraced(function* (fromSeq: number, reason: string) {
  yield* adminOnly
  const ledger = yield* Ledger
  const state = yield* recordedSegment(fromSeq)
  const first = yield* orUnavailable(ledger.firstEvent)
  if (state.phase !== "dropped" && first !== undefined && first.seq < fromSeq) {
    return yield* refused(`segment ${fromSeq}: expected the oldest events, found event ${first.seq} before it`)
  }
  yield* ledger.dropSegment(state).pipe(
    Effect.catchIf(
      ({ code }) => code === "LT004",
      ({ cause }) => refused(`segment ${fromSeq}: ${cause instanceof Error ? cause.message : String(cause)}`)
    ),
    orUnavailable
  )
  const left = yield* orUnavailable(ledger.firstEvent)
  if (left !== undefined && left.seq <= state.toSeq) {
    const bounds = `events ${fromSeq} to ${state.toSeq}`
    return yield* refused(`segment ${fromSeq}: expected a partition of ${bounds} alone, found one with other bounds`)
  }
  return yield* recordSegment({ ...state, phase: "dropped" }, reason)
})

/** Records that the events of a segment are back, when they are those that were archived. */
export const restoredSegment = Effect.fnUntraced(function* (fromSeq: number, reason: string) {
  yield* adminOnly
  const state = yield* recordedSegment(fromSeq)
  if (state.phase === "archived") return yield* answerOf(state) // it was never gone
  yield* compareLeaves(state, state)
  return yield* recordSegment({ ...state, phase: "restored" }, reason)
})

const adminOnly = Effect.gen(function* () {
  const forbidden = forbids(yield* Caller, [fleetAdmin])
  if (forbidden !== undefined) return yield* forbiddenProblem(forbidden)
})

const refused = (detail: string) => Effect.fail(new RefusedProblem({ detail, code: "LT0536", fix: codes.LT0536.fix }))

/** The partition that begins with this event and has all of its events. */
const closedRange = Effect.fnUntraced(function* (fromSeq: number) {
  const ledger = yield* Ledger
  const { seq } = yield* orUnavailable(ledger.head)
  const first = yield* orUnavailable(ledger.firstEvent)
  const closed = (yield* orUnavailable(ledger.partitions)).filter(
    (range) => range.toSeq <= seq && range.fromSeq >= (first?.seq ?? 1)
  )
  const range = closed.find((one) => one.fromSeq === fromSeq)
  if (range !== undefined) return range
  const known = closed.map((one) => one.fromSeq).join(", ")
  const detail = `segment: expected one of those whose events are all there, ${known || "of which there is none"}, found ${fromSeq}`
  return yield* new NotFoundProblem({ detail })
})

const recordedSegment = Effect.fnUntraced(function* (fromSeq: number) {
  const state = yield* orUnavailable((yield* Centre).read(({ fleet }) => fleet.segments.get(fromSeq)))
  if (state !== undefined) return state
  const detail = `segment: expected one that was archived, found ${fromSeq}`
  return yield* new NotFoundProblem({ detail })
})

/** Computes what is to be recorded from the leaves that are in the database. */
const compareLeaves = (range: PartitionRange, said: { readonly root: string; readonly leavesDigest: string }) =>
  Effect.gen(function* () {
    const found = yield* orUnavailable(leavesOf(yield* Ledger, range))
    if (found?.root === said.root && found.leavesDigest === said.leavesDigest) return
    const { fromSeq, toSeq } = range
    const expected = `expected root ${said.root} over events ${fromSeq} to ${toSeq}`
    return yield* refused(
      `segment ${fromSeq}: ${expected}, found ${found === undefined ? "some of them missing" : found.root}`
    )
  })

const answerOf = Effect.fnUntraced(function* (state: SegmentState) {
  const reading = yield* orUnavailable((yield* Centre).read(readingOf))
  const answer: SegmentAnswer = { ...reading, segment: segmentView(state) }
  return answer
})

const recordSegment = Effect.fnUntraced(function* (said: Omit<SegmentState, "_tag">, words: string) {
  const caller = yield* Caller
  yield* carryOut({ commandId: randomUUID(), caller, words, command: { ...said, _tag: "RecordSegment" } })
  return yield* answerOf({ ...said, _tag: "Segment" })
})
