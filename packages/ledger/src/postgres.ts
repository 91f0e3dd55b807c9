import { Effect, Layer } from "effect"
import { makeAllocators } from "./allocators.ts"
import { makeAppend } from "./append.ts"
import { makeAsOf } from "./as-of.ts"
import { makeAuditReads } from "./audit-reads.ts"
import { openDatabase } from "./database.ts"
import { makeIncarnations } from "./incarnations.ts"
import { makeLease } from "./lease.ts"
import { Ledger } from "./ledger.ts"
import { makeLoad } from "./load.ts"
import { makeReads } from "./reads.ts"
import { makeReplay } from "./replay.ts"
import { makeSignatures } from "./signatures.ts"
import { makeTree } from "./tree.ts"
import { makeWireJournal } from "./wire-journal.ts"

/**
 * The ledger on PostgreSQL 15 or newer, over a database that `migrate` has prepared. Starts without it and heals by
 * itself: until the database answers, every call fails as `Unavailable`. `url` as `openDatabase` describes.
 */
export const ledgerPostgres = (url: string): Layer.Layer<Ledger> =>
  Layer.effect(
    Ledger,
    Effect.gen(function* () {
      const database = yield* openDatabase(url)
      const append = makeAppend(database.writer)
      return Ledger.of({
        append: Effect.fn("Ledger.append")((batch) => append(batch)),
        ...makeLoad(database.readers),
        ...makeLease(database.lease),
        ...makeAllocators(database.readers),
        ...makeIncarnations(database.readers),
        ...makeReads(database.kysely),
        ...makeSignatures(database.readers),
        ...makeAsOf(database.readers),
        ...makeReplay(database.readers),
        ...makeTree(database.kysely),
        ...makeWireJournal(database.readers, database.kysely),
        ...makeAuditReads(database.kysely)
      })
    })
  )
