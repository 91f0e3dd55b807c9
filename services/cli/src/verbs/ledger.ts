import { existsSync } from "node:fs"
import { basename, join } from "node:path"
import type { LedgerAnswer, SegmentView } from "@lowtide/api/ledger"
import { plural } from "@lowtide/domain/words"
import type { CheckpointKeys } from "@lowtide/ledger/proofs/checkpoint"
import { segmentFileName } from "@lowtide/ledger/proofs/segment"
import type { VerifiedSegment } from "@lowtide/ledger/segment-file"
import { Context, Effect, Layer, Option, Stream } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { archiveSentence, segmentFault } from "../archive.ts"
import { ask } from "../ask.ts"
import { database, databaseUrl } from "../database.ts"
import { CliFault, exitCodes, Unmet, usageFault } from "../fault.ts"
import { parseMoment } from "../moment.ts"
import { reasonFlag } from "../reason.ts"
import { print, type ServerFlags, serverFlags } from "../root.ts"
import { Surroundings } from "../surroundings.ts"
import { chooseKeys, keyFlag } from "../verification.ts"

/** `lowtide ledger status`. */
const status = Command.make("status", {}, () =>
  Effect.gen(function* () {
    const { err } = yield* Surroundings
    const answer = yield* ask(yield* serverFlags, (client) => client.centre.ledger({}))
    yield* print(answer, () => sentences(answer).join("\n"))
    const { findings } = answer.replay
    for (const { key, what } of findings) err(`LT0533 ${key}: ${what}`)
    if (findings.length > 0) return yield* new Unmet()
  })
).pipe(
  Command.withDescription(
    "Say what the ledger holds, how much room it has, and whether the state is what the log says; exit 1 when it is not"
  ),
  Command.withExamples([{ command: "lowtide ledger status", description: "Since when it is complete, among others" }])
)

const sentences = ({ position, completeSince, segments, placesAhead, replay }: LedgerAnswer): ReadonlyArray<string> => [
  completeSince.recordedAt === null
    ? "The ledger has no event yet."
    : `The ledger is complete since ${completeSince.recordedAt}: events ${completeSince.seq} to ${position}.`,
  ...segments.flatMap((segment) =>
    segment.archive === null
      ? []
      : [`Events ${segment.fromSeq} to ${segment.toSeq} ${whereIs[segment.phase]} ${segment.archive.file}.`]
  ),
  `It has partitions for ${placesAhead} more.`,
  replay.last === null
    ? "Its state has not been compared with the log yet."
    : `Its state was compared with the log until event ${replay.last.position} by ${replay.last.checkedBy} on ${replay.last.finishedAt}: ${differences(replay.findings.length)} in ${plural(replay.last.compared, "row")}.`
]

const whereIs: { readonly [Phase in SegmentView["phase"]]: string } = {
  kept: "are not archived:",
  archived: "are archived as well, in",
  dropped: "are archived and in the database no more:",
  restored: "are back in the database, and archived in"
}

const differences = (count: number): string => (count === 0 ? "no difference" : plural(count, "difference"))

/** `lowtide ledger check`. */
const check = Command.make(
  "check",
  { database },
  Effect.fnUntraced(function* ({ database }) {
    const { err } = yield* Surroundings
    const url = yield* databaseUrl(database)
    const { Ledger, ledgerPostgres, walkReplay } = yield* Effect.promise(() => import("@lowtide/ledger"))
    const { position, compared, findings } = yield* Effect.gen(function* () {
      const ledger = Context.get(yield* Layer.build(ledgerPostgres(url)), Ledger)
      const { seq: position } = yield* ledger.head
      const findings: Array<{ readonly projection: string; readonly key: string; readonly what: string }> = []
      const compared = yield* walkReplay(ledger, (page) => Effect.sync(() => void findings.push(...page.differences)))
      return { position, compared, findings }
    }).pipe(
      Effect.scoped,
      Effect.mapError(
        ({ message }) =>
          new CliFault({
            exitCode: exitCodes.unreachable,
            what: message,
            next: "check the database's URL and its schema"
          })
      )
    )
    const sentence = `The state was compared with the log until event ${position}: ${differences(findings.length)} in ${plural(compared, "row")}.`
    yield* print({ position, compared, findings, sentence }, () => sentence)
    for (const { key, what } of findings) err(`LT0533 ${key}: ${what}`)
    if (findings.length > 0) return yield* new Unmet()
  })
).pipe(
  Command.withDescription(
    "Compare the database's state with its log now, all of it, by the database itself; exit 1 when they differ"
  ),
  Command.withExamples([{ command: "lowtide ledger check", description: "The database of DATABASE_URL" }])
)

/** `lowtide ledger archive`. */
const archive = Command.make(
  "archive",
  {
    to: Flag.String("to").pipe(Flag.withDescription("Folder that archives are written to")),
    olderThan: Flag.String("older-than").pipe(
      Flag.withDescription('Only segments whose last event is older: "400d", or a time')
    ),
    drop: Flag.Boolean("drop").pipe(
      Flag.withDescription("And drop the events of what is archived from the database, the oldest first"),
      Flag.withDefault(false)
    ),
    reason: reasonFlag("Why; recorded with --confirm").pipe(Flag.optional),
    confirm: Flag.Boolean("confirm").pipe(
      Flag.withDescription("Do it; without, it is only told what would be done"),
      Flag.withDefault(false)
    ),
    key: keyFlag
  },
  Effect.fnUntraced(function* ({ to, olderThan, drop, reason, confirm, key }) {
    const { nowMs, err } = yield* Surroundings
    const server = yield* serverFlags
    const before = yield* Effect.fromResult(parseMoment(olderThan, nowMs)).pipe(
      Effect.mapError((what) => usageFault(`--older-than: ${what}`, "for example --older-than 400d"))
    )
    const { segments } = yield* ask(server, (client) => client.centre.ledger({}))
    const old = segments.filter(
      ({ lastAt, phase }) => phase !== "dropped" && lastAt !== null && Date.parse(lastAt) < Date.parse(before)
    )
    const wanted = old.filter(({ phase }) => drop || phase === "kept")
    const steps = wanted.flatMap((segment) => [
      ...(segment.phase === "kept"
        ? [`archive ${rangeOf(segment)} to ${join(to, segmentFileName(segment.fromSeq, segment.toSeq))}`]
        : []),
      ...(drop ? [`drop ${rangeOf(segment)}`] : [])
    ])
    if (steps.length === 0) {
      return yield* print({ steps: [], done: false }, () => `Nothing to do: no whole segment is older than ${before}.`)
    }
    if (!confirm) {
      yield* print({ steps, done: false }, () => steps.map((step) => `would ${step}`).join("\n"))
      return err('nothing was done; add --confirm and --reason "WHY" to do it')
    }
    if (Option.isNone(reason)) {
      return yield* usageFault("reason: expected one with --confirm, found none", 'add --reason "WHY"')
    }
    const keys = yield* chooseKeys(key)
    for (const segment of wanted) {
      const path = join(to, segmentFileName(segment.fromSeq, segment.toSeq))
      yield* archiveOne({ server, segment, path, keys, reason: reason.value })
      if (drop) {
        yield* ask(
          server,
          (client) =>
            client.centre.dropSegment({ params: { fromSeq: segment.fromSeq }, payload: { reason: reason.value } }),
          true
        )
      }
    }
    yield* print({ steps, done: true }, () => steps.map((step) => `done: ${step}`).join("\n"))
  })
).pipe(
  Command.withDescription(
    "Write whole old segments of the ledger to files that can be verified without it, and drop them if asked; says what it would do, without --confirm"
  ),
  Command.withExamples([
    {
      command: "lowtide ledger archive --to /archive --older-than 400d",
      description: "What would be archived"
    },
    {
      command: 'lowtide ledger archive --to /archive --older-than 400d --drop --confirm --reason "400 days are kept"',
      description: "Archive, read back, verify, record, and drop"
    }
  ])
)

/** Writes an archive that is not there yet, reads it back, and has it recorded. One that is recorded has to be there, and whole. */
const archiveOne = Effect.fnUntraced(function* ({
  server,
  segment,
  path,
  keys,
  reason
}: {
  readonly server: ServerFlags
  readonly segment: SegmentView
  readonly path: string
  readonly keys: CheckpointKeys
  readonly reason: string
}) {
  const { user } = yield* Surroundings
  const { verifySegment, writeSegment } = yield* segmentFiles
  const params = { fromSeq: segment.fromSeq }
  if (segment.phase === "kept" && !existsSync(path)) {
    yield* ask(
      server,
      (client) =>
        client.centre.readSegment({ params, headers: { "x-lowtide-user": user } }).pipe(
          Effect.flatMap((octets) => writeSegment(path, Stream.toAsyncIterable(octets))),
          // Who archives it as well may have been quicker: that file is read back like any other.
          Effect.catchTag("SegmentFault", (fault) =>
            fault.reason === "exists" ? Effect.void : Effect.fail(segmentFault(fault))
          )
        ),
      true
    )
  }
  const { root, leavesDigest, sha256 } = yield* Effect.mapError(verifySegment(path, keys), segmentFault)
  if (segment.archive !== null) {
    if (segment.archive.root === root) return
    const what = `${path}: expected the archive with root ${segment.archive.root}, found one with ${root}`
    return yield* new CliFault({ exitCode: exitCodes.conflict, what, next: "name the folder that has the right one" })
  }
  const payload = { reason, root, leavesDigest, sha256, file: basename(path) }
  yield* ask(server, (client) => client.centre.archiveSegment({ params, payload }), true)
})

/** `lowtide ledger verify-segment FILE`. */
const verifyArchive = Command.make(
  "verify-segment",
  {
    file: Argument.String("file").pipe(Argument.withDescription("An archive, as `lowtide ledger archive` wrote it")),
    key: keyFlag
  },
  Effect.fnUntraced(function* ({ file, key }) {
    const keys = yield* chooseKeys(key)
    const { verifySegment } = yield* segmentFiles
    const verified = yield* Effect.mapError(verifySegment(file, keys), segmentFault)
    const sentence = archiveSentence(file, verified)
    yield* print({ ...factsOf(verified), sentence }, () => sentence)
  })
).pipe(
  Command.withDescription("Verify an archive by itself, against signed checkpoints' keys; needs no server"),
  Command.withExamples([
    { command: "lowtide ledger verify-segment segment-1.ndjson.gz --key keys.txt", description: "Offline" }
  ])
)

/** `lowtide ledger restore-segment FILE`. */
const restoreArchive = Command.make(
  "restore-segment",
  {
    file: Argument.String("file").pipe(Argument.withDescription("An archive, as `lowtide ledger archive` wrote it")),
    reason: reasonFlag("Why; recorded with --confirm").pipe(Flag.optional),
    confirm: Flag.Boolean("confirm").pipe(
      Flag.withDescription("Do it; without, the file is only verified"),
      Flag.withDefault(false)
    ),
    key: keyFlag,
    database
  },
  Effect.fnUntraced(function* ({ file, reason, confirm, key, database }) {
    const { err } = yield* Surroundings
    const keys = yield* chooseKeys(key)
    const files = yield* segmentFiles
    if (!confirm) {
      const verified = yield* Effect.mapError(files.verifySegment(file, keys), segmentFault)
      yield* print(
        { ...verified, isLoaded: false },
        () => `would load ${rangeOf(verified)} from ${file}, which is whole`
      )
      return err('nothing was done; add --confirm and --reason "WHY" to do it')
    }
    if (Option.isNone(reason)) {
      return yield* usageFault("reason: expected one with --confirm, found none", 'add --reason "WHY"')
    }
    const url = yield* databaseUrl(database)
    const loaded = yield* Effect.mapError(files.loadSegment(url, file, keys), segmentFault)
    yield* ask(
      yield* serverFlags,
      (client) =>
        client.centre.restoreSegment({ params: { fromSeq: loaded.fromSeq }, payload: { reason: reason.value } }),
      true
    )
    const sentence = `${rangeOf(loaded)} ${loaded.isLoaded ? "are back" : "were there already"} from ${file}`
    yield* print({ ...factsOf(loaded), isLoaded: loaded.isLoaded, sentence }, () => sentence)
  })
).pipe(
  Command.withDescription(
    "Load an archive back into the database of DATABASE_URL, by the role that owns it, and record that; the newest dropped segment first"
  ),
  Command.withExamples([
    {
      command: 'lowtide ledger restore-segment /archive/segment-1.ndjson.gz --confirm --reason "an audit of 2024"',
      description: "Its events can be asked about again"
    }
  ])
)

/** Loaded when it is needed: files and the database are for few verbs. */
const segmentFiles = Effect.promise(() => import("@lowtide/ledger/segment-file"))

/** What scripts are told of an archive. */
const factsOf = ({ fromSeq, toSeq, firstAt, lastAt, root, sha256, checkpoint }: VerifiedSegment) => ({
  ...{ fromSeq, toSeq, firstAt, lastAt, root, sha256 },
  checkpoint: checkpoint.note
})

const rangeOf = ({ fromSeq, toSeq }: { readonly fromSeq: number; readonly toSeq: number }): string =>
  `events ${fromSeq} to ${toSeq}`

const tables = { state: "stream_current", history: "vip_history" } as const

/** `lowtide ledger rebuild TABLE`. */
const rebuild = Command.make(
  "rebuild",
  {
    table: Argument.Literals("table", ["state", "history"]).pipe(
      Argument.withDescription("state: the current state of every stream; history: who had which address when")
    ),
    dropKept: Flag.Boolean("drop-kept").pipe(
      Flag.withDescription("Make nothing; drop the tables that earlier rebuilds took out of use"),
      Flag.withDefault(false)
    ),
    confirm: Flag.Boolean("confirm").pipe(
      Flag.withDescription("Do it; without, it is only told what would be done"),
      Flag.withDefault(false)
    ),
    database
  },
  Effect.fnUntraced(function* ({ table, dropKept, confirm, database }) {
    const { err } = yield* Surroundings
    const url = yield* databaseUrl(database)
    const { dropRebuildLeftovers, rebuildProjection } = yield* Effect.promise(() => import("@lowtide/ledger/rebuild"))
    const orFault = <A>(work: Effect.Effect<A, { readonly message: string }>) =>
      Effect.mapError(
        work,
        ({ message }) =>
          new CliFault({
            exitCode: exitCodes.unreachable,
            what: message,
            next: "the table in use is as it was; check the database, and that its role owns the tables, and run it again"
          })
      )
    if (!confirm) {
      const what = dropKept ? "drop what earlier rebuilds left" : `make ${tables[table]} anew from the log and swap it`
      yield* print({ table: tables[table], done: false }, () => `would ${what}; \`lowtide ledger check\` compares`)
      return err("nothing was done; add --confirm to do it")
    }
    if (dropKept) {
      const dropped = yield* orFault(dropRebuildLeftovers(url))
      return yield* print({ dropped }, () =>
        dropped.length === 0 ? "There were none." : `Dropped ${dropped.join(", ")}.`
      )
    }
    let told = 0
    const onPage = (position: number, head: number) => {
      const share = head === 0 ? 100 : Math.floor((position / head) * 100)
      if (share >= told + 10) err(`${share} % of ${plural(head, "event")}`)
      told = Math.max(told, share - (share % 10))
    }
    const rebuilt = yield* orFault(rebuildProjection(url, tables[table], { onPage }))
    const { projection, position, rows, takenOver, differing, examples, kept } = rebuilt
    const over =
      takenOver === 0
        ? ""
        : ` ${plural(takenOver, "row stands", "rows stand")} on archived events and ${takenOver === 1 ? "was taken over as it was" : "were taken over as they were"}.`
    yield* print(
      rebuilt,
      () =>
        `${projection} is made anew from the log up to event ${position}: ${plural(rows, "row")}, ${differences(differing)} to the one before, which is kept as ${kept}.${over}`
    )
    for (const name of examples) err(`was not what the log says: ${name}`)
    if (differing > 0 && table === "state") err("whoever led was fenced, since its memory came from the old table")
  })
).pipe(
  Command.withDescription(
    "Make a table that follows from the log anew beside the one in use, while allocators go on, and swap the two; by the role that owns the tables"
  ),
  Command.withExamples([
    { command: "lowtide ledger rebuild state --confirm", description: "The current state, after LT0533" },
    { command: "lowtide ledger rebuild history --drop-kept --confirm", description: "Forget the tables of before" }
  ])
)

/** `lowtide ledger ...`. */
export const ledger = Command.make("ledger").pipe(
  Command.withDescription("What the ledger holds over the years, and whether its state is what its log says"),
  Command.withSubcommands([status, check, archive, verifyArchive, restoreArchive, rebuild])
)
