import type { PeerSession, PeerView } from "@lowtide/api/peers"
import type { Cell, Column } from "../table.ts"
import { ageCell, bfdCell, codesCell } from "./standing.ts"

/** One session of a peer; none for a peer that is not in effect, or that no node is to have. */
export interface PeerRow {
  readonly peer: PeerView
  readonly session: PeerSession | undefined
}

/** A row for each session, so that each says why it is down. */
export const peerRows = (peers: ReadonlyArray<PeerView>): ReadonlyArray<PeerRow> =>
  peers.flatMap((peer): ReadonlyArray<PeerRow> => {
    if (peer.sessions.length === 0) return [{ peer, session: undefined }]
    return peer.sessions.map((session) => ({ peer, session }))
  })

const stateCell = ({ peer, session }: PeerRow): Cell => {
  if (session === undefined) return peer.state === "Refused" ? { text: "Refused", tone: "bad" } : ""
  return { text: session.state, tone: session.state === "Established" ? "good" : "bad" }
}

/** Columns of `lowtide get peers`. Only the wide table has the last error of a session that has come up since. */
export const peerColumns = (nowMs: number): ReadonlyArray<Column<PeerRow>> => [
  { title: "CLUSTER", cell: ({ peer }) => peer.cluster },
  { title: "NAME", cell: ({ peer }) => peer.name },
  { title: "ADDRESS", cell: ({ peer }) => peer.peerAddress },
  { title: "PORT", cell: ({ peer }) => String(peer.peerPort), isWide: true },
  { title: "PEER-AS", cell: ({ peer }) => asnText(peer.peerAsn) },
  { title: "LOCAL-AS", cell: ({ peer }) => asnText(peer.myAsn) },
  { title: "NODE", cell: ({ session }) => session?.node ?? "" },
  { title: "STATE", cell: stateCell },
  { title: "FOR", cell: ({ session }) => ageCell(session?.since ?? null, nowMs) },
  { title: "PREFIXES", cell: ({ session }) => String(session?.prefixes ?? 0) },
  { title: "BFD", cell: ({ session }) => bfdCell(session?.bfd) },
  { title: "HEARD", cell: ({ session }) => session?.sync ?? "", isWide: true },
  { title: "FINDINGS", cell: ({ peer, session }) => codesCell(findingsOf(peer, session)) },
  {
    title: "LAST-ERROR",
    cell: ({ session }) => (session?.state === "Established" ? "" : (session?.lastError ?? "")),
    wideCell: ({ session }) => session?.lastError ?? ""
  }
]

/** A peer that cannot be read has AS 0, which is none (RFC 7607). */
const asnText = (asn: number): string => (asn === 0 ? "" : String(asn))

/** What is wrong with the peer as such and with this session of it, whose findings have the field `session[NODE]`. */
const findingsOf = (peer: PeerView, session: PeerSession | undefined): PeerView["findings"] =>
  peer.findings.filter(({ field }) => !field.startsWith("session[") || field === `session[${session?.node}]`)
