/** Of one leadership, so many commands without effect are remembered: those of seconds in which nobody hears an answer. */
const rememberedMax = 10_000

/**
 * Commands that were carried out and changed nothing, which the log has no trace of. A repeat that was late is one no more once
 * what was sent after it has come: it would set back what is told by now. An inventory minds that by itself, whoever leads (ADR 67).
 */
export class Effectless {
  readonly #ids = new Set<string>()

  has(commandId: string): boolean {
    return this.#ids.has(commandId)
  }

  add(commandId: string): void {
    this.#ids.add(commandId)
    if (this.#ids.size <= rememberedMax) return
    for (const oldest of this.#ids) {
      this.#ids.delete(oldest)
      return
    }
  }
}
