import type { FindingView } from "@lowtide/api/finding"
import { formatAge } from "../moment.ts"
import type { Cell } from "../table.ts"

/** The codes of what is wrong with a row, each once. */
export const codesCell = (findings: ReadonlyArray<{ readonly code: string; readonly severity?: string }>): Cell => {
  const text = [...new Set(findings.map(({ code }) => code))].join(",")
  const isBad = findings.some(({ severity }) => severity !== "warning")
  return text === "" ? "" : { text, tone: isBad ? "bad" : "warning" }
}

/** How BFD with a peer stands, empty where none is wanted. */
export const bfdCell = (state: string | null | undefined): Cell =>
  state == null ? "" : { text: state, tone: state === "Up" ? "good" : "bad" }

/** How long ago, empty when that is not known. */
export const ageCell = (instant: string | null, nowMs: number): Cell =>
  instant === null ? "" : formatAge(Date.parse(instant), nowMs)

/** What decides about the orders that an address waits for, a line for all of them. */
export const orderLines = (
  items: ReadonlyArray<{ readonly approval: string | null; readonly routeApproval?: string | null }>
): ReadonlyArray<string> => {
  const texts = items.flatMap(({ approval, routeApproval = null }) => [approval, routeApproval])
  const ids = [...new Set(texts.flatMap((text) => text?.split(", ") ?? []))].sort()
  return ids.length === 0
    ? []
    : [
        `order ${ids.join(", ")}: \`lowtide get approvals -o wide\` shows what waits; \`lowtide approve ID --reason WHY\` has it carried out, \`lowtide reject ID --reason WHY\` leaves it as it is`
      ]
}

/** One line for what is wrong, as processes print it: `error LT0104 east … Fix: …`; without a cluster where it is of the fleet. */
export const findingLine = (
  cluster: string,
  found: Pick<FindingView, "severity" | "code" | "message" | "fix" | "source">
): string => {
  const at = found.source === undefined ? "" : ` ${found.source.file}:${found.source.line}`
  const where = cluster === "" ? "" : ` ${cluster}`
  return `${found.severity} ${found.code}${where}${at} ${found.message}. Fix: ${found.fix}`
}
