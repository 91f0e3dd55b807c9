import type { NodeStatus } from "@lowtide/bus/status"
import type { Refusal } from "./trust.ts"

/** Subjects that are remembered as refused for one reason; of more it is said that there are at least so many. */
const subjectsMax = 1_000

interface Standing {
  readonly code: Refusal["code"]
  readonly message: string
  readonly sinceMs: number
}

/**
 * What is refused now: under which subjects the newest message is not taken, until one is, or a head shows that nothing is
 * lacking. A stamp that is too old is none of it: what is newer is held.
 */
export class StandingRefusals {
  readonly #bySubject = new Map<string, Standing>()
  readonly #counts = new Map<Refusal["code"], number>()
  readonly #changed: () => void

  /** `changed`: a status would say something else now. */
  constructor(changed: () => void) {
    this.#changed = changed
  }

  note({ key, code, message }: Refusal, nowMs: number): void {
    const standing = this.#bySubject.get(key)
    if (code === "LT0403" || standing?.code === code) return
    const wasAnother = this.#drop(key)
    if (this.#countOf(code) >= subjectsMax) {
      if (wasAnother) this.#changed()
      return
    }
    this.#bySubject.set(key, { code, message, sinceMs: nowMs })
    this.#counts.set(code, this.#countOf(code) + 1)
    this.#changed()
  }

  /** A message of the subject was taken, or is the one that is held. */
  taken(key: string): void {
    if (this.#drop(key)) this.#changed()
  }

  /** A head agrees with what is held: what was refused is no part of it, save what counts as seen (LT0402). */
  agreed(): void {
    for (const [key, { code }] of this.#bySubject) if (code !== "LT0402") this.taken(key)
  }

  /** A new incarnation says everything anew: what counted as seen was of the one before. */
  saidAnew(): void {
    for (const [key, { code }] of this.#bySubject) if (code === "LT0402") this.taken(key)
  }

  /** Everything is judged anew. */
  forget(): void {
    if (this.#bySubject.size === 0) return
    this.#bySubject.clear()
    this.#counts.clear()
    this.#changed()
  }

  /** For a status, by code: nothing where nothing is refused. */
  get status(): Pick<NodeStatus, "refusing"> {
    const byCode = new Map<string, { code: string; count: number; message: string; sinceMs: number }>()
    for (const { code, message, sinceMs } of this.#bySubject.values()) {
      const before = byCode.get(code)
      const count = (before?.count ?? 0) + 1
      byCode.set(code, { code, count, message, sinceMs: Math.min(sinceMs, before?.sinceMs ?? sinceMs) })
    }
    if (byCode.size === 0) return {}
    return {
      refusing: [...byCode.values()].map(({ sinceMs, ...rest }) => ({
        ...rest,
        since: new Date(sinceMs).toISOString()
      }))
    }
  }

  #countOf(code: Refusal["code"]): number {
    return this.#counts.get(code) ?? 0
  }

  #drop(key: string): boolean {
    const standing = this.#bySubject.get(key)
    if (standing === undefined) return false
    this.#counts.set(standing.code, this.#countOf(standing.code) - 1)
    return this.#bySubject.delete(key)
  }
}
