import type { Journal } from "./journal.ts"
import type { SavedRecord } from "./journal-record.ts"

/** What saving asks of its owner. */
export interface SaverPort {
  readonly journal: Journal
  /** Everything worth keeping, for a snapshot. */
  readonly everything: () => ReadonlyArray<SavedRecord>
  /** Whether a snapshot may take the place of what is on the disk. */
  readonly mayCompact: () => boolean
  readonly say: (severity: "warning" | "error", text: string) => void
  readonly wait: (delayMs: number) => Promise<void>
}

/** A batch that the disk did not take is tried again after this long. */
export const saveRetryMs = 1_000

/** A batch that has not begun to be written. */
interface Waiting {
  /** By what they are about: of what is said twice the last counts, so that a disk that is away makes no list grow for ever. */
  readonly records: Map<string, SavedRecord>
  readonly saved: Promise<void>
}

/** Writes one batch after the other. A disk that refuses is asked until it does not: intents wait, routes stay. */
export class Saver {
  readonly #port: SaverPort
  #last: Promise<void> = Promise.resolve()
  #waiting: Waiting | undefined

  constructor(port: SaverPort) {
    this.#port = port
  }

  /** Answers when the disk has the records. What comes while a batch is written goes into the next one, together. */
  save(records: ReadonlyArray<SavedRecord>): Promise<void> {
    this.#waiting ??= this.#begin()
    for (const record of records) {
      const about = aboutOf(record)
      this.#waiting.records.delete(about) // the order is that of the last word
      this.#waiting.records.set(about, record)
    }
    return this.#waiting.saved
  }

  #begin(): Waiting {
    const records = new Map<string, SavedRecord>()
    const saved = this.#last.then(async () => {
      this.#waiting = undefined
      await this.#append([...records.values()])
      if (this.#port.journal.isLong() && this.#port.mayCompact()) this.#compact()
    })
    this.#last = saved
    return { records, saved }
  }

  /** Replaces the journal by a snapshot, after the batches that wait. */
  compact(): void {
    this.#last = this.#last.then(() => this.#compact())
  }

  async #append(records: ReadonlyArray<SavedRecord>): Promise<void> {
    for (;;) {
      try {
        return await this.#port.journal.append(records)
      } catch (cause) {
        this.#port.say("error", `the state cannot be saved, new intents wait: ${String(cause)}`)
        await this.#port.wait(saveRetryMs)
      }
    }
  }

  #compact(): void {
    try {
      this.#port.journal.compact(this.#port.everything())
    } catch (cause) {
      this.#port.say("warning", `the journal cannot be replaced by a snapshot, it grows on: ${String(cause)}`)
    }
  }
}

const aboutOf = (record: SavedRecord): string => {
  switch (record._tag) {
    case "Message":
      return `message ${record.key}`
    case "Health":
      return `health ${record.service}`
    case "Session":
      return `session ${record.session}`
  }
}
