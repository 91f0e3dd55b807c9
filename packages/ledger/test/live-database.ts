import { fileURLToPath } from "node:url"
import { execute, type PostgresServer, startPostgres } from "@lowtide/testkit"
import { Effect, Exit, Scope } from "effect"
import { afterAll, beforeAll } from "vitest"
import { migrate } from "../src/index.ts"

/** One PostgreSQL for a test file, with a migrated database to copy. Call at the top of the file. */
export const liveDatabases = (options: { readonly durable: boolean } = { durable: false }) => {
  const scope = Scope.makeUnsafe()
  let server: PostgresServer | undefined
  let count = 0
  const started = Effect.suspend(() =>
    server === undefined ? Effect.die("beforeAll has not run") : Effect.succeed(server)
  )
  beforeAll(async () => {
    server = await Effect.runPromise(startPostgres(options).pipe(Effect.provideService(Scope.Scope, scope)))
    await execute(server.url, "create database migrated")
    await Effect.runPromise(migrate(urlOf(server, "migrated")))
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  return {
    server: started,
    /** The URL of a new database: with the schema, or with nothing in it. */
    fresh: (template: "migrated" | "template1" = "migrated") =>
      Effect.flatMap(started, (running) =>
        Effect.promise(async () => {
          count += 1
          await execute(running.url, `create database test_${count} template ${template}`)
          return urlOf(running, `test_${count}`)
        })
      )
  }
}

const urlOf = (server: PostgresServer, database: string) => server.url.replace(/\/postgres$/, `/${database}`)

/** The script that makes the roles. */
export const rolesFile = fileURLToPath(new URL("../../../deploy/postgres/roles.sql", import.meta.url))

/** The URL of a database for a role, by the socket, where the server asks nobody for a password. */
export const asRole = (socketUrl: string, databaseUrl: string) => (role: string) =>
  socketUrl.replace(/\/\/[^@]*@/, `//${role}@`).replace(/\/[^/]*$/, new URL(databaseUrl).pathname)
