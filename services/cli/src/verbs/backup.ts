import { plural } from "@lowtide/domain/words"
import type { BackupFault, BackupSummary } from "@lowtide/ledger/backup"
import { Effect } from "effect"
import { Argument, Command } from "effect/cli"
import { database, databaseUrl } from "../database.ts"
import { CliFault, exitCodes } from "../fault.ts"
import { print } from "../root.ts"

const file = (description: string) => Argument.String("file").pipe(Argument.withDescription(description))

const exitOf: { readonly [Reason in BackupFault["reason"]]: number } = {
  exists: exitCodes.conflict,
  unwritable: exitCodes.usage,
  damaged: exitCodes.usage,
  newer: exitCodes.usage,
  "not-empty": exitCodes.conflict,
  unavailable: exitCodes.unreachable
}

const nextOf: { readonly [Reason in BackupFault["reason"]]: string } = {
  exists: "name another file",
  unwritable: "name another file, or remove the .part file of a backup that was broken off",
  damaged: "nothing was restored; use another backup",
  newer: "nothing was restored",
  "not-empty": "nothing was restored",
  unavailable: "check the database, and that its role owns the tables"
}

const faultOf = ({ reason, message }: BackupFault): CliFault =>
  new CliFault({ exitCode: exitOf[reason], what: message, next: nextOf[reason] })

const sentence = (file: string, did: string, { head, rows, takenAt, sha256 }: BackupSummary): string =>
  `${file} ${did}: ${plural(rows, "row")} up to event ${head.seq} of incarnation ${head.incarnation}, taken ${takenAt}, SHA-256 ${sha256}`

/** `lowtide backup FILE`. */
export const backup = Command.make(
  "backup",
  { file: file("Where to; a file that is there is not written over"), database },
  Effect.fnUntraced(function* ({ file, database }) {
    const url = yield* databaseUrl(database)
    const { writeBackup } = yield* Effect.promise(() => import("@lowtide/ledger/backup"))
    const summary = yield* Effect.mapError(writeBackup(url, file), faultOf)
    yield* print(summary, () => sentence(file, "is written", summary))
  })
).pipe(
  Command.withDescription("Write all that the ledger holds, at one moment, to a file; allocators go on meanwhile"),
  Command.withExamples([{ command: "lowtide backup /backups/ledger.gz", description: "The database of DATABASE_URL" }])
)

/** `lowtide restore FILE`. */
export const restore = Command.make(
  "restore",
  { file: file("A backup, as `lowtide backup` wrote it"), database },
  Effect.fnUntraced(function* ({ file, database }) {
    const url = yield* databaseUrl(database)
    const { restoreBackup } = yield* Effect.promise(() => import("@lowtide/ledger/backup"))
    const summary = yield* Effect.mapError(restoreBackup(url, file), faultOf)
    yield* print(
      summary,
      () => `${sentence(file, "is restored", summary)}. The next leader recovers: see \`lowtide recover\``
    )
  })
).pipe(
  Command.withDescription("Fill an empty database from a backup; the next leader asks who remembers what came after"),
  Command.withExamples([
    {
      command: "lowtide restore /backups/ledger.gz --database postgres://lowtide@db/new",
      description: "Into a new database"
    }
  ])
)
