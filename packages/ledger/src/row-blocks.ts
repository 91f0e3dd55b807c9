import { CopiedRow } from "./copied-rows.ts"

const blockLength = 2 ** 20

/**
 * Rows that stay, as the octets that the database sent: outside of what the collector of garbage walks through and copies, and
 * taken apart when somebody asks, or never.
 */
export class RowBlocks {
  readonly #blocks: Array<Buffer> = []
  readonly #row = new CopiedRow()
  #block = Buffer.alloc(0)
  #end = 0

  /** Copies a row, and answers its place. */
  add(row: CopiedRow): number {
    if (this.#end + row.length > this.#block.length) {
      this.#block = Buffer.allocUnsafeSlow(Math.max(blockLength, row.length))
      this.#blocks.push(this.#block)
      this.#end = 0
    }
    const place = (this.#blocks.length - 1) * blockLength + this.#end
    this.#end = row.copyTo(this.#block, this.#end)
    return place
  }

  /** The row at a place, from its first column on, until the next one is asked for. */
  at(place: number): CopiedRow {
    const block = this.#blocks[Math.floor(place / blockLength)]
    if (block === undefined) throw new RangeError(`expected the place of a row, found ${place}`)
    this.#row.begin(block, place % blockLength)
    return this.#row
  }
}
