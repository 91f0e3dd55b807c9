import { closeSync, fsyncSync, openSync, readFileSync, renameSync, statSync, utimesSync, writeSync } from "node:fs"
import { join } from "node:path"
import { Stamp } from "@lowtide/domain/announcing/intent"
import { Result, Schema } from "effect"

/** How a speaker's process lived, for the next one. */
const LifeFile = Schema.Struct({
  /** In which boot of the node it ran. */
  bootId: Schema.String,
  /** When a head of the centre last agreed with what it held, milliseconds since 1970; null: never. */
  agreedAtMs: Schema.NullOr(Schema.Number),
  /** By peer, the newest stamp that was held when the peer lost this node's routes. */
  lost: Schema.Record(Schema.String, Stamp)
})
type LifeFile = typeof LifeFile.Type

/** What is known of the process before this one. */
export interface FormerLife extends LifeFile {
  /** When it was last seen to run, milliseconds since 1970. */
  readonly aliveAtMs: number
}

/** How often a running process is noted, and how often on the disk for good that the centre agreed. */
const aliveEveryMs = 5_000
const agreedEveryMs = 600_000

/** What is older than this when a node boots may long be somebody else's, and is not announced before the centre says so. */
const oldAfterMs = 24 * 3_600_000

/**
 * The file in which a process notes that it lives, in which boot, and what of it the next one has to know. Until this process
 * begins, the file stays as the one before left it.
 */
export class Life {
  /** Undefined where there is none, or its file cannot be read. */
  readonly former: FormerLife | undefined
  /** What is wrong with the file, in words: then there was a process, and nothing else is known of it. */
  readonly #fault: string | undefined
  readonly #path: string
  readonly #say: (text: string) => void
  #written: LifeFile
  #touchedAtMs = Number.NEGATIVE_INFINITY
  #hasBegun = false
  #isFailing = false

  /** `bootId`: `/proc/sys/kernel/random/boot_id`. */
  constructor(folder: string, { bootId, say }: { readonly bootId: string; readonly say: (text: string) => void }) {
    this.#path = join(folder, "life.json")
    this.#say = say
    const { former, fault } = read(this.#path)
    this.former = former
    this.#fault = fault
    this.#written = { bootId, agreedAtMs: this.former?.agreedAtMs ?? null, lost: this.former?.lost ?? {} }
  }

  /**
   * Whether the node has booted since the process before, or may have, where that one's file cannot be read; undefined where there
   * was none, or its file is gone.
   */
  get hasBooted(): boolean | undefined {
    if (this.#fault !== undefined) return true
    return this.former && this.former.bootId !== this.#written.bootId
  }

  /**
   * Why what the disk has may be too old to be announced unasked, in words: the node has booted, and it is; or nothing says how old
   * it is. A clock that runs behind what was noted says nothing.
   */
  whyOld(unixMs: number): string | undefined {
    if (this.#fault !== undefined) return `nothing says how old what this node knows is (${this.#fault})`
    const { former } = this
    if (this.hasBooted !== true || former === undefined) return undefined
    const ageMs = unixMs - (former.agreedAtMs ?? former.aliveAtMs)
    if (ageMs <= oldAfterMs) return undefined
    return `this node has booted, and what it knows is ${Math.floor(ageMs / 3_600_000)} h old`
  }

  /** The process lives at this time; the centre last agreed at the other, milliseconds since 1970. */
  note(unixMs: number, agreedAtMs: number | undefined): void {
    const isAgreedNews = agreedAtMs !== undefined && agreedAtMs - (this.#written.agreedAtMs ?? 0) >= agreedEveryMs
    if (!this.#hasBegun) return
    if (isAgreedNews) this.#write({ ...this.#written, agreedAtMs }, unixMs)
    else if (Math.abs(unixMs - this.#touchedAtMs) >= aliveEveryMs) {
      this.#try(() => utimesSync(this.#path, unixMs / 1000, unixMs / 1000))
      this.#touchedAtMs = unixMs
    }
  }

  /** What peers have lost is on the disk when this returns, if the process has begun. */
  keepLost(lost: ReadonlyMap<string, Stamp>, unixMs: number): void {
    this.#write({ ...this.#written, lost: Object.fromEntries(lost) }, unixMs)
  }

  /** This process is the one that lives from now on. One that waits for what it found to be vouched for is not: the next has to wait as well. */
  begin(unixMs: number): void {
    this.#hasBegun = true
    this.#write(this.#written, unixMs)
  }

  #write(file: LifeFile, unixMs: number): void {
    this.#written = file
    if (!this.#hasBegun) return
    this.#touchedAtMs = unixMs
    this.#try(() => {
      const draft = `${this.#path}.new`
      const descriptor = openSync(draft, "w", 0o600)
      try {
        writeSync(descriptor, JSON.stringify(file))
        fsyncSync(descriptor)
      } finally {
        closeSync(descriptor)
      }
      renameSync(draft, this.#path)
      utimesSync(this.#path, unixMs / 1000, unixMs / 1000)
    })
  }

  /** Without this file routes stay as they are: a disk that is full is told of, and no more. */
  #try(write: () => void): void {
    try {
      write()
      this.#isFailing = false
    } catch (cause) {
      if (!this.#isFailing) this.#say(`${this.#path}: ${String(cause)}; the next process will not know of this one`)
      this.#isFailing = true
    }
  }
}

/** What a speaker asks of it. */
export type SpeakerLife = Pick<Life, "former" | "hasBooted" | "whyOld" | "begin" | "note" | "keepLost">

const decodeFile = Schema.decodeUnknownResult(Schema.fromJsonString(LifeFile))

/** What the file says; neither where there is none. */
const read = (path: string): { readonly former?: FormerLife; readonly fault?: string } => {
  try {
    const file = Result.getOrUndefined(decodeFile(readFileSync(path, "utf8")))
    return file === undefined
      ? { fault: `${path}: expected a boot, a time and what was lost as JSON, found damage` }
      : { former: { ...file, aliveAtMs: statSync(path).mtimeMs } }
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    return code === "ENOENT" ? {} : { fault: `${path}: expected a file that can be read, found ${message}` }
  }
}

/** Names the boot of the machine (random(4)); empty where there is no /proc. */
export const bootId = (): string => {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()
  } catch {
    return ""
  }
}
