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

/**
 * The peers that take effect: on a node one session to an address and port, the older peer's. A peer that meets an older one
 * on every node is refused; one that meets it on some nodes only yields there, so that the label of one node takes no
 * session from another.
 */
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
    const met = kept.filter((before) => sameSession(before, peer) && meeting(before, peer, nodes) !== undefined)
    const other = met.find((before) => selectAlike(before, peer))
    if (other === undefined) {
      kept.push(met.length === 0 ? peer : { ...peer, yieldsTo: met.map(({ name }) => name) })
      for (const older of met) {
        report(candidate, "LT0143", {
          field: "spec.nodeSelectors",
          expected: `no node with another session to ${older.peerAddress} port ${older.peerPort}, which peer ${older.name} has`,
          found: `both on ${meeting(older, peer, nodes)}`
        })
      }
    } else {
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

/** Whether both choose the same nodes, whichever there are. */
const selectAlike = (left: Peer, right: Peer): boolean => {
  const texts = ({ nodeSelectors }: Peer) => nodeSelectors.map(selectorText).sort().join(" | ")
  return texts(left) === texts(right)
}

const sameSession = (left: Peer, right: Peer): boolean =>
  left.peerAddress === right.peerAddress && left.peerPort === right.peerPort
