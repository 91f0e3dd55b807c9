import type { LedgerAnswer } from "@lowtide/api/ledger"
import { Ledger } from "@lowtide/ledger"
import { Effect } from "effect"
import { Centre } from "../centre.ts"
import { orUnavailable } from "./asking.ts"
import { readingOf } from "./views/reading.ts"

/** How the ledger stands: what it holds, how much room it has, and whether the state is what the log says. */
export const askLedger = Effect.gen(function* () {
  const centre = yield* Centre
  const ledger = yield* Ledger
  const reading = yield* centre.read(readingOf)
  const { seq } = yield* ledger.head
  const [first] = yield* ledger.events({ limit: 1, order: "asc" })
  const { last, findings } = yield* ledger.replayStanding
  const answer: LedgerAnswer = {
    ...reading,
    completeSince: { seq: first?.seq ?? 1, recordedAt: first?.recordedAt ?? null },
    placesAhead: (yield* ledger.placesUntil(seq + 1)) - seq,
    replay: { last, findings }
  }
  return answer
}).pipe(orUnavailable)
