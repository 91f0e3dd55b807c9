import { readFileSync } from "node:fs"
import { execute } from "@lowtide/testkit"
import { Effect } from "effect"
import { grantAllocator, ledgerPostgres, migrate } from "../src/index.ts"
import { ledgerContract } from "./contract.ts"
import { asRole, liveDatabases, rolesFile } from "./live-database.ts"

const databases = liveDatabases()

/** The same as the role that an allocator has: everything that it does, it may do. */
const restricted = Effect.gen(function* () {
  const ownerUrl = yield* databases.fresh("template1")
  const server = yield* databases.server
  yield* Effect.promise(() => execute(ownerUrl, readFileSync(rolesFile, "utf8")))
  const roleUrl = asRole(server.socketUrl, ownerUrl)
  yield* migrate(roleUrl("lowtide_owner"))
  yield* grantAllocator(roleUrl("lowtide_owner"), "lowtide_allocator")
  return ledgerPostgres(roleUrl("lowtide_allocator"))
})

ledgerContract("postgres, as the allocator's role", Effect.orDie(restricted))
ledgerContract("postgres", Effect.map(databases.fresh(), ledgerPostgres))
