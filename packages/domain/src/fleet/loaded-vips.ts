import type { KeptStreams } from "./kept-streams.ts"
import type { ClusterMemory, HolderIndexes } from "./memory.ts"
import { indexHolders } from "./vip-index.ts"
import { type IndexedVip, indexedOf } from "./waiting-states.ts"

/** A VIP that was loaded, or where its row is. */
export type LoadedVip =
  | { readonly streams: KeptStreams; readonly row: number }
  | { readonly seq: number; readonly stream: string; readonly vip: IndexedVip }

/** VIPs that were loaded and are not among those of their holders yet: a cluster's are when somebody asks, in the order of their events. */
export class LoadedVips {
  readonly #ofCluster = new Map<string, Array<LoadedVip>>()

  add(cluster: ClusterMemory, loaded: LoadedVip): void {
    const vips = this.#ofCluster.get(cluster.name)
    if (vips !== undefined) {
      vips.push(loaded)
      return
    }
    const begun = [loaded]
    this.#ofCluster.set(cluster.name, begun)
    cluster.fillLater((indexes) => {
      this.#ofCluster.delete(cluster.name)
      return filling(indexes, begun)
    })
  }
}

/** One VIP a turn. */
function* filling(indexes: HolderIndexes, loaded: Array<LoadedVip>): Generator<void, void> {
  const inOrder = loaded.map((vip) => ({ vip, seq: seqOf(vip) })).sort((a, b) => a.seq - b.seq)
  for (const { vip: one } of inOrder) {
    const { stream, vip } = inFull(one)
    indexHolders(indexes, stream, vip)
    yield
  }
}

const seqOf = (loaded: LoadedVip): number => ("vip" in loaded ? loaded.seq : loaded.streams.seq(loaded.row))

const inFull = (loaded: LoadedVip) => {
  if ("vip" in loaded) return loaded
  const { stream, state } = loaded.streams.state(loaded.row)
  return { stream, vip: indexedOf(state) as IndexedVip } // nothing else is kept
}
