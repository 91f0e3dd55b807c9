import { Result } from "effect"
import { type CheckpointKeys, openCheckpoint } from "./checkpoint.ts"
import type { EventRecord } from "./event-record.ts"
import { hashChildren, inclusionRanges, rangeSubtrees } from "./merkle.ts"
import { type Proof, proofKind } from "./proof.ts"
import type { SegmentHeader, SegmentTrailer } from "./segment.ts"

/** Gathers what the proof of one event takes from a verified archive: its leaves, 32 octets an event, and what stands beside them. */
export class SegmentProver {
  readonly #seq: number
  readonly #leaves: Array<Uint8Array> = []
  #event: EventRecord | undefined

  constructor(seq: number) {
    this.#seq = seq
  }

  add(event: EventRecord): void {
    this.#leaves.push(Buffer.from(event.leafHash, "hex"))
    if (event.seq === this.#seq) this.#event = event
  }

  /** The proof, by the checkpoint that the archive has; undefined when the event is of another segment. */
  finish({ fromSeq, left }: SegmentHeader, trailer: SegmentTrailer, keys: CheckpointKeys): Proof | undefined {
    const opened = openCheckpoint(keys, trailer.checkpoint)
    if (this.#event === undefined || Result.isFailure(opened)) return undefined
    const { size } = opened.success
    const start = fromSeq - 1
    const end = start + this.#leaves.length
    const beside = new Map<string, Uint8Array>()
    const keep = (ranges: ReadonlyArray<readonly [number, number]>, hashes: ReadonlyArray<string>) => {
      for (const [position, [from, to]] of ranges.entries()) {
        beside.set(`${from}-${to}`, Buffer.from(hashes[position] ?? "", "hex"))
      }
    }
    keep(rangeSubtrees(0, start), left)
    keep(rangeSubtrees(end, size), trailer.right)
    const rootOf = (from: number, to: number): Uint8Array => {
      const known = beside.get(`${from}-${to}`) ?? (to - from === 1 ? this.#leaves[from - start] : undefined)
      if (known !== undefined) return known
      let half = 1
      while (half * 2 < to - from) half *= 2
      return hashChildren(rootOf(from, from + half), rootOf(from + half, to))
    }
    const inclusion = inclusionRanges({ index: this.#seq - 1, size }).map(({ start: from, end: to }) =>
      Buffer.from(rootOf(from, to)).toString("hex")
    )
    return { kind: proofKind, event: this.#event, inclusion, checkpoint: trailer.checkpoint }
  }
}
