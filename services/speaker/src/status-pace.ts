/** A status that says the same is repeated this often, as a sign of life. */
export const statusRepeatMs = 20_000

/** Changes that are not urgent are told at most this often. */
export const statusSpacingMs = 1_000

/** When the next status is due. Times are milliseconds of a clock that never goes back. */
export class StatusPace {
  #sentAtMs = Number.NEGATIVE_INFINITY
  #need: "none" | "soon" | "now" = "now"

  /** Something changed; `now` for a session that came or went. */
  changed(need: "soon" | "now"): void {
    if (this.#need !== "now") this.#need = need
  }

  /** Whether no status was ever sent. */
  get isFirst(): boolean {
    return this.#sentAtMs === Number.NEGATIVE_INFINITY
  }

  dueAtMs(): number {
    switch (this.#need) {
      case "now":
        return Number.NEGATIVE_INFINITY
      case "soon":
        return this.#sentAtMs + statusSpacingMs
      case "none":
        return this.#sentAtMs + statusRepeatMs
    }
  }

  /** A status is being sent; what changes from here on is for the next one. */
  sending(nowMs: number): void {
    this.#sentAtMs = nowMs
    this.#need = "none"
  }

  /** It did not arrive: the next one is due after the usual spacing. */
  failed(): void {
    this.changed("soon")
  }
}
