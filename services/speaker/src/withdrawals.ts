import type { VipIntent } from "@lowtide/domain/announcing/intent"
import { confirm, type PendingTombstones, type SessionTrace } from "./confirm.ts"

/** The withdrawals that are decided and that some router may not have carried out yet. */
export class Withdrawals {
  #pending: ReadonlyArray<PendingTombstones> = []

  get count(): number {
    return this.#pending.length
  }

  /** Notes what of these is withdrawn in a turn. */
  note(turn: number, vips: ReadonlyArray<VipIntent>): void {
    const tombstones = vips.flatMap(({ state, cseq }) => (state === "withdrawn" ? cseq : []))
    if (tombstones.length > 0) this.#pending = [...this.#pending, { turn, cseq: Math.min(...tombstones) }]
  }

  /** Up to which message all is confirmed by now; see `confirm`. */
  confirm(facts: {
    readonly completeCseq: number
    readonly sessions: Iterable<SessionTrace>
    readonly nowMs: number
  }): number {
    const { pending, confirmedCseq } = confirm({ ...facts, pending: this.#pending })
    this.#pending = pending
    return confirmedCseq
  }
}
