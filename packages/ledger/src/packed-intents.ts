import type { LoadedIntent } from "./batch.ts"
import { CopiedRow } from "./copied-rows.ts"

const blockLength = 2 ** 20

/**
 * Messages of a load by their clusters, as the octets that the database sent: outside of what the collector of garbage walks
 * through and copies, and taken apart when their cluster is first asked about, or never.
 */
export class PackedIntents {
  readonly clusters = new Map<string, ClusterIntents>()
  readonly #row = new CopiedRow()
  #block = Buffer.alloc(0)
  #end = 0

  /** A row that begins with its cluster; cseq, seq, subject, summary and envelope follow. */
  add(row: CopiedRow): void {
    const cluster = row.word()
    const length = row.restLength
    if (this.#end + length > this.#block.length) {
      this.#block = Buffer.allocUnsafeSlow(Math.max(blockLength, length))
      this.#end = 0
    }
    row.copyRest(this.#block, this.#end)
    let intents = this.clusters.get(cluster)
    if (intents === undefined) {
      intents = new ClusterIntents(cluster, this.#row)
      this.clusters.set(cluster, intents)
    }
    intents.add(this.#block, this.#end)
    this.#end += length
  }
}

/** Messages of one cluster. */
class ClusterIntents implements Iterable<LoadedIntent> {
  readonly #cluster: string
  readonly #row: CopiedRow
  readonly #blocks: Array<{ readonly octets: Buffer; readonly places: Array<number> }> = []

  constructor(cluster: string, row: CopiedRow) {
    this.#cluster = cluster
    this.#row = row
  }

  add(octets: Buffer, place: number): void {
    const last = this.#blocks.at(-1)
    if (last?.octets === octets) last.places.push(place)
    else this.#blocks.push({ octets, places: [place] })
  }

  *[Symbol.iterator](): Iterator<LoadedIntent> {
    for (const { octets, places } of this.#blocks) {
      for (const place of places) yield new PackedIntent(this.#cluster, this.#row, octets, place)
    }
  }
}

/** What is asked of most of them is their subject and their number, and of the rest nothing. */
class PackedIntent implements LoadedIntent {
  readonly cluster: string
  readonly cseq: number
  readonly seq: number
  readonly subject: string
  readonly #row: CopiedRow
  readonly #octets: Buffer
  readonly #place: number

  constructor(cluster: string, row: CopiedRow, octets: Buffer, place: number) {
    row.begin(octets, place)
    this.cluster = cluster
    this.cseq = row.number() ?? 0
    this.seq = row.number() ?? 0
    this.subject = row.text() ?? ""
    this.#row = row
    this.#octets = octets
    this.#place = row.place
  }

  get summary(): string | null {
    this.#row.begin(this.#octets, this.#place)
    return this.#row.text()
  }

  get envelope(): string | null {
    return this.summary === null ? this.#row.text() : null
  }
}
