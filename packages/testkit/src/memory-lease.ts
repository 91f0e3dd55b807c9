import { Option } from "effect"

/** The lease row: who leads until when, by the clock it is given. */
export class MemoryLease {
  readonly #nowMs: () => number
  #epoch = 0
  #expiresAtMs = Number.NEGATIVE_INFINITY
  #holder = ""

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** The new epoch, above the lease's and the head's, when the lease has expired. */
  acquire(holder: string, ttlMs: number, headEpoch: number): Option.Option<number> {
    if (this.#expiresAtMs > this.#nowMs()) return Option.none()
    this.#holder = holder
    this.#epoch = Math.max(this.#epoch, headEpoch) + 1
    this.#expiresAtMs = this.#nowMs() + ttlMs
    return Option.some(this.#epoch)
  }

  /** False when the lease is another's or has expired. */
  renew(epoch: number, ttlMs: number): boolean {
    if (epoch !== this.#epoch || this.#expiresAtMs <= this.#nowMs()) return false
    this.#expiresAtMs = this.#nowMs() + ttlMs
    return true
  }

  /** Whether it is this one's now. */
  isHeldBy(holder: string): boolean {
    return holder === this.#holder && this.#expiresAtMs > this.#nowMs()
  }

  /** Ends the lease now, when that epoch still holds it. */
  release(epoch: number): void {
    if (epoch === this.#epoch) this.#expiresAtMs = Math.min(this.#expiresAtMs, this.#nowMs())
  }
}
