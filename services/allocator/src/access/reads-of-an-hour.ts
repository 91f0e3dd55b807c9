/** How many different questions of one actor have a row of their own within an hour. */
export const rowsAnHour = 500

const hourMs = 3_600_000

/** Actors that are kept count of. */
const actorsMax = 10_000

interface Hour {
  readonly begunMs: number
  count: number
}

/**
 * What is written down of who asks very much, so that no script fills the database: the first questions of an hour each, then
 * the first, second, fourth, eighth and so on of those beyond, with how many these are.
 */
export class ReadsOfAnHour {
  readonly #hours = new Map<string, Hour>()

  /** One that was counted has no row after all. */
  takeBack(actor: string): void {
    const hour = this.#hours.get(actor)
    if (hour !== undefined && hour.count > 0) hour.count -= 1
  }

  /** Counts one more question. Answers which of those beyond it is, 0 for none, or that it has no row. */
  ask(actor: string, nowMs: number): number | undefined {
    const known = this.#hours.get(actor)
    const isOver = known === undefined || nowMs - known.begunMs >= hourMs
    const hour = isOver ? { begunMs: nowMs, count: 0 } : known
    if (isOver) {
      if (this.#hours.size >= actorsMax) this.#hours.clear()
      this.#hours.set(actor, hour)
    }
    hour.count += 1
    const beyond = Math.max(0, hour.count - rowsAnHour)
    return Number.isInteger(Math.log2(Math.max(1, beyond))) ? beyond : undefined
  }
}
