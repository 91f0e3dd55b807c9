import type { EvidenceList, EvidenceVerdict, EvidenceView } from "@lowtide/api/evidence"
import type { Column, Tone } from "../table.ts"
import { ageCell } from "./standing.ts"

/** Good is what one wants to see of a route that is announced; of one that was withdrawn it is the other way round. */
const tones: { readonly [Verdict in EvidenceVerdict]: readonly [announced: Tone, withdrawn: Tone] } = {
  has: ["good", "bad"],
  "let-go": ["bad", "good"],
  never: ["bad", "good"],
  "session-down": ["bad", "warning"],
  unsure: ["faint", "faint"],
  "not-reported": ["faint", "faint"]
}

/** Columns of `lowtide get evidence`. */
export const evidenceColumns = (nowMs: number): ReadonlyArray<Column<EvidenceView>> => [
  { title: "CLUSTER", cell: ({ cluster }) => cluster },
  { title: "NODE", cell: ({ node }) => node },
  { title: "PEER", cell: ({ peer }) => peer },
  { title: "PREFIX", cell: ({ prefix }) => prefix },
  { title: "WANTED", cell: ({ wanted }) => (wanted ? "yes" : "no") },
  { title: "VERDICT", cell: ({ verdict, wanted }) => ({ text: verdict, tone: tones[verdict][wanted ? 0 : 1] }) },
  { title: "FOR", cell: ({ since, isOlder }) => (isOlder ? `>${ageText(since, nowMs)}` : ageText(since, nowMs)) },
  { title: "ROUTER", cell: ({ router }) => router ?? "" },
  { title: "USED", cell: ({ isUsed }) => (isUsed === null ? "" : isUsed ? "yes" : "no"), isWide: true },
  { title: "VIEW", cell: ({ view }) => view ?? "", isWide: true },
  { title: "PEER-ADDRESS", cell: ({ peerAddress }) => peerAddress, isWide: true },
  { title: "WHY", cell: ({ why }) => why ?? "", isWide: true }
]

const ageText = (since: string | null, nowMs: number): string => {
  const cell = ageCell(since, nowMs)
  return typeof cell === "string" ? cell : cell.text
}

/** What a reader should know beside the table. */
export const evidenceNotes = ({ isListening, routers, lost, leftOut }: EvidenceList): ReadonlyArray<string> => [
  ...(isListening
    ? routers.length === 0
      ? ["note: no router reports to this allocator: see docs/guides/evidence-from-routers.md"]
      : []
    : ["note: this allocator does not listen for routers: set LOWTIDE_BMP_LISTEN and LOWTIDE_BMP_ROUTERS"]),
  ...lost.map(({ address, name, at, reason }) => `note: ${name || address} reports no more since ${at}: ${reason}`),
  ...routers.flatMap(({ address, name, doubt }) =>
    doubt === null ? [] : `note: what ${name || address} has is known in part only: ${doubt}`
  ),
  ...(leftOut > 0 ? [`note: ${leftOut} more routes: narrow the question`] : [])
]
