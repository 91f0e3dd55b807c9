import { Effect, Option } from "effect"
import { Flag } from "effect/cli"
import { usageFault } from "./fault.ts"
import { Surroundings } from "./surroundings.ts"

/** The flag of verbs that speak to the database itself: there may be no allocator. */
export const database = Flag.String("database").pipe(
  Flag.withDescription("postgres://USER:PASSWORD@HOST:PORT/NAME; else DATABASE_URL"),
  Flag.optional
)

/** What the flag says, or the environment. */
export const databaseUrl = Effect.fnUntraced(function* (flag: Option.Option<string>) {
  const { databaseVariable } = yield* Surroundings
  const url = Option.getOrUndefined(flag) ?? databaseVariable
  if (url !== undefined) return url
  return yield* usageFault("database: expected a URL, found none", "give --database URL, or set DATABASE_URL")
})
