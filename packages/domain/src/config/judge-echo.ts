import type { Advertisement } from "./advertisement.ts"
import type { BfdProfile } from "./bfd-profile.ts"
import type { Candidate, Report } from "./judge.ts"
import { coveredPools, hasFamily } from "./judge-advertisements.ts"
import type { Peer } from "./peer.ts"
import type { AddressPool } from "./pool.ts"

/** What takes effect, apart from the faults looked for here. */
export interface EchoContext {
  readonly candidates: ReadonlyArray<Candidate<"BGPPeer">>
  readonly peers: ReadonlyArray<Peer>
  readonly bfdProfiles: ReadonlyArray<BfdProfile>
  readonly advertisements: ReadonlyArray<Advertisement>
  readonly pools: ReadonlyArray<AddressPool>
  readonly report: Report
}

/** Names of the peers whose BFD profile has the echo function, which FRR does not run where IPv6 routes are sent. */
export const echoOverIpv6 = (context: EchoContext): ReadonlyArray<string> => {
  const { candidates, peers, bfdProfiles, advertisements, pools, report } = context
  const echoing = new Set(bfdProfiles.filter(({ echoMode }) => echoMode).map(({ name }) => name))
  return candidates.flatMap((candidate) => {
    const { name, bfdProfile } = candidate.value
    if (bfdProfile === undefined || !echoing.has(bfdProfile) || !peers.some((peer) => peer.name === name)) return []
    const pool = advertisements
      .filter((advertisement) => advertisement.peers.length === 0 || advertisement.peers.includes(name))
      .flatMap((advertisement) => coveredPools(advertisement, pools))
      .find((covered) => hasFamily(covered, 6))
    if (pool === undefined) return []
    report(candidate, "LT0152", {
      field: "spec.bfdProfile",
      expected: "a profile without echoMode where IPv6 addresses are advertised",
      found: `${bfdProfile}, and pool ${pool.name}`
    })
    return [name]
  })
}
