import type { Candidate, Report } from "./judge.ts"
import type { NodeObject } from "./node.ts"
import type { Peer } from "./peer.ts"
import { selectorText } from "./selector-reader.ts"
import { type LabelSelector, selects } from "./selectors.ts"

/** What peers are judged against. */
export interface PeerContext {
  readonly nodes: ReadonlyArray<NodeObject>
  readonly bfdProfiles: ReadonlySet<string>
  readonly report: Report
}

/** The peers that take effect: on a node one session to an address and port, the older peer's. */
export const judgePeers = (
  candidates: ReadonlyArray<Candidate<"BGPPeer">>,
  { nodes, bfdProfiles, report }: PeerContext
): ReadonlyArray<Peer> => {
  const kept: Array<Peer> = []
  for (const candidate of candidates) {
    const peer = candidate.value
    if (peer.bfdProfile !== undefined && !bfdProfiles.has(peer.bfdProfile)) {
      report(candidate, "LT0135", { field: "spec.bfdProfile", expected: known(bfdProfiles), found: peer.bfdProfile })
    }
    const other = kept.find((before) => sameSession(before, peer) && meeting(before, peer, nodes) !== undefined)
    if (other === undefined) kept.push(peer)
    else {
      report(candidate, "LT0123", {
        field: "spec.peerAddress",
        expected: `no session to ${other.peerAddress} port ${other.peerPort} beside that of peer ${other.name}, which stays in effect`,
        found: `a second one on ${meeting(other, peer, nodes)}`
      })
    }
  }
  return kept
}

/** The names there are, for a message. */
export const known = (names: Iterable<string>): string => {
  const sorted = [...names].sort()
  return sorted.length === 0 ? "a name that exists (there is none)" : `one of ${sorted.join(", ")}`
}

/** Where two objects that choose nodes meet, in words; undefined when they do not. */
export const meeting = (
  left: { readonly nodeSelectors: ReadonlyArray<LabelSelector> },
  right: { readonly nodeSelectors: ReadonlyArray<LabelSelector> },
  nodes: ReadonlyArray<NodeObject>
): string | undefined => {
  if (left.nodeSelectors.length === 0 && right.nodeSelectors.length === 0) return "every node"
  if (nodes.length === 0) return mayMeet(left.nodeSelectors, right.nodeSelectors) ? "the same nodes" : undefined
  const node = nodes.find(({ labels }) => selects(left.nodeSelectors, labels) && selects(right.nodeSelectors, labels))
  return node === undefined ? undefined : `node ${node.name}`
}

/** Without nodes to look at: only what surely meets does. */
const mayMeet = (left: ReadonlyArray<LabelSelector>, right: ReadonlyArray<LabelSelector>): boolean => {
  if (left.length === 0 || right.length === 0) return true
  const texts = new Set(left.map(selectorText))
  return right.some((selector) => texts.has(selectorText(selector)))
}

const sameSession = (left: Peer, right: Peer): boolean =>
  left.peerAddress === right.peerAddress && left.peerPort === right.peerPort
