import type { IntentRow } from "@lowtide/ledger"

/** How long NATS may take to store what is under way, milliseconds: at first, and once it has shown to be slow. */
const patienceMs = { least: 2_000, most: 32_000 } as const

/** Where a cluster's messages were left off, of which not all could be sent. */
interface LeftOff {
  /** The number after which the sending began. */
  readonly sinceCseq: number
  /** The last message that NATS has acknowledged. */
  readonly last: IntentRow
}

/**
 * Lets a publisher come to an end with a NATS that is slow: it waits twice as long after each time in vain, and begins where it
 * left off, not at its beginning.
 */
export class PublishingPace {
  readonly #leftOff = new Map<string, LeftOff>()
  #patienceMs: number = patienceMs.least

  /** For how long an acknowledgement is waited for now. */
  get patienceMs(): number {
    return this.#patienceMs
  }

  /** It failed: another time longer. */
  inVain(): void {
    this.#patienceMs = Math.min(this.#patienceMs * 2, patienceMs.most)
  }

  /** It took so long in all: patience that was not needed goes by and by. */
  took(ms: number): void {
    if (ms < this.#patienceMs / 2) this.#patienceMs = Math.max(this.#patienceMs / 2, patienceMs.least)
  }

  /** NATS has all of the cluster's messages from after `sinceCseq` to this one. */
  stored(sinceCseq: number, last: IntentRow): void {
    this.#leftOff.set(last.cluster, { sinceCseq, last })
  }

  /** Up to which message NATS had all that came after `sinceCseq`, if it has not lost it since; undefined where nothing is left off. */
  leftOff(cluster: string, sinceCseq: number): IntentRow | undefined {
    const place = this.#leftOff.get(cluster)
    return place !== undefined && place.sinceCseq <= sinceCseq && place.last.cseq > sinceCseq ? place.last : undefined
  }

  /** Nothing of the cluster is left. */
  done(cluster: string): void {
    this.#leftOff.delete(cluster)
  }
}
