import { closeSync, fsyncSync, mkdirSync, openSync, writeSync } from "node:fs"
import { mkdir, open, readdir } from "node:fs/promises"
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
 * How much of the end of a file is read at first, some thirty notes. A folder gets a file a day, and a leader's lease runs on
 * while it reads them all.
 */
const endOctets = 8_192

/**
 * The checkpoint of the newest incarnation over the most events, in whichever file: a file may have been renamed, or begun
 * by a clock that was ahead. Of each it is among the last notes, since files only grow. None in a folder that is not there,
 * or has none.
 */
export const newestInFolder = (
  folder: string,
  keys: CheckpointKeys
): Effect.Effect<SignedCheckpoint | undefined, FolderFault> =>
  Effect.tryPromise({
    try: async () => {
      await mkdir(folder, { recursive: true, mode: 0o755 })
      let newest: SignedCheckpoint | undefined
      for (const name of (await readdir(folder)).filter((name) => name.endsWith(fileEnding))) {
        const found = await newestAtEnd(join(folder, name), keys)
        if (found !== undefined && (newest === undefined || byAge(newest, found) < 0)) newest = found
      }
      return newest
    },
    catch: (cause) => new FolderFault({ folder, cause })
  })

/** Reads further back, four times as much each time, while none of what was read is to be believed. */
const newestAtEnd = async (path: string, keys: CheckpointKeys): Promise<SignedCheckpoint | undefined> => {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    for (let octets = endOctets; ; octets *= 4) {
      const start = Math.max(0, size - octets)
      const { buffer, bytesRead } = await file.read(Buffer.alloc(size - start), 0, size - start, start)
      // The first of them may lack its beginning: then its signature does not fit.
      const found = newestOf(splitNotes(buffer.toString("utf8", 0, bytesRead)), keys)
      if (found !== undefined || start === 0) return found
    }
  } finally {
    await file.close()
  }
}

/** The newest of notes that is to be believed; signatures of older ones are not asked. */
const newestOf = (notes: ReadonlyArray<string>, keys: CheckpointKeys): SignedCheckpoint | undefined => {
  const claims = notes
    .flatMap((note) => {
      const claim = claimOf(note)
      return claim === undefined ? [] : [{ note, claim }]
    })
    .sort((left, right) => byAge(right.claim, left.claim))
  for (const { note } of claims) {
    const opened = openCheckpoint(keys, note)
    if (Result.isSuccess(opened)) return opened.success
  }
  return undefined
}

type Age = Pick<Checkpoint, "incarnation" | "size">

const byAge = (left: Age, right: Age): number => left.incarnation - right.incarnation || left.size - right.size
