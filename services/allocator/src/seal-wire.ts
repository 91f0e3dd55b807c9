import type { SealWireJournal } from "@lowtide/domain"
import { Ledger, type StoredWire, type Unavailable } from "@lowtide/ledger"
import { WireStretch } from "@lowtide/ledger/proofs/wire-seal"
import { Effect, Schedule } from "effect"
import type { Reign } from "./reign.ts"

const hourMs = 3_600_000

/** A row may become visible so long after its time: statements that write the journal end well before. */
const settleMs = 60_000

/** How often it is looked whether an hour is over. */
const lookEveryMs = 30_000

/** Rows that are in memory at once. */
const pageMax = 1_000

/** Seals the wire journal into the log at the end of each hour in which it grew, for as long as it runs. */
export const sealWireJournal = (reign: Reign): Effect.Effect<never, never, Ledger> =>
  Effect.gen(function* () {
    const ledger = yield* Ledger
    const last = yield* reign.read(({ fleet }) => fleet.wireSeal)
    const nowMs = Date.parse(yield* ledger.now)
    const until = new Date(Math.floor((nowMs - settleMs) / hourMs) * hourMs).toISOString()
    const sealed = yield* sealUntil(until, last?.untilId ?? 0)
    if (sealed !== undefined) yield* reign.submit("allocator", "system", sealed)
  }).pipe(
    Effect.catch((error) => Effect.logWarning(`the wire journal is sealed later: ${error.message}`)),
    Effect.repeat(Schedule.spaced(lookEveryMs)),
    Effect.andThen(Effect.never)
  )

/** The order that seals the rows after an id which were recorded before a moment; undefined when there are none. */
export const sealUntil = (
  until: string,
  afterId: number
): Effect.Effect<SealWireJournal | undefined, Unavailable, Ledger> =>
  Effect.gen(function* () {
    const ledger = yield* Ledger
    const stretch = new WireStretch()
    let untilId = afterId
    for (;;) {
      const rows: ReadonlyArray<StoredWire> = yield* ledger.wire({ sinceId: untilId, limit: pageMax, order: "asc" })
      const end = rows.findIndex(({ recordedAt }) => recordedAt >= until)
      const kept = end < 0 ? rows : rows.slice(0, end)
      for (const row of kept) stretch.add(row)
      untilId = kept.at(-1)?.id ?? untilId
      if (kept.length < pageMax) break
    }
    const { count } = stretch
    if (count === 0) return undefined
    return { _tag: "SealWireJournal", sinceId: afterId + 1, untilId, count, root: stretch.root(), until }
  })
