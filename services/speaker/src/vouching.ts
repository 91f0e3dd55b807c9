import type { LoadedRecords } from "./journal.ts"
import { restartTimeSeconds } from "./peer-options.ts"
import type { Turns } from "./turns.ts"

/** What vouching is about, and what it lets begin. */
export interface VouchingPort {
  readonly loaded: Omit<LoadedRecords, "records">
  /** Why what the disk has may be too old, in words; undefined where it is not. */
  readonly whyOld: string | undefined
  /** Whether the disk has the node's own intent. */
  readonly hasNodeIntent: boolean
  readonly turns: () => Turns
  /** The next process may take what the disk has for what it was when this one ran. */
  readonly beginLife: () => void
  /** Sessions that waited for a table may begin. */
  readonly beginWaiting: () => void
  /** The disk may be written anew, with what is in effect. */
  readonly compact: () => void
  readonly monotonicMs: () => number
}

/** Whether what the disk had may be announced, and whether all that is to be announced is known. */
export class Vouching {
  readonly #port: VouchingPort
  readonly #startedAtMs: number
  #isQuiet: boolean
  /** Nothing was on the disk, and the centre has not told everything yet. */
  #isNew: boolean

  constructor(port: VouchingPort) {
    this.#port = port
    this.#startedAtMs = port.monotonicMs()
    this.#isQuiet = port.loaded.damage === "lost" || port.whyOld !== undefined
    this.#isNew = !port.hasNodeIntent
  }

  /**
   * Something that was acknowledged is gone from the disk, or what is there is too old: nothing is announced before a head
   * vouches for it.
   */
  get isQuiet(): boolean {
    return this.#isQuiet
  }

  /** Whether it waits to be vouched for because it is old, which a person may do; what is lost a person cannot vouch for. */
  get isForAPerson(): boolean {
    return this.#isQuiet && this.#port.loaded.damage !== "lost"
  }

  /** Whether the node has all that it is to announce. */
  get isWhole(): boolean {
    return !this.#isQuiet && !this.#isNew
  }

  /** Why nothing is announced, and until when. */
  get whyQuiet(): string {
    const { loaded, whyOld } = this.#port
    const rest = "nothing is announced until NATS brings"
    return loaded.damage === "lost"
      ? `something that was in effect is lost, ${rest} it again (${loaded.faults.join("; ")})`
      : `${whyOld}; ${rest} what the centre says now`
  }

  /** What the disk had is vouched for, by the centre or by a person at the node, and is announced if it was not. */
  vouched(): void {
    if (!this.#isQuiet) return
    const { turns, beginLife, beginWaiting, compact } = this.#port
    turns().run() // a tombstone that came with the head is in the table before the table is announced
    this.#isQuiet = false
    beginLife()
    beginWaiting()
    turns().tellAll()
    compact()
  }

  /** The centre has told everything that it speaks of. */
  toldAll(): void {
    if (!this.#isNew) return
    this.#port.turns().run() // what came last is in the table before a table is announced
    this.#isNew = false
    this.#port.beginWaiting()
  }

  /** Time passed: once no router keeps anything of a process before, nothing is lost by a table that is not whole. */
  tick(): void {
    if (this.#port.monotonicMs() - this.#startedAtMs >= restartTimeSeconds * 1000) this.toldAll()
  }
}
