import type { FleetVersionAnswer } from "@lowtide/api/fleet-version"
import { newestFleetVersion, offAt, streamOf } from "@lowtide/domain"
import { Ledger } from "@lowtide/ledger"
import { Effect } from "effect"
import { Centre } from "../centre.ts"
import { orUnavailable } from "./asking.ts"
import { eventEntry } from "./views/history.ts"
import { readingOf } from "./views/reading.ts"

/** The fleet's version, who finalised it, and what each process knows. */
export const askFleetVersion = Effect.gen(function* () {
  const centre = yield* Centre
  const ledger = yield* Ledger
  const { reading, version } = yield* centre.read((view) => ({
    reading: readingOf(view),
    version: view.fleet.fleetVersion
  }))
  const row = yield* ledger.streamState(streamOf.fleetVersion())
  const [event] =
    row === null ? [] : yield* ledger.events({ sinceSeq: row.seq, untilSeq: row.seq, limit: 1, order: "asc" })
  const entry = event === undefined ? undefined : eventEntry(event)
  const answer: FleetVersionAnswer = {
    ...reading,
    version,
    newest: newestFleetVersion,
    finalised:
      row === null
        ? null
        : { seq: row.seq, time: row.recordedAt, actor: entry?.actor ?? null, words: entry?.words ?? null },
    off: offAt(version),
    processes: yield* centre.processes
  }
  return answer
}).pipe(orUnavailable)
