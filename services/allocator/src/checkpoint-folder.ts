import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import {
  type Checkpoint,
  type CheckpointKeys,
  claimOf,
  openCheckpoint,
  type SignedCheckpoint,
  splitNotes
} from "@lowtide/ledger/proofs/checkpoint"
import { Data, Effect, Result } from "effect"

/** The folder of checkpoints cannot be read, or written to. */
export class FolderFault extends Data.TaggedError("FolderFault")<{ readonly folder: string; readonly cause: unknown }> {
  override get message() {
    return `${this.folder}: ${this.cause instanceof Error ? this.cause.message : String(this.cause)}`
  }
}

const fileEnding = ".checkpoints"

/**
 * Adds a note to the folder's file of that day, and answers when the disk has it. Files only grow, so the folder may be
 * one whose files can only be appended to.
 */
export const appendToFolder = (folder: string, checkpoint: SignedCheckpoint): Effect.Effect<void, FolderFault> =>
  Effect.try({
    try: () => {
      mkdirSync(folder, { recursive: true, mode: 0o755 })
      const file = openSync(join(folder, `${checkpoint.signedAt.slice(0, 10)}${fileEnding}`), "a", 0o644)
      try {
        // A note that was cut off, perhaps within a line, ends there.
        writeSync(file, `\n\n${checkpoint.note}`)
        fsyncSync(file)
      } finally {
        closeSync(file)
      }
    },
    catch: (cause) => new FolderFault({ folder, cause })
  })

/**
 * The checkpoint of the newest incarnation over the most events, in whichever file: a file may have been renamed, or begun
 * by a clock that was ahead. None in a folder that is not there, or has none.
 */
export const newestInFolder = (
  folder: string,
  keys: CheckpointKeys
): Effect.Effect<SignedCheckpoint | undefined, FolderFault> =>
  Effect.try({
    try: () => {
      mkdirSync(folder, { recursive: true, mode: 0o755 })
      let newest: SignedCheckpoint | undefined
      for (const name of readdirSync(folder).filter((name) => name.endsWith(fileEnding))) {
        newest = newestOf(splitNotes(readFileSync(join(folder, name), "utf8")), keys, newest)
      }
      return newest
    },
    catch: (cause) => new FolderFault({ folder, cause })
  })

/** The newest of a file's notes that is to be believed, or what was the newest before; signatures of older ones are not asked. */
const newestOf = (
  notes: ReadonlyArray<string>,
  keys: CheckpointKeys,
  before: SignedCheckpoint | undefined
): SignedCheckpoint | undefined => {
  const claims = notes
    .flatMap((note) => {
      const claim = claimOf(note)
      return claim === undefined ? [] : [{ note, claim }]
    })
    .filter(({ claim }) => before === undefined || byAge(before, claim) < 0)
    .sort((left, right) => byAge(right.claim, left.claim))
  for (const { note } of claims) {
    const opened = openCheckpoint(keys, note)
    if (Result.isSuccess(opened)) return opened.success
  }
  return before
}

type Age = Pick<Checkpoint, "incarnation" | "size">

const byAge = (left: Age, right: Age): number => left.incarnation - right.incarnation || left.size - right.size
