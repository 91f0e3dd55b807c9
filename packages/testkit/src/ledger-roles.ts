import { readFileSync } from "node:fs"
import { Effect } from "effect"
import { LabError } from "./lab/lab-error.ts"
import type { PostgresServer } from "./postgres.ts"
import { execute } from "./sql.ts"

/** Where a ledger's owner and its allocator find it. */
export interface LedgerUrls {
  readonly ownerUrl: string
  readonly allocatorUrl: string
}

/**
 * Makes an empty database on a server of ours, with the roles of `rolesFile` (deploy/postgres/roles.sql). They come in by
 * the server's socket, where nobody is asked for a password.
 */
export const makeLedgerRoles = (
  { socketUrl }: PostgresServer,
  rolesFile: string
): Effect.Effect<LedgerUrls, LabError> => {
  const url = (role: string | undefined, database: string) => {
    const at = socketUrl.replace(/\/[^/]*$/, `/${database}`)
    return role === undefined ? at : at.replace(/\/\/[^@]*@/, `//${role}@`)
  }
  return Effect.tryPromise({
    try: async () => {
      await execute(socketUrl, "create database lowtide")
      await execute(url(undefined, "lowtide"), readFileSync(rolesFile, "utf8"))
      return { ownerUrl: url("lowtide_owner", "lowtide"), allocatorUrl: url("lowtide_allocator", "lowtide") }
    },
    catch: (cause) => new LabError({ operation: "make the ledger's roles", detail: String(cause) })
  })
}
