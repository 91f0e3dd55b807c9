import type { LoadedIntent } from "./batch.ts"
import type { CopiedRow } from "./copied-rows.ts"
import { RowBlocks } from "./row-blocks.ts"

/** Messages of a load by their clusters. */
export class PackedIntents {
  readonly clusters = new Map<string, ClusterIntents>()
  readonly #blocks = new RowBlocks()

  /** A row of cluster, cseq, seq, subject, summary and envelope. */
  add(row: CopiedRow): void {
    const cluster = row.word()
    let intents = this.clusters.get(cluster)
    if (intents === undefined) {
      intents = new ClusterIntents(cluster, this.#blocks)
      this.clusters.set(cluster, intents)
    }
    intents.places.push(this.#blocks.add(row))
  }
}

/** Messages of one cluster, taken apart when they are gone through. */
class ClusterIntents implements Iterable<LoadedIntent> {
  readonly places: Array<number> = []
  readonly #cluster: string
  readonly #blocks: RowBlocks

  constructor(cluster: string, blocks: RowBlocks) {
    this.#cluster = cluster
    this.#blocks = blocks
  }

  *[Symbol.iterator](): Iterator<LoadedIntent> {
    for (const place of this.places) yield new PackedIntent(this.#cluster, this.#blocks, place)
  }
}

/** What is asked of most of them is their subject and their number, and of the rest nothing. */
class PackedIntent implements LoadedIntent {
  readonly cluster: string
  readonly cseq: number
  readonly seq: number
  readonly subject: string
  readonly #blocks: RowBlocks
  readonly #place: number

  constructor(cluster: string, blocks: RowBlocks, place: number) {
    const row = blocks.at(place)
    row.skip(1)
    this.cluster = cluster
    this.cseq = row.number() ?? 0
    this.seq = row.number() ?? 0
    this.subject = row.text() ?? ""
    this.#blocks = blocks
    this.#place = place
  }

  get summary(): string | null {
    const row = this.#blocks.at(this.#place)
    row.skip(4)
    return row.text()
  }

  get envelope(): string | null {
    const row = this.#blocks.at(this.#place)
    row.skip(5)
    return row.text()
  }
}
