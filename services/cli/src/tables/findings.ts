import type { ClusterFinding } from "@lowtide/api/finding"
import type { Column } from "../table.ts"
import { ageCell } from "./standing.ts"

/** `Service shop/web`; a File with the line, without which nobody finds the place. */
const objectText = ({ object, source }: ClusterFinding): string => {
  const name = `${object.kind} ${object.namespace === undefined ? "" : `${object.namespace}/`}${object.name}`
  return object.kind === "File" && source !== undefined ? `${name}:${source.line}` : name
}

/** Columns of `lowtide get findings`. */
export const findingColumns = (nowMs: number): ReadonlyArray<Column<ClusterFinding>> => [
  { title: "CLUSTER", cell: ({ cluster }) => cluster },
  { title: "SEVERITY", cell: ({ severity }) => ({ text: severity, tone: severity === "error" ? "bad" : "warning" }) },
  { title: "CODE", cell: ({ code }) => code },
  { title: "OBJECT", cell: objectText },
  { title: "FIELD", cell: ({ field }) => field },
  { title: "EXPECTED", cell: ({ expected }) => expected },
  { title: "FOUND", cell: ({ found }) => found },
  { title: "AGE", cell: ({ since }) => ageCell(since, nowMs), isWide: true },
  {
    title: "SOURCE",
    cell: ({ source }) => (source === undefined ? "" : `${source.file}:${source.line}`),
    isWide: true
  },
  { title: "FIX", cell: ({ fix }) => fix }
]
