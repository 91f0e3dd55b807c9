import { readFileSync } from "node:fs"
import { Effect } from "effect"
import pg from "pg"
import { LabError } from "./lab/lab-error.ts"
import type { PostgresServer } from "./postgres.ts"

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
  const run = async (target: string, text: string) => {
    const client = new pg.Client({ connectionString: target })
    await client.connect()
    await client.query(text).finally(() => client.end())
  }
  return Effect.tryPromise({
    try: async () => {
      await run(socketUrl, "create database lowtide")
      await run(url(undefined, "lowtide"), readFileSync(rolesFile, "utf8"))
      return { ownerUrl: url("lowtide_owner", "lowtide"), allocatorUrl: url("lowtide_allocator", "lowtide") }
    },
    catch: (cause) => new LabError({ operation: "make the ledger's roles", detail: String(cause) })
  })
}
