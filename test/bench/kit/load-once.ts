/** Loads a leader's state once, from the database that DATABASE_URL names, and prints how long that took since the process began, ms. */
import { loadMemory } from "@lowtide/allocator/memory"
import { ledgerPostgres } from "@lowtide/ledger"
import { Effect } from "effect"

await Effect.runPromise(loadMemory.pipe(Effect.provide(ledgerPostgres(process.env.DATABASE_URL ?? ""))))
console.log(performance.now())
process.exit()
