import type { Advertisement } from "./advertisement.ts"
import type { BfdProfile } from "./bfd-profile.ts"
import type { Peer } from "./peer.ts"
import type { AddressPool } from "./pool.ts"

/**
 * The configuration of one cluster as it takes effect: no object in it has an error, no two contradict each other, and
 * every name that one uses of another is there. Lists are sorted by name. Made by `judge`.
 */
export interface ClusterConfig {
  readonly network: string
  readonly pools: ReadonlyArray<AddressPool>
  readonly peers: ReadonlyArray<Peer>
  /** With communities resolved: canonical literals only. */
  readonly advertisements: ReadonlyArray<Advertisement>
  /** Alias to canonical community, over all Community objects. */
  readonly communities: Readonly<Record<string, string>>
  readonly bfdProfiles: ReadonlyArray<BfdProfile>
}
