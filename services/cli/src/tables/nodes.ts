import type { NodeSync, NodeView } from "@lowtide/api/nodes"
import type { Column, Tone } from "../table.ts"
import { ageCell, codesCell } from "./standing.ts"

const tones: { readonly [Sync in NodeSync]: Tone } = {
  live: "good",
  stale: "warning",
  silent: "bad",
  reported: "good",
  unknown: "faint"
}

/** Whether it is known what the node does. */
const isHeard = (sync: NodeSync): boolean => sync === "live" || sync === "stale" || sync === "reported"

/** Columns of `lowtide get nodes`. SESSIONS: established, of those that the configuration gives the node; none of a silent one. HELD: withdrawals that the speaker's brake holds back. WITHHELD: orders of a person at the node that keep routes away. */
export const nodeColumns = (nowMs: number): ReadonlyArray<Column<NodeView>> => [
  { title: "CLUSTER", cell: ({ cluster }) => cluster },
  { title: "NAME", cell: ({ name }) => name },
  { title: "SESSIONS", cell: ({ sessions }) => `${sessions.up}/${sessions.total}` },
  { title: "VIPS", cell: ({ announcing, sync }) => (isHeard(sync) ? String(announcing) : "") },
  { title: "HELD", cell: ({ brake }) => (brake === null ? "" : { text: String(brake.held), tone: "bad" }) },
  {
    title: "WITHHELD",
    cell: ({ withheld }) => (withheld == null ? "" : { text: String(withheld.count), tone: "bad" })
  },
  { title: "SYNC", cell: ({ sync }) => ({ text: sync, tone: tones[sync] }) },
  { title: "HEARD", cell: ({ lastHeard }) => ageCell(lastHeard, nowMs) },
  {
    title: "EXCLUDED",
    cell: ({ excluded, present, retired }) => (present ? (excluded ?? "") : retired ? "retired" : "gone")
  },
  { title: "ADDRESSES", cell: ({ addresses }) => addresses.join(","), isWide: true },
  { title: "REFUSED", cell: ({ refused }) => String(refused.length), isWide: true },
  { title: "FINDINGS", cell: ({ findings, refused }) => codesCell([...findings, ...refused]) }
]
