import type { LedgerAnswer, SegmentView } from "@lowtide/api/ledger"
import type { Fleet } from "@lowtide/domain"
import { Ledger, type PartitionRange, type StoredEvent, type Unavailable } from "@lowtide/ledger"
import { Effect } from "effect"
import { Centre } from "../centre.ts"
import { orUnavailable } from "./asking.ts"
import { readingOf } from "./views/reading.ts"
import { signersOf, untoldSigners } from "./views/signers.ts"

/** How the ledger stands: what it holds, how much room it has, and whether the state is what the log says. */
export const askLedger = Effect.gen(function* () {
  const centre = yield* Centre
  const ledger = yield* Ledger
  const messages = yield* ledger.signedBy
  const { reading, recorded, signing } = yield* centre.read((view) => ({
    reading: readingOf(view),
    signing: { signers: signersOf(view, messages), signersUntold: untoldSigners(view) },
    recorded: [...view.fleet.segments.values()]
  }))
  const { seq } = yield* ledger.head
  const first = yield* ledger.firstEvent
  const kept = (yield* ledger.partitions).filter(({ toSeq }) => toSeq <= seq)
  const ranges = new Map<number, PartitionRange>([...kept, ...recorded].map((range) => [range.fromSeq, range]))
  const segments = yield* Effect.forEach(
    [...ranges.values()].sort((a, b) => a.fromSeq - b.fromSeq),
    (range) => segmentOf(ledger, range, recorded)
  )
  const { last, findings } = yield* ledger.replayStanding
  const answer: LedgerAnswer = {
    ...reading,
    completeSince: { seq: first?.seq ?? 1, recordedAt: first?.recordedAt ?? null },
    segments,
    placesAhead: (yield* ledger.placesUntil(seq + 1)) - seq,
    ...signing,
    replay: { last, findings }
  }
  return answer
}).pipe(orUnavailable)

type Recorded = ReadonlyArray<Fleet["segments"] extends ReadonlyMap<number, infer State> ? State : never>

const segmentOf = (
  ledger: Ledger["Service"],
  { fromSeq, toSeq }: PartitionRange,
  recorded: Recorded
): Effect.Effect<SegmentView, Unavailable> =>
  Effect.gen(function* () {
    const state = recorded.find((one) => one.fromSeq === fromSeq)
    if (state !== undefined) return segmentView(state)
    const at = (seq: number) =>
      ledger
        .events({ sinceSeq: seq, untilSeq: seq, limit: 1, order: "asc" })
        .pipe(Effect.map(([event]: ReadonlyArray<StoredEvent>) => event?.recordedAt ?? null))
    return { fromSeq, toSeq, phase: "kept", firstAt: yield* at(fromSeq), lastAt: yield* at(toSeq), archive: null }
  })

/** A recorded segment as readers see it. */
export const segmentView = ({
  fromSeq,
  toSeq,
  phase,
  firstAt,
  lastAt,
  file,
  sha256,
  root
}: Recorded[number]): SegmentView => ({
  fromSeq,
  toSeq,
  phase,
  firstAt,
  lastAt,
  archive: { file, sha256, root }
})
