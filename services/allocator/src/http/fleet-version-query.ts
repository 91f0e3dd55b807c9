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
  const stream = streamOf.fleetVersion()
  const [event] = yield* ledger.events({ stream, untilSeq: reading.position, limit: 1, order: "desc" })
  const entry = event === undefined ? undefined : eventEntry(event)
  const answer: FleetVersionAnswer = {
    ...reading,
    version,
    newest: newestFleetVersion,
    finalised:
      event === undefined || entry === undefined
        ? null
        : { seq: event.seq, time: entry.time, actor: entry.actor, words: entry.words },
    off: offAt(version),
    processes: yield* centre.processes
  }
  return answer
}).pipe(orUnavailable)
