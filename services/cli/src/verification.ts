import { createReadStream, readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { plural } from "@lowtide/domain/words"
import {
  type CheckpointKeys,
  openCheckpoint,
  readVerifierKeys,
  type SignedCheckpoint,
  splitNotes
} from "@lowtide/ledger/proofs/checkpoint"
import type { EventRecord } from "@lowtide/ledger/proofs/event-record"
import type { ProofVerdict } from "@lowtide/ledger/proofs/proof"
import { segmentFileName } from "@lowtide/ledger/proofs/segment"
import type { LogVerdict } from "@lowtide/ledger/proofs/verify-log"
import type { WireVerdict } from "@lowtide/ledger/proofs/wire-seal"
import { Effect, Option, Result, Schema, Stream } from "effect"
import { Flag } from "effect/cli"
import { type CliFault, unreadable, usageFault } from "./fault.ts"
import { findDemo } from "./server.ts"
import { Surroundings } from "./surroundings.ts"

/** The flag of verbs that verify. */
export const keyFlag = Flag.String("key").pipe(
  Flag.withDescription(
    "File of verifier keys; else LOWTIDE_CHECKPOINT_KEYS, or that of a demo that runs in this folder"
  ),
  Flag.optional
)

const keyHint = "name a file of verifier keys with --key FILE; `lowtide audit key` makes one from a PEM file"

/** Whose checkpoints are believed: the file that the flag names, `LOWTIDE_CHECKPOINT_KEYS`, or that of a running demo. */
export const chooseKeys = (flag: Option.Option<string>): Effect.Effect<CheckpointKeys, CliFault, Surroundings> =>
  Effect.gen(function* () {
    const { checkpointKeysVariable, workingFolder } = yield* Surroundings
    const path = Option.getOrUndefined(flag) ?? checkpointKeysVariable ?? findDemo(workingFolder)?.checkpointKeys
    if (path === undefined)
      return yield* usageFault("--key: expected the key that signs checkpoints, found none", keyHint)
    const text = yield* readInput("--key", path)
    return yield* Effect.fromResult(readVerifierKeys(text)).pipe(
      Effect.mapError((fault) => usageFault(`--key ${path}: ${fault}`, keyHint))
    )
  })

/** A file that the command line names. */
export const readInput = (flag: string, path: string): Effect.Effect<string, CliFault> =>
  Effect.try({ try: () => readFileSync(path, "utf8"), catch: (cause) => unreadable(flag, path, cause) })

/** The lines of a file, without ever holding all of it. */
export const linesOf = (flag: string, path: string): Stream.Stream<string, CliFault> =>
  Stream.fromAsyncIterable(createReadStream(path), (cause) => unreadable(flag, path, cause)).pipe(
    Stream.decodeText(),
    Stream.splitLines
  )

/** Notes of a file, or of every file of a folder whose name ends in `.checkpoints`. */
export const notesIn = (path: string): Effect.Effect<ReadonlyArray<string>, CliFault> =>
  Effect.try({
    try: () => {
      const files = statSync(path).isDirectory()
        ? readdirSync(path)
            .filter((name) => name.endsWith(".checkpoints"))
            .sort()
            .map((name) => join(path, name))
        : [path]
      return files.flatMap((file) => splitNotes(readFileSync(file, "utf8")))
    },
    catch: (cause) => unreadable("--checkpoints", path, cause)
  })

/** The checkpoints that a believed key signed, each once; what is wrong with the others goes to the error stream. */
export const openNotes = (
  keys: CheckpointKeys,
  notes: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<SignedCheckpoint>, CliFault, Surroundings> =>
  Effect.gen(function* () {
    const { err } = yield* Surroundings
    const opened = [...new Set(notes)].map((note) => openCheckpoint(keys, note))
    const checkpoints = opened.filter(Result.isSuccess).map(({ success }) => success)
    const faults = opened.filter(Result.isFailure).map(({ failure }) => failure)
    for (const [fault, count] of counted(faults).slice(0, 5))
      err(`warning: ${plural(count, "checkpoint")} passed over: ${fault}`)
    const [newest] = [...checkpoints].sort((a, b) => b.incarnation - a.incarnation || b.size - a.size)
    if (newest === undefined) {
      const what = `checkpoints: expected at least one that a known key signed, found ${notes.length === 0 ? "none at all" : `none of ${notes.length}`}`
      return yield* usageFault(what, "name their file or folder with --checkpoints, and the right key with --key")
    }
    const others = checkpoints.filter(({ origin }) => origin !== newest.origin)
    for (const origin of new Set(others.map((other) => other.origin))) {
      err(`warning: checkpoints of the log ${origin} are passed over; this is about ${newest.origin}`)
    }
    return checkpoints.filter(({ origin }) => origin === newest.origin)
  })

const counted = (texts: ReadonlyArray<string>): ReadonlyArray<readonly [string, number]> => [
  ...texts.reduce((counts, text) => counts.set(text, (counts.get(text) ?? 0) + 1), new Map<string, number>())
]

/** An archive as the log names it. */
export interface ArchiveName {
  readonly fromSeq: number
  readonly toSeq: number
  readonly file: string
}

/** The archive that an event says was written; undefined of another event. */
export const archiveNameIn = ({ type, data }: EventRecord): ArchiveName | undefined =>
  type === "SegmentArchived" ? Option.getOrUndefined(decodeArchiveName(data))?.after : undefined

const decodeArchiveName = Schema.decodeUnknownOption(
  Schema.fromJsonString(
    Schema.Struct({ after: Schema.Struct({ fromSeq: Schema.Int, toSeq: Schema.Int, file: Schema.String }) })
  )
)

/** Which events nobody gave to be read, so that the whole cannot be checked, and what to do; undefined where nothing lacks. */
export const unreadText = (
  { gaps, misplacedSeq }: LogVerdict,
  archives: ReadonlyArray<ArchiveName>
): { readonly what: string; readonly next: string } | undefined => {
  if (misplacedSeq !== undefined) {
    return {
      what: `expected the oldest archive first, and each event once, found event ${misplacedSeq} behind later ones`,
      next: "name each archive once, the oldest first, and none of events that the ledger or the export has as well"
    }
  }
  if (gaps.length === 0) return undefined
  const lacking = gaps.map(({ fromSeq, toSeq }) => {
    const known = archives.filter((archive) => fromSeq <= archive.toSeq && archive.fromSeq <= toSeq)
    const names = known.length === 0 ? [segmentFileName(fromSeq, toSeq)] : known.map(({ file }) => file)
    return `events ${fromSeq} to ${toSeq} (${known.length === 0 ? "such as " : ""}${names.join(", ")})`
  })
  return {
    what: `expected an archive with ${lacking.join(" and ")}, found none`,
    next: "name it as well, the oldest first; `lowtide ledger status` says which file has which events"
  }
}

/** The verdict over a log, as a sentence for the record. */
export const logSentence = (verdict: LogVerdict, origin: string, archives: ReadonlyArray<ArchiveName> = []): string => {
  const { newest, size } = verdict
  const [first] = verdict.faults
  const lost =
    verdict.checkpointsSuperseded === 0
      ? ""
      : ` ${plural(verdict.checkpointsSuperseded, "checkpoint")} of an earlier incarnation did not fit: history was lost then.`
  const proved =
    newest === undefined
      ? "no checkpoint fits"
      : `events 1 to ${newest.size} have root ${base64(newest.root)}, as signed ${newest.signedAt} by ${newest.signedBy}`
  const unread = unreadText(verdict, archives)
  if (first === undefined && unread !== undefined) {
    const fits = newest === undefined ? "" : ` Nothing that was read of it is wrong: ${proved}.`
    return `UNCHECKED: whether the ledger ${origin} is intact cannot be said: ${unread.what}.${fits}${lost} The wire journal was not compared.`
  }
  if (first !== undefined || newest === undefined) {
    const why = first === undefined ? `none of the checkpoints is over ${size} events or fewer` : first.what
    return `RED: the ledger ${origin} is NOT intact: ${why}; ${proved}.${lost}`
  }
  const rest = size - newest.size
  const after =
    rest === 0 ? "" : ` ${plural(rest, "event")} after it ${rest === 1 ? "is" : "are"} in no checkpoint yet.`
  const read = size - verdict.since + 1
  const archived =
    verdict.since === 1
      ? ""
      : ` Events 1 to ${verdict.since - 1} are archived and were not read: name their files with --archive.`
  return (
    `GREEN: the ledger ${origin} is intact: ${proved}; ${plural(read, "event")} read, as of ${verdict.asOf}, ` +
    `${plural(verdict.checkpointsFitting, "checkpoint")} ${verdict.checkpointsFitting === 1 ? "fits" : "fit"}.${after}${archived}${lost}`
  )
}

/** The verdict over the wire journal, as a sentence for the record; `since` is the first event whose seals were read. */
export const wireSentence = (verdict: WireVerdict, since = 1): string => {
  const before =
    since === 1
      ? ""
      : ` Seals in events 1 to ${since - 1} were not read, so ${verdict.rowsBefore === 0 ? "rows under them are not compared" : `${plural(verdict.rowsBefore, "row")} from before ${verdict.rowsBefore === 1 ? "is" : "are"} not compared`}: name their archives with --archive.`
  const gone =
    verdict.sealsWithoutRows === 0
      ? ""
      : ` Of ${plural(verdict.sealsWithoutRows, "seal")} the rows were removed by retention.`
  const unsealed =
    verdict.rowsUnsealed === 0
      ? ""
      : ` ${plural(verdict.rowsUnsealed, "row")} since the last one ${verdict.rowsUnsealed === 1 ? "is" : "are"} not sealed yet.`
  const [first] = verdict.faults
  return first === undefined
    ? `GREEN: the wire journal fits ${plural(verdict.sealsFitting, "seal")} of the ledger.${before}${gone}${unsealed}`
    : `RED: ${first}.${before}${gone}${unsealed}`
}

/** The verdict over a proof, as a sentence for the record. */
export const proofSentence = (verdict: ProofVerdict): string => {
  if (!verdict.isProved) {
    const event = verdict.event === undefined ? "the event" : `event ${verdict.event.seq}`
    return `RED: it is NOT proved that ${event} is in the ledger: ${verdict.why}.`
  }
  const { event, checkpoint, older } = verdict
  const goesOn =
    older === undefined
      ? ""
      : ` The log goes on unchanged from its ${plural(older.size, "event")} with root ${base64(older.root)}, signed ${older.signedAt} by ${older.signedBy}.`
  return (
    `GREEN: event ${event.seq} (${event.type} of ${event.stream}, by ${event.actor}, recorded ${event.recordedAt}) is in the ledger ` +
    `${checkpoint.origin}: it leads to root ${base64(checkpoint.root)} over ${plural(checkpoint.size, "event")}, ` +
    `signed ${checkpoint.signedAt} by ${checkpoint.signedBy}.${goesOn}`
  )
}

const base64 = (octets: Uint8Array): string => Buffer.from(octets).toString("base64")
