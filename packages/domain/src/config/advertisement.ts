import type { LabelSelector } from "./selectors.ts"

/** A BGPAdvertisement: how addresses of the chosen pools are announced, by which nodes, to which peers. */
export interface Advertisement {
  readonly name: string
  readonly namespace: string
  /** 1..32 bits; 32 announces host routes. */
  readonly aggregationLength: number
  /** 1..128 bits. */
  readonly aggregationLengthV6: number
  /** 0..4294967295; sent to internal peers only. */
  readonly localPref?: number
  /**
   * As decoded: texts as written, a literal community or an alias. In a judged ClusterConfig: canonical literals only,
   * sorted, without duplicates.
   */
  readonly communities: ReadonlyArray<string>
  /** Pool names; a union with `poolSelectors`. Both empty: every pool of the cluster. */
  readonly pools: ReadonlyArray<string>
  /** Selectors over the labels of pools. */
  readonly poolSelectors: ReadonlyArray<LabelSelector>
  /** Empty: every node. */
  readonly nodeSelectors: ReadonlyArray<LabelSelector>
  /** Peer names. Empty: every peer. */
  readonly peers: ReadonlyArray<string>
  /** Selectors over the labels of Services. Empty: every Service. */
  readonly serviceSelectors: ReadonlyArray<LabelSelector>
}
