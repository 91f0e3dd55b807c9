import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync
} from "node:fs"
import { type FileHandle, open, readFile } from "node:fs/promises"
import { join } from "node:path"
import { decodeBatches, encodeBatch, encodeEnd, type SavedRecord } from "./journal-record.ts"

/** What the disk had when the process began. */
export interface LoadedRecords {
  /** Oldest first; of what is said twice the last counts, or, for messages, the newest stamp. */
  readonly records: ReadonlyArray<SavedRecord>
  /**
   * None; the torn end of a batch that was never acknowledged; a damaged file that the other generation makes up for; or
   * something that was acknowledged and is in no file any more.
   */
  readonly damage: "none" | "torn" | "repaired" | "lost"
  /** Each damaged file, in words. */
  readonly faults: ReadonlyArray<string>
}

/** An append-only journal with a snapshot before it, in two generations. */
export interface Journal {
  /** Writes the records as one batch and answers when the disk has them. One call at a time. */
  readonly append: (records: ReadonlyArray<SavedRecord>) => Promise<void>
  /** Whether the journal has outgrown its bound, so that a snapshot is due. */
  readonly isLong: () => boolean
  /** Begins a new generation with a snapshot of everything, and drops all but the one before. */
  readonly compact: (all: ReadonlyArray<SavedRecord>) => void
  readonly close: () => Promise<void>
}

/** A journal of this length is replaced by a snapshot, unless that would be longer. */
export const journalBytesMax = 4 * 1024 ** 2

const snapshotName = (generation: number): string => `snapshot-${generation}`
const journalName = (generation: number): string => `journal-${generation}`

/**
 * Reads what the folder holds, from every file and every intact line: records are merged by what they say, so an older
 * generation beside a newer one adds what that may have lost and never takes anything back. Makes the folder if missing.
 */
export const openJournal = (
  folder: string,
  bytesMax = journalBytesMax
): { readonly loaded: LoadedRecords; readonly journal: Journal } => {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const generations = generationsIn(folder)
  const loaded = load(folder, generations)
  return { loaded, journal: new FolderJournal(folder, generations.at(-1) ?? 0, bytesMax) }
}

const generationsIn = (folder: string): ReadonlyArray<number> => {
  const numbers = readdirSync(folder).flatMap((name) => {
    const match = /^(?:snapshot|journal)-(\d+)$/.exec(name)
    return match === null ? [] : [Number(match[1])]
  })
  return [...new Set(numbers)].sort((left, right) => left - right)
}

const load = (folder: string, generations: ReadonlyArray<number>): LoadedRecords => {
  const records: Array<SavedRecord> = []
  const faults: Array<string> = []
  let damage: LoadedRecords["damage"] = "none"
  /** Whether everything acknowledged up to here is among the records. */
  let isWhole = generations[0] === undefined || generations[0] === 0
  for (const generation of generations) {
    const snapshot = read(folder, snapshotName(generation))
    if (snapshot !== undefined) {
      records.push(...snapshot.records)
      if (snapshot.isEnded && snapshot.damaged === 0) isWhole = true
      else {
        faults.push(`${join(folder, snapshotName(generation))} is damaged or not complete`)
        damage = "repaired"
      }
    }
    const journal = read(folder, journalName(generation))
    if (journal === undefined) continue
    records.push(...journal.records)
    const isNewest = generation === generations.at(-1)
    if (journal.damaged > 0 || (journal.isCut && !isNewest)) {
      faults.push(`${join(folder, journalName(generation))} is damaged in ${journal.damaged || 1} of its batches`)
      isWhole = false
      damage = "repaired"
    } else if (journal.isCut) {
      faults.push(`${join(folder, journalName(generation))} ends in the middle of a batch, which was not in effect`)
      if (damage === "none") damage = "torn"
    }
  }
  return { records, damage: isWhole ? damage : "lost", faults }
}

const read = (folder: string, name: string) => {
  try {
    return decodeBatches(readFileSync(join(folder, name), "utf8"))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined
    throw cause
  }
}

class FolderJournal implements Journal {
  readonly #folder: string
  readonly #bytesMax: number
  #generation: number
  #file: FileHandle | undefined
  /** Of the journal, as far as it is known to be whole. */
  #bytes = 0
  #isTorn = false
  #snapshotBytes = 0

  constructor(folder: string, generation: number, bytesMax: number) {
    this.#folder = folder
    this.#generation = generation
    this.#bytesMax = bytesMax
  }

  append = async (records: ReadonlyArray<SavedRecord>): Promise<void> => {
    this.#file ??= await this.#open()
    const file = this.#file
    const text = Buffer.from(encodeBatch(records))
    // What a failed write or a crash left is cut off: in the middle of the file it would look like a loss.
    if (this.#isTorn) await file.truncate(this.#bytes)
    this.#isTorn = true
    await file.appendFile(text)
    await file.datasync()
    this.#isTorn = false
    this.#bytes += text.length
  }

  isLong = (): boolean => this.#bytes > Math.max(this.#bytesMax, this.#snapshotBytes)

  compact = (all: ReadonlyArray<SavedRecord>): void => {
    const next = this.#generation + 1
    const path = join(this.#folder, snapshotName(next))
    const lines = all.map((record) => encodeBatch([record]))
    const text = lines.join("") + encodeEnd(lines.length)
    writeWhole(`${path}.new`, text)
    renameSync(`${path}.new`, path)
    syncFolder(this.#folder)
    const file = this.#file
    this.#file = undefined
    this.#generation = next
    this.#bytes = 0
    this.#isTorn = false
    this.#snapshotBytes = text.length
    file?.close().catch(() => undefined) // all of it is on the disk
    for (const generation of generationsIn(this.#folder)) {
      if (generation >= next - 1) continue
      rmSync(join(this.#folder, snapshotName(generation)), { force: true })
      rmSync(join(this.#folder, journalName(generation)), { force: true })
    }
  }

  close = async (): Promise<void> => {
    await this.#file?.close()
    this.#file = undefined
  }

  async #open(): Promise<FileHandle> {
    const path = join(this.#folder, journalName(this.#generation))
    const file = await open(path, "a", 0o600)
    syncFolder(this.#folder)
    const octets = await readFile(path)
    this.#bytes = wholeBytes(octets)
    this.#isTorn = this.#bytes < octets.length
    return file
  }
}

/** The length without a last line that is cut or damaged. */
const wholeBytes = (octets: Buffer): number =>
  decodeBatches(octets.toString()).isCut ? octets.lastIndexOf(lineFeed, octets.length - 2) + 1 : octets.length

const lineFeed = 0x0a

const writeWhole = (path: string, text: string): void => {
  const descriptor = openSync(path, "w", 0o600)
  try {
    const octets = Buffer.from(text)
    for (let written = 0; written < octets.length; ) written += writeSync(descriptor, octets, written)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** Makes new and renamed names in the folder last. */
const syncFolder = (folder: string): void => {
  const descriptor = openSync(folder, "r")
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
