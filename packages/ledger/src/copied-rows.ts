import { Effect, Exit } from "effect"
import pg from "pg"
import { unavailable } from "./database.ts"
import type { Unavailable } from "./errors.ts"

/**
 * A row as `copy ... to stdout (format binary)` sends it: its columns are asked for one after another, in their order. PostgreSQL
 * makes such a row, and we take it apart, for a fraction of what one of texts costs. It is there while it is being taken: what
 * comes next on the connection may overwrite it.
 */
export class CopiedRow {
  #octets: Buffer = Buffer.alloc(0)
  #start = 0
  #place = 0
  readonly #words: Array<{ readonly octets: Buffer; readonly text: string }> = []
  #timeUpper = 0
  #timeLower = 0
  #isoTime = epochText

  /** Of a row's octets, from their first column on. */
  begin(octets: Buffer, place: number): void {
    this.#octets = octets
    this.#start = place
    this.#place = place
  }

  /** Passes over columns. */
  skip(columns: number): void {
    for (let passed = 0; passed < columns; passed++) {
      const length = this.#next()
      this.#place += Math.max(0, length)
    }
  }

  /** `boolean`. */
  yes(): boolean | null {
    return this.#next() === nullLength ? null : this.#octets[this.#place++] !== 0
  }

  /** `smallint`, `integer` or `bigint`: a seq stays below 2 ** 53. */
  number(): number | null {
    const length = this.#next()
    if (length === nullLength) return null
    const start = this.#place
    this.#place += length
    if (length === 2) return this.#octets.readInt16BE(start)
    if (length === 4) return this.#octets.readInt32BE(start)
    return this.#octets.readInt32BE(start) * 2 ** 32 + this.#octets.readUInt32BE(start + 4)
  }

  /** `text`, or `json`, which is sent as the text it is. */
  text(): string | null {
    const length = this.#next()
    if (length === nullLength) return null
    this.#place += length
    return this.#octets.toString("utf8", this.#place - length, this.#place)
  }

  /**
   * A text's part that begins `skipped` octets behind where a mark was found last, without the text's last octet. Null where
   * there is no such mark: then the column is the next one still.
   */
  part(mark: Uint8Array, skipped: number): string | null {
    const start = this.#place + 4
    const end = start + this.#octets.readInt32BE(this.#place)
    const found = this.#octets.lastIndexOf(mark, end - mark.length)
    if (found < start) return null
    this.#place = end
    return this.#octets.toString("utf8", found + skipped, end - 1)
  }

  /** A text of which there are few, and none is null: each is made once. */
  word(): string {
    const length = this.#next()
    this.#place += length
    for (const { octets, text } of this.#words) if (this.#endsWith(octets, length)) return text
    const octets = Buffer.from(this.#octets.subarray(this.#place - length, this.#place))
    const text = octets.toString()
    if (this.#words.length < wordsMax) this.#words.push({ octets, text })
    return text
  }

  #endsWith(octets: Buffer, length: number): boolean {
    if (octets.length !== length) return false
    const start = this.#place - length
    for (let index = 0; index < length; index++) if (octets[index] !== this.#octets[start + index]) return false
    return true
  }

  /** `timestamptz` of whole milliseconds as ISO 8601. Rows that were written together have one time. */
  time(): string {
    this.#next()
    const upper = this.#octets.readInt32BE(this.#place)
    const lower = this.#octets.readUInt32BE(this.#place + 4)
    this.#place += 8
    if (upper !== this.#timeUpper || lower !== this.#timeLower) {
      this.#timeUpper = upper
      this.#timeLower = lower
      this.#isoTime = new Date(epochMs + (upper * 2 ** 32 + lower) / 1_000).toISOString()
    }
    return this.#isoTime
  }

  /** How many octets the row has that came last; of others it is not known. */
  get length(): number {
    return this.#octets.length - this.#start
  }

  /** Copies it to a place where it stays, and answers where that ends. */
  copyTo(target: Buffer, place: number): number {
    return place + this.#octets.copy(target, place, this.#start)
  }

  #next(): number {
    this.#place += 4
    return this.#octets.readInt32BE(this.#place - 4)
  }
}

const nullLength = -1

/** More of them are not few. */
const wordsMax = 64

/** PostgreSQL counts microseconds from the beginning of 2000 in UTC. */
const epochText = "2000-01-01T00:00:00.000Z"
const epochMs = Date.parse(epochText)

/**
 * Takes each row of a query when it arrives: what is made of one is made while the database sends the next, and no rows pile up.
 * Between two packets the event loop has its turn. A `copy` takes no parameters.
 */
export const copyRows = (
  client: pg.PoolClient,
  operation: string,
  query: string,
  take: (row: CopiedRow) => void
): Effect.Effect<void, Unavailable> =>
  Effect.callback((resume) => {
    const copy = new CopyQuery(`copy (${query}) to stdout (format binary)`, take, (exit) =>
      resume(Exit.mapError(exit, unavailable(operation)))
    )
    client.query(copy)
  })

/** Behind "PGCOPY\n\xff\r\n\0" the length of what else the header has; each message is a row, the first one behind the header. */
const headerLengthPlace = 15
const trailer = -1
const columnCountLength = 2

/** What `pg` hands the messages of a copy to. */
class CopyQuery extends pg.Query {
  readonly #row = new CopiedRow()
  readonly #take: (row: CopiedRow) => void
  readonly #outcome: { defect?: Exit.Exit<never> }
  #isBegun = false

  constructor(text: string, take: (row: CopiedRow) => void, end: (exit: Exit.Exit<void, unknown>) => void) {
    const outcome: { defect?: Exit.Exit<never> } = {}
    super(text, (cause) => end(cause == null ? (outcome.defect ?? Exit.void) : Exit.fail(cause)))
    this.#take = take
    this.#outcome = outcome
  }

  handleCopyData({ chunk }: { readonly chunk: Buffer }): void {
    let place = 0
    if (!this.#isBegun) {
      place = headerLengthPlace + 4 + chunk.readInt32BE(headerLengthPlace)
      this.#isBegun = true
    }
    if (chunk.readInt16BE(place) === trailer || this.#outcome.defect !== undefined) return
    this.#row.begin(chunk, place + columnCountLength)
    try {
      this.#take(this.#row)
    } catch (defect) {
      this.#outcome.defect = Exit.die(defect) // the connection goes on with its rows
    }
  }
}
