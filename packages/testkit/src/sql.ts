import { openClient, type SqlClient, withClient } from "@lowtide/ledger/client"
import { Effect, type Scope } from "effect"

const patient = { connectionTimeoutMillis: 30_000 } // the machine may be busy with other tests

/** Runs SQL over a connection of its own, and answers the rows, those of a single statement. */
export const execute = (url: string, text: string): Promise<ReadonlyArray<Record<string, unknown>>> =>
  withClient(url, async (client) => (await client.query<Record<string, unknown>>(text)).rows, patient)

/** A session for several statements; it ends with the scope. */
export const sqlSession = (url: string): Effect.Effect<SqlClient, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() => openClient(url, patient)),
    (client) => Effect.promise(() => client.end())
  )
