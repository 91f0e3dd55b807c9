import { randomBytes } from "node:crypto"
import { Effect, type Scope } from "effect"
import { LabError } from "./lab/lab-error.ts"
import { execute } from "./sql.ts"

/**
 * Makes a database of its own on the server of `url`, and answers its URL; it is dropped with the scope. Whatever else the
 * server holds stays as it is. The role of `url` must be allowed to create databases.
 */
export const temporaryDatabase = (url: string): Effect.Effect<string, LabError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      const name = `lowtide_${randomBytes(4).toString("hex")}`
      yield* run(url, `create database ${name}`)
      return name
    }),
    (name) => Effect.ignore(run(url, `drop database if exists ${name} with (force)`))
  ).pipe(Effect.map((name) => withDatabase(url, name)))

const run = (url: string, statement: string): Effect.Effect<unknown, LabError> =>
  Effect.tryPromise({
    try: () => execute(url, statement),
    catch: (cause) =>
      new LabError({
        operation: `${statement.split(" ").slice(0, 2).join(" ")} with DATABASE_URL`,
        detail: `expected a PostgreSQL whose role may create databases, found: ${cause instanceof Error ? cause.message : String(cause)}`
      })
  })

/** The same server and role, another database. */
const withDatabase = (url: string, name: string): string => url.replace(/^([a-z]+:\/\/[^/]*)(?:\/[^?]*)?/, `$1/${name}`)
