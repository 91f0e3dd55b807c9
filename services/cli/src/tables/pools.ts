import type { PoolCounts, PoolView } from "@lowtide/api/pools"
import { formatDuration } from "@lowtide/domain/config/syntax"
import type { Column } from "../table.ts"
import { codesCell } from "./standing.ts"

/** `2/16`: assigned, of all. */
const usedText = (counts: PoolCounts | null): string => (counts === null ? "" : `${counts.assigned}/${counts.total}`)

/** Columns of `lowtide get pools`. RESTING: released, and not free yet. */
export const poolColumns: ReadonlyArray<Column<PoolView>> = [
  { title: "CLUSTER", cell: ({ cluster }) => cluster || "none" },
  { title: "NAME", cell: ({ name }) => name },
  { title: "STATE", cell: ({ state }) => ({ text: state, tone: state === "Accepted" ? "good" : "bad" }) },
  { title: "TOTAL", cell: ({ total }) => total },
  { title: "ASSIGNED", cell: ({ assigned }) => String(assigned) },
  { title: "RESTING", cell: ({ withdrawing, quarantined }) => String(withdrawing + quarantined) },
  { title: "RESERVED", cell: ({ reserved }) => String(reserved), isWide: true },
  { title: "ELSEWHERE", cell: ({ elsewhere }) => String(elsewhere), isWide: true },
  { title: "AVAILABLE", cell: ({ available }) => available },
  { title: "IPV4-FREE", cell: ({ ipv4 }) => ipv4?.available ?? "" },
  { title: "IPV6-FREE", cell: ({ ipv6 }) => ipv6?.available ?? "" },
  { title: "IPV4-USED", cell: ({ ipv4 }) => usedText(ipv4), isWide: true },
  { title: "IPV6-USED", cell: ({ ipv6 }) => usedText(ipv6), isWide: true },
  { title: "AUTO", cell: ({ autoAssign }) => (autoAssign ? "yes" : "no") },
  { title: "PRIORITY", cell: ({ priority }) => (priority === null ? "" : String(priority)) },
  { title: "QUARANTINE", cell: ({ quarantineSeconds }) => formatDuration(quarantineSeconds * 1000), isWide: true },
  { title: "SCOPE", cell: ({ scope }) => scope, isWide: true },
  { title: "NETWORK", cell: ({ network }) => network, isWide: true },
  { title: "RANGES", cell: ({ ranges }) => ranges.join(","), isWide: true },
  { title: "FINDINGS", cell: ({ findings }) => codesCell(findings) }
]
