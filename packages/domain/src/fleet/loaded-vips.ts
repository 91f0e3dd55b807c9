import type { KeptStreams } from "./kept-streams.ts"
import type { ClusterMemory } from "./memory.ts"
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
      for (const { stream, vip } of begun.map(inFull).sort((a, b) => a.seq - b.seq)) indexHolders(indexes, stream, vip)
    })
  }
}

const inFull = (loaded: LoadedVip) => {
  if ("vip" in loaded) return loaded
  const { seq, stream, state } = loaded.streams.state(loaded.row)
  return { seq, stream, vip: indexedOf(state) as IndexedVip } // nothing else is kept
}
