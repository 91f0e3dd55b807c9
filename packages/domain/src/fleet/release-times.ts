import { budgetPeriodSecondsMax } from "../config/index.ts"

/** The longest period that a budget may have, milliseconds. */
export const budgetPeriodMsMax = budgetPeriodSecondsMax * 1000

interface Release {
  readonly stream: string
  readonly atMs: number
}

/**
 * When addresses were released, in the order of that: asking what was released since a time costs what there is since, and
 * nothing is kept that is older than the longest period. What a VIP's own state says is what counts: an entry that it
 * contradicts is for the reader to pass over.
 */
export class ReleaseTimes {
  #releases: Array<Release> = []
  #isSorted = true
  /** The last that was noted of a stream: a VIP's state is put in again for whatever else changes of it. */
  #lastOf = new Map<string, number>()

  add(stream: string, atMs: number): void {
    if (this.#lastOf.get(stream) === atMs) return
    this.#lastOf.set(stream, atMs)
    const last = this.#releases.at(-1)
    this.#isSorted &&= last === undefined || last.atMs <= atMs
    this.#releases.push({ stream, atMs })
  }

  /** Streams of what was released after the time, by the newest first; one may come twice. */
  *since(afterMs: number): Iterable<Release> {
    this.#order()
    for (let index = this.#releases.length - 1; index >= 0; index--) {
      const release = this.#releases[index]
      if (release === undefined || release.atMs <= afterMs) return
      yield release
    }
  }

  #order(): void {
    // States are loaded in any order, and the database's clock may be set back.
    if (!this.#isSorted) this.#releases.sort((left, right) => left.atMs - right.atMs)
    this.#isSorted = true
    const newestMs = this.#releases.at(-1)?.atMs ?? 0
    const oldestMs = this.#releases[0]?.atMs ?? 0
    if (newestMs - oldestMs < 2 * budgetPeriodMsMax) return // so that forgetting is paid for by what was added
    this.#releases = this.#releases.filter(({ atMs }) => newestMs - atMs < budgetPeriodMsMax)
    this.#lastOf = new Map(this.#releases.map(({ stream, atMs }) => [stream, atMs]))
  }
}
