import { type Backend, peerLimits } from "./backend.ts"
import { codes } from "./codes.ts"
import { listText } from "./finding.ts"
import type { Candidate, Report, Stands } from "./judge.ts"
import type { NodeObject } from "./node.ts"
import type { Peer } from "./peer.ts"
import { selectorText } from "./selector-reader.ts"
import { type LabelSelector, selects } from "./selectors.ts"

/** What peers are judged against. */
export interface PeerContext {
  readonly nodes: ReadonlyArray<NodeObject>
  readonly bfdProfiles: ReadonlySet<string>
  readonly backend: Backend
  readonly report: Report
  readonly stands: Stands
}

/**
 * The peers that take effect: such as the backend can hold, and on a node one session to an address, the older peer's. A
 * peer that meets an older one on every node is refused; one that meets it on some nodes only yields there, so that the
 * label of one node takes no session from another.
 */
export const judgePeers = (
  candidates: ReadonlyArray<Candidate<"BGPPeer">>,
  context: PeerContext
): ReadonlyArray<Peer> => {
  const { nodes, bfdProfiles, backend, report, stands } = context
  const kept: Array<Peer> = []
  for (const candidate of candidates) {
    const peer = candidate.value
    if (peer.bfdProfile !== undefined && !bfdProfiles.has(peer.bfdProfile)) {
      report(candidate, "LT0135", { field: "spec.bfdProfile", expected: known(bfdProfiles), found: peer.bfdProfile })
    }
    if (!isWithinLimits(candidate, context)) continue
    const met = kept.filter(
      (before) => sameSession(before, peer, backend) && meeting(before, peer, nodes) !== undefined
    )
    const other = met.find((before) => selectAlike(before, peer))
    if (other === undefined) {
      if (!fitsRouterOf(candidate, kept, context)) continue
      kept.push(met.length === 0 ? peer : { ...peer, yieldsTo: met.map(({ name }) => name) })
      for (const older of met) {
        report(candidate, "LT0143", {
          field: "spec.nodeSelectors",
          expected: `no node with another session to ${remoteText(older, backend)}, which peer ${older.name} has`,
          found: `both on ${meeting(older, peer, nodes)}`
        })
      }
    } else {
      report(candidate, "LT0123", {
        field: peer.interface === undefined ? "spec.peerAddress" : "spec.interface",
        expected: `no session to ${remoteText(other, backend)} beside that of peer ${other.name}${stands("BGPPeer", other.name)}`,
        found: `a second one on ${meeting(other, peer, nodes)}`
      })
    }
  }
  return kept
}

/** Reports what the backend cannot do of a peer; false when it cannot hold the session at all. */
const isWithinLimits = (candidate: Candidate<"BGPPeer">, { backend, report }: PeerContext): boolean => {
  const limits = peerLimits(candidate.value, backend)
  for (const { code, ...facts } of limits) report(candidate, code, facts)
  return limits.every(({ code }) => codes[code].severity === "warning")
}

/** FRR has one router id a node, and one router, which is one AS, a VRF. Speakers of our own have both for each session. */
const fitsRouterOf = (
  candidate: Candidate<"BGPPeer">,
  kept: ReadonlyArray<Peer>,
  { nodes, backend, report, stands }: PeerContext
): boolean => {
  if (backend === "native") return true
  const peer = candidate.value
  const met = kept.filter((before) => meeting(before, peer, nodes) !== undefined)
  const otherAs = met.find((before) => (before.vrf ?? "") === (peer.vrf ?? "") && before.myAsn !== peer.myAsn)
  if (otherAs !== undefined) {
    report(candidate, "LT0151", {
      field: "spec.myASN",
      expected: `${otherAs.myAsn}, as peer ${otherAs.name} has it${stands("BGPPeer", otherAs.name)}`,
      found: `${peer.myAsn} on ${meeting(otherAs, peer, nodes)}`
    })
  }
  const otherId = met.find(
    ({ routerId }) => routerId !== undefined && peer.routerId !== undefined && routerId !== peer.routerId
  )
  if (otherId !== undefined) {
    report(candidate, "LT0150", {
      field: "spec.routerID",
      expected: `${otherId.routerId}, as peer ${otherId.name} has it${stands("BGPPeer", otherId.name)}`,
      found: `${peer.routerId} on ${meeting(otherId, peer, nodes)}`
    })
  }
  return otherAs === undefined && otherId === undefined
}

/** The names there are, for a message. */
export const known = (names: Iterable<string>): string => {
  const sorted = [...names].sort()
  return sorted.length === 0 ? "a name that exists (there is none)" : `one of ${listText(sorted)}`
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

/** FRR tells neighbours apart by address or interface and VRF alone; speakers of our own by the port as well. */
const sameSession = (left: Peer, right: Peer, backend: Backend): boolean =>
  left.peerAddress === right.peerAddress &&
  left.interface === right.interface &&
  (left.vrf ?? "") === (right.vrf ?? "") &&
  (backend !== "native" || left.peerPort === right.peerPort)

const remoteText = ({ peerAddress, interface: unnumbered, peerPort, vrf }: Peer, backend: Backend): string => {
  const port = backend === "native" ? ` port ${peerPort}` : ""
  return `${unnumbered ?? peerAddress}${port}${vrf === undefined ? "" : ` in VRF ${vrf}`}`
}
