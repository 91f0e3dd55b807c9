import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { migrate } from "@lowtide/ledger"
import { schemaText } from "@lowtide/ledger/schema-text"
import { startPostgres } from "@lowtide/testkit"
import { Effect } from "effect"

const help = `schema-sql: the schema that migrations/ leads to, compared with migrations/schema.sql

  node scripts/schema-sql.ts            exit 0 when the file says the same, 1 when it does not
  node scripts/schema-sql.ts --update   writes the file
  node scripts/schema-sql.ts --print    prints the schema on stdout

Starts a PostgreSQL of its own, in a folder that goes away afterwards.
`

const file = fileURLToPath(new URL("../migrations/schema.sql", import.meta.url))

const migratedSchema = Effect.gen(function* () {
  const server = yield* startPostgres({ durable: false })
  yield* migrate(server.url)
  return yield* Effect.promise(() => schemaText(server.url))
}).pipe(Effect.scoped)

const [option, ...rest] = process.argv.slice(2)
if (option === "--help" || rest.length > 0 || ![undefined, "--update", "--print"].includes(option)) {
  process.stdout.write(help)
  process.exitCode = option === "--help" ? 0 : 2
} else {
  const schema = await Effect.runPromise(migratedSchema)
  if (option === "--print") process.stdout.write(schema)
  else if (option === "--update") writeFileSync(file, schema)
  else if (readFileSync(file, "utf8") !== schema) {
    process.stderr.write(
      `expected ${file} to hold the schema that migrations lead to, found another; run with --update\n`
    )
    process.exitCode = 1
  }
}
