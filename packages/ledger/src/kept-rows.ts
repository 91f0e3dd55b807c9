import type { KeptStreams, RowKeeper, WaitingRow } from "@lowtide/domain"
import type { CopiedRow } from "./copied-rows.ts"
import { RowBlocks } from "./row-blocks.ts"

/**
 * Rows of streams that a load leaves as they came, found by their streams: a table of numbers, at most half full, in which a
 * stream's row is at the place that its hash says, or at the next ones. Two maps of as many texts cost ten times as much.
 */
export class KeptRows implements KeptStreams {
  readonly #blocks = new RowBlocks()
  /** By row. */
  readonly #places: Array<number> = []
  readonly #hashes: Array<number> = []
  /** Rows, counted from 1; 0 where there is none. */
  #table = new Int32Array(1024)

  /** For the row that is being taken, each time. */
  keeper(copied: CopiedRow, streamOf: () => string): RowKeeper {
    return { streams: this, keep: () => this.#add(copied, streamOf()) }
  }

  find(stream: string): number | undefined {
    const hash = hashOf(stream)
    const mask = this.#table.length - 1
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const row = (this.#table[at] ?? 0) - 1
      if (row === -1) return undefined
      if (this.#hashes[row] === hash && this.#streamAt(row) === stream) return row
    }
  }

  version(row: number): number {
    return this.#at(row).number() ?? 0
  }

  seq(row: number): number {
    return this.#at(row, 1).number() ?? 0
  }

  recordedAt(row: number): string {
    return this.#at(row, 3).time()
  }

  state(row: number): WaitingRow {
    const columns = this.#at(row, 1)
    const seq = columns.number() ?? 0
    const schema = columns.number() ?? 0
    columns.skip(1)
    return { seq, schema, stream: columns.text() ?? "", state: columns.text() ?? "" }
  }

  *streams(): Iterable<string> {
    for (let row = 0; row < this.#places.length; row++) yield this.#streamAt(row)
  }

  #add(copied: CopiedRow, stream: string): number {
    const row = this.#places.push(this.#blocks.add(copied)) - 1
    this.#hashes.push(hashOf(stream))
    if (this.#places.length * 2 > this.#table.length) this.#grow()
    else this.#enter(row)
    return row
  }

  #enter(row: number): void {
    const mask = this.#table.length - 1
    let at = (this.#hashes[row] ?? 0) & mask
    while (this.#table[at] !== 0) at = (at + 1) & mask
    this.#table[at] = row + 1
  }

  #grow(): void {
    this.#table = new Int32Array(this.#table.length * 4)
    for (let row = 0; row < this.#places.length; row++) this.#enter(row)
  }

  #streamAt(row: number): string {
    return this.#at(row, 4).text() ?? ""
  }

  /** The row of `currentColumns`, from one of them on. */
  #at(row: number, column = 0): CopiedRow {
    const columns = this.#blocks.at(this.#places[row] ?? Number.NaN)
    columns.skip(column)
    return columns
  }
}

/** FNV-1a over the text's units, as a number that needs no object. */
const hashOf = (text: string): number => {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return (hash ^ (hash >>> 15)) & 0x3fffffff
}
