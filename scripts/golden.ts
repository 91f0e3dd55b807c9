/** Golden files of everything that is stored or sent. See `--help`. */
import { parseArgs } from "node:util"
import { Effect } from "effect"
import { missingBackup } from "../test/golden/backup.ts"
import { add, changed, filesOf, missingOf } from "../test/golden/corpus.ts"
import { goldenKinds } from "../test/golden/kinds.ts"
import { goldenLogs, missingLogs } from "../test/golden/log.ts"

const usage = `Usage: node scripts/golden.ts [--add]

Says which golden files are missing in test/golden/files: of an event, state, message, command, report, record or
checkpoint whose type, version or field has none. Exits 1 when any is.

  --add     write those that are missing, by the product's own encoders; none that is there is ever written again
  --help    print this text
`

const { values } = parseArgs({
  options: { add: { type: "boolean", default: false }, help: { type: "boolean", default: false } }
})

if (values.help) process.stdout.write(usage)
else process.exitCode = await complete(values.add)

async function complete(isToAdd: boolean): Promise<number> {
  const faults = changed()
  if (faults.length > 0) {
    process.stderr.write(`${faults.join("\n")}\nwhat was stored once is read for good: put it back as it was\n`)
    return 1
  }
  const kinds = await goldenKinds()
  const files = kinds.flatMap((kind) => missingOf(kind, filesOf(kind.folder)))
  const missing = [...files, ...(await missingLogs(goldenLogs())), ...(await Effect.runPromise(missingBackup))]
  const unmade = missing.filter(({ text }) => text === "")
  for (const { path, why } of unmade) {
    process.stderr.write(`${path}: ${why}: have test/golden/history.ts or kinds.ts make one\n`)
  }
  const made = missing.filter(({ text }) => text !== "")
  if (isToAdd) add(made)
  for (const { path, why } of made) process.stdout.write(`${isToAdd ? "added" : "missing"} ${path}: ${why}\n`)
  return unmade.length > 0 || (made.length > 0 && !isToAdd) ? 1 : 0
}
