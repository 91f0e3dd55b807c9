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

/** Writes one batch after the other. A disk that refuses is asked until it does not: intents wait, routes stay. */
export class Saver {
  readonly #port: SaverPort
  #last: Promise<void> = Promise.resolve()

  constructor(port: SaverPort) {
    this.#port = port
  }

  /** Answers when the disk has the records. */
  save(records: ReadonlyArray<SavedRecord>): Promise<void> {
    this.#last = this.#last.then(async () => {
      await this.#append(records)
      if (this.#port.journal.isLong() && this.#port.mayCompact()) this.#compact()
    })
    return this.#last
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
