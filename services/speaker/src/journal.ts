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
import { type Mark, MarkFile, markedBytes, readMark } from "./journal-mark.ts"
import { decodeBatches, encodeBatch, encodeEnd, type ReadBatches, type SavedRecord } from "./journal-record.ts"

/** What the disk had when the process began. */
export interface LoadedRecords {
  /** Oldest first; of what is said twice the last counts, or, for messages, the newest stamp. */
  readonly records: ReadonlyArray<SavedRecord>
  /**
   * None; the torn end of a batch that was never acknowledged; a file, damaged or not to be read, that the other generation
   * makes up for; or something that was acknowledged and is in no file that can be read.
   */
  readonly damage: "none" | "torn" | "repaired" | "lost"
  /** Each such file, in words: what was expected of it, and what was found. */
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
  const { mark, fault } = readMark(folder)
  const generations = withMarked(generationsIn(folder), mark)
  const newest = generations.at(-1) ?? 0
  const { isWritable, newestBytes, ...loaded } = load(folder, generations, mark)
  const begun = isWritable
    ? {
        generation: newest,
        acknowledgedBytes: Math.max(newestBytes, markedBytes(mark, newest) ?? 0),
        beforeBytes: markedBytes(mark, newest - 1)
      }
    : { generation: newest + 1, acknowledgedBytes: 0, beforeBytes: undefined }
  const journal = new FolderJournal(folder, { ...begun, bytesMax })
  return { loaded: { ...loaded, faults: fault === undefined ? loaded.faults : [...loaded.faults, fault] }, journal }
}

const generationsIn = (folder: string): ReadonlyArray<number> => {
  const numbers = readdirSync(folder).flatMap((name) => {
    const match = /^(?:snapshot|journal)-(\d+)$/.exec(name)
    return match === null ? [] : [Number(match[1])]
  })
  return [...new Set(numbers)].sort((left, right) => left - right)
}

/** A generation that was written to counts also where its files are gone; what snapshots came after makes up for it. */
const withMarked = (found: ReadonlyArray<number>, mark: Mark | undefined): ReadonlyArray<number> =>
  mark !== undefined && mark.generation > (found.at(-1) ?? -1) ? [...found, mark.generation] : found

/** `isWritable`: whether the newest journal may be written on, as one that cannot be read may not; `newestBytes`: its length. */
const load = (
  folder: string,
  generations: ReadonlyArray<number>,
  mark: Mark | undefined
): LoadedRecords & { readonly isWritable: boolean; readonly newestBytes: number } => {
  const records: Array<SavedRecord> = []
  const faults: Array<string> = []
  let damage: LoadedRecords["damage"] = "none"
  let isWritable = true
  let newestBytes = 0
  /** A journal that is whole as far as can be told; what comes after it may have to make up for it. */
  let untold: string | undefined
  /** Whether everything acknowledged up to here is among the records. */
  let isWhole = generations[0] === undefined || generations[0] === 0
  for (const generation of generations) {
    const snapshot = read(folder, snapshotName(generation))
    for (const record of snapshot.records) records.push(record)
    if (snapshot.isEnded && snapshot.damaged === 0) isWhole = true
    else if (snapshot.isThere || generation > 0) {
      if (untold !== undefined) faults.push(untold)
      const found = snapshot.isThere ? "it damaged or not complete" : "no file"
      faults.push(snapshot.fault ?? `${snapshot.path}: expected a whole snapshot, found ${found}`)
      // One that begins without was begun beside a journal that could not be read, however that one looks by now.
      if (!snapshot.isThere) isWhole = false
      damage = "repaired"
    }
    const journal = read(folder, journalName(generation))
    for (const record of journal.records) records.push(record)
    const isNewest = generation === generations.at(-1)
    const marked = markedBytes(mark, generation)
    const fault = journal.fault ?? lossIn(journal, marked, isNewest)
    isWritable = journal.fault === undefined
    newestBytes = journal.wholeBytes
    untold = undefined
    if (fault !== undefined) {
      faults.push(fault)
      isWhole = false
      damage = "repaired"
    } else if (journal.isCut) {
      const unless = marked === undefined ? ", as far as can be told: nothing says how long the file was" : ""
      faults.push(`${journal.path} ends in the middle of a batch, which was not in effect${unless}`)
      if (damage === "none") damage = "torn"
    } else if (marked === undefined && !isNewest) {
      untold = `${journal.path}: nothing says how long it was`
      isWhole = false
    }
  }
  return { records, damage: isWhole ? damage : "lost", faults, isWritable, newestBytes }
}

/** What a journal that can be read has lost; undefined where everything acknowledged is there. */
const lossIn = (journal: ReadFile, marked: number | undefined, isNewest: boolean): string | undefined => {
  const { path, damaged, isCut, wholeBytes } = journal
  if (damaged > 0 || (isCut && !isNewest)) {
    return `${path}: expected whole batches, found ${damaged || 1} of them damaged`
  }
  if (marked === undefined || wholeBytes >= marked) return undefined
  return `${path}: expected the ${marked} bytes that were acknowledged, found ${journal.isThere ? wholeBytes : "no file"}`
}

interface ReadFile extends ReadBatches {
  readonly path: string
  readonly isThere: boolean
  /** The length without a last line that is cut or damaged. */
  readonly wholeBytes: number
  /** Why it cannot be read, in words. */
  readonly fault?: string
}

/** A file that is not there has nothing in it, and neither has one that cannot be read. */
const read = (folder: string, name: string): ReadFile => {
  const path = join(folder, name)
  try {
    const octets = readFileSync(path)
    const batches = decodeBatches(octets.toString())
    return { ...batches, path, isThere: true, wholeBytes: wholeBytesOf(octets, batches) }
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const nothing = { records: [], damaged: 0, isCut: false, isEnded: false, path, wholeBytes: 0 }
    if (code === "ENOENT") return { ...nothing, isThere: false }
    return { ...nothing, isThere: true, fault: `${path}: expected a file that can be read, found ${message}` }
  }
}

class FolderJournal implements Journal {
  readonly #folder: string
  readonly #bytesMax: number
  #generation: number
  #file: FileHandle | undefined
  readonly #mark: MarkFile
  /** Of the journal, as far as it is known to be whole. */
  #bytes = 0
  /** What it would be if the disk had lost nothing of it: a loss is one until a snapshot makes up for it. */
  #acknowledgedBytes: number
  /** The same of the journal before, as far as it is known: together with its snapshot it makes up for a snapshot that is damaged. */
  #beforeBytes: number | undefined
  #isTorn = false
  #snapshotBytes = 0

  constructor(
    folder: string,
    begun: {
      readonly generation: number
      readonly acknowledgedBytes: number
      readonly beforeBytes: number | undefined
      readonly bytesMax: number
    }
  ) {
    this.#folder = folder
    this.#mark = new MarkFile(folder)
    this.#generation = begun.generation
    this.#acknowledgedBytes = begun.acknowledgedBytes
    this.#beforeBytes = begun.beforeBytes
    this.#bytesMax = begun.bytesMax
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
    this.#acknowledgedBytes += text.length
    await this.#mark.write({
      generation: this.#generation,
      bytes: this.#acknowledgedBytes,
      ...(this.#beforeBytes !== undefined && { before: this.#beforeBytes })
    })
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
    this.#beforeBytes = this.#acknowledgedBytes
    this.#bytes = 0
    this.#acknowledgedBytes = 0
    this.#isTorn = false
    this.#snapshotBytes = text.length
    file?.close().catch(() => undefined) // all of it is on the disk
    for (const generation of generationsIn(this.#folder)) {
      if (generation >= next - 1) continue
      // The snapshot last: a journal alone is taken for a loss.
      rmSync(join(this.#folder, journalName(generation)), { force: true, recursive: true })
      rmSync(join(this.#folder, snapshotName(generation)), { force: true, recursive: true })
    }
  }

  close = async (): Promise<void> => {
    await this.#file?.close()
    this.#file = undefined
    await this.#mark.close()
  }

  async #open(): Promise<FileHandle> {
    const path = join(this.#folder, journalName(this.#generation))
    const file = await open(path, "a", 0o600)
    syncFolder(this.#folder)
    const octets = await readFile(path)
    this.#bytes = wholeBytesOf(octets, decodeBatches(octets.toString()))
    this.#acknowledgedBytes = Math.max(this.#acknowledgedBytes, this.#bytes)
    this.#isTorn = this.#bytes < octets.length
    return file
  }
}

/** The length without a last line that is cut or damaged. */
const wholeBytesOf = (octets: Buffer, { isCut }: ReadBatches): number =>
  isCut ? octets.lastIndexOf(lineFeed, octets.length - 2) + 1 : octets.length

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
