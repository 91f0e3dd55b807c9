import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import {
  type CheckpointKeys,
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

/** The checkpoint over the most events in the newest file that has one; none in a folder that is not there, or has none. */
export const newestInFolder = (
  folder: string,
  keys: CheckpointKeys
): Effect.Effect<SignedCheckpoint | undefined, FolderFault> =>
  Effect.try({
    try: () => {
      mkdirSync(folder, { recursive: true, mode: 0o755 })
      const files = readdirSync(folder).filter((name) => name.endsWith(fileEnding))
      for (const name of files.sort().reverse()) {
        const opened = splitNotes(readFileSync(join(folder, name), "utf8")).map((note) => openCheckpoint(keys, note))
        const newest = opened
          .filter(Result.isSuccess)
          .map(({ success }) => success)
          .sort((left, right) => left.incarnation - right.incarnation || left.size - right.size)
          .at(-1)
        if (newest !== undefined) return newest
      }
      return undefined
    },
    catch: (cause) => new FolderFault({ folder, cause })
  })
