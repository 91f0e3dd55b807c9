import type { ApprovalView } from "@lowtide/api/approvals"
import type { Column } from "../table.ts"
import { ageCell } from "./standing.ts"

/** Addresses in a row of the wide table. */
const addressesShown = 5

/** Configuration objects in a row of it. */
const objectsShown = 3

/** Columns of `lowtide get approvals`. WITHDRAWS: addresses that stay announced until somebody decides. CHANGES: configuration that waits. */
export const approvalColumns = (nowMs: number): ReadonlyArray<Column<ApprovalView>> => [
  { title: "ID", cell: ({ id }) => id },
  { title: "CLUSTER", cell: ({ cluster }) => cluster },
  { title: "WITHDRAWS", cell: ({ count }) => String(count) },
  { title: "BY", cell: ({ author }) => author },
  { title: "STATE", cell: ({ phase }) => ({ text: phase, tone: phase === "pending" ? "bad" : "faint" }) },
  { title: "AGE", cell: ({ since }) => ageCell(since, nowMs) },
  {
    title: "ADDRESSES",
    cell: ({ addresses, count }) => {
      const shown = addresses.slice(0, addressesShown).map(({ address }) => address)
      return [...shown, ...(count > shown.length ? [`and ${count - shown.length} more`] : [])].join(" ")
    },
    isWide: true
  },
  {
    title: "CHANGES",
    cell: ({ objects, objectCount }) => {
      const shown = objects.slice(0, objectsShown).map(({ kind, name, change }) => `${kind}/${name} ${change}`)
      return [shown.join(", "), ...(objectCount > shown.length ? [`and ${objectCount - shown.length} more`] : [])].join(
        " "
      )
    },
    isWide: true
  }
]
