import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gunzipSync, gzipSync } from "node:zlib"
import { ledgerPostgres, migrate } from "@lowtide/ledger"
import { backupFormat, writeBackup } from "@lowtide/ledger/backup"
import { startPostgres } from "@lowtide/testkit"
import { Effect, type Scope } from "effect"
import { filesOf, type MissingFile } from "./corpus.ts"
import { history } from "./history.ts"

/** A backup is named by the version of its format; the files hold the lines of it, which are text. */
const version = Number(backupFormat.split("/")[1])

const folder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "lowtide-golden-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** Backups as they were made when there was no newer format, as files that `restore` takes. */
export const goldenBackups = Effect.map(folder, (path) =>
  filesOf("backups").map((golden) => {
    const file = join(path, `${golden.version}.backup`)
    writeFileSync(file, gzipSync(golden.text))
    return { ...golden, file }
  })
)

/** A backup of a database with the whole history, where the present format has none. */
export const missingBackup: Effect.Effect<ReadonlyArray<MissingFile>, unknown> = Effect.gen(function* () {
  if (filesOf("backups").some((golden) => golden.version === version)) return []
  const { url } = yield* startPostgres({ durable: false })
  yield* migrate(url)
  yield* history().pipe(Effect.provide(ledgerPostgres(url)))
  const file = join(yield* folder, "made.backup")
  yield* writeBackup(url, file)
  const text = gunzipSync(readFileSync(file)).toString()
  return [{ path: `backups/backup.v${version}.1.txt`, text, why: "no file of this version" }]
}).pipe(Effect.scoped)
