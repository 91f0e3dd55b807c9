import type { Refusal } from "./trust.ts"

/** Refusals that a status carries. */
export const recentMax = 20

/** A fault that goes on is said again after this long. */
export const repeatMs = 60_000

/** Distinct faults that are remembered; past it the oldest are forgotten, and would be said again. */
const distinctMax = 1_000

/** One fault as a status shows it. */
export interface RecentRefusal {
  readonly code: string
  readonly message: string
  /** RFC 3339. */
  readonly at: string
}

/** Counts refusals, keeps the newest and tells which are worth a line: each distinct one once a minute. */
export class RefusalLog {
  readonly #counts = new Map<string, number>()
  /** When each was last said; the least recently said first. */
  readonly #saidAtMs = new Map<string, number>()
  readonly #recent = new Map<string, RecentRefusal>()

  /** By code, since the process began. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts
  }

  /** The newest last. */
  get recent(): ReadonlyArray<RecentRefusal> {
    return [...this.#recent.values()]
  }

  /** Whether to say it. `nowMs` is the time of day in milliseconds since 1970. */
  note({ code, message, fault = message }: Omit<Refusal, "key">, nowMs: number): boolean {
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + 1)
    const id = `${code} ${fault}`
    const saidAtMs = this.#saidAtMs.get(id)
    if (saidAtMs !== undefined && nowMs - saidAtMs < repeatMs) return false
    this.#saidAtMs.delete(id)
    this.#saidAtMs.set(id, nowMs)
    if (this.#saidAtMs.size > distinctMax) this.#saidAtMs.delete(this.#saidAtMs.keys().next().value ?? "")
    this.#recent.delete(id)
    this.#recent.set(id, { code, message, at: new Date(nowMs).toISOString() })
    if (this.#recent.size > recentMax) this.#recent.delete(this.#recent.keys().next().value ?? "")
    return true
  }
}
