import type { ServiceView } from "@lowtide/api/services"
import type { Column, Tone } from "../table.ts"
import { ageCell, codesCell, findingLine } from "./standing.ts"

const tones: { readonly [State in ServiceView["state"]]: Tone } = {
  Announced: "good",
  Partial: "warning",
  Assigned: "warning",
  Pending: "warning",
  Invalid: "bad",
  Held: "warning"
}

/** Columns of `lowtide get services`. NODES: nodes that announce it, of those that are to. */
export const serviceColumns = (nowMs: number): ReadonlyArray<Column<ServiceView>> => [
  { title: "CLUSTER", cell: ({ cluster }) => cluster },
  { title: "NAMESPACE", cell: ({ namespace }) => namespace },
  { title: "NAME", cell: ({ name }) => name },
  { title: "ADDRESS", cell: ({ addresses }) => addresses.map(addressText).join(",") },
  { title: "POOL", cell: ({ addresses }) => [...new Set(addresses.map(({ pool }) => pool))].join(",") },
  { title: "STATE", cell: ({ state }) => ({ text: state, tone: tones[state] }) },
  { title: "NODES", cell: ({ announcing, eligible }) => `${announcing.length}/${eligible.length}` },
  { title: "AGE", cell: ({ since }) => ageCell(since, nowMs) },
  { title: "POLICY", cell: ({ trafficPolicy }) => trafficPolicy, isWide: true },
  { title: "NETWORK", cell: ({ network }) => network, isWide: true },
  { title: "ANNOUNCING", cell: ({ announcing }) => announcing.join(","), isWide: true },
  {
    title: "FINDINGS",
    cell: ({ refusal, findings }) => codesCell([...(refusal === null ? [] : [refusal]), ...findings])
  },
  {
    title: "APPROVAL",
    cell: ({ addresses }) => [...new Set(addresses.flatMap(({ approval }) => approval ?? []))].join(","),
    isWide: true
  }
]

const addressText = ({ address, leaving }: ServiceView["addresses"][number]): string =>
  leaving ? `${address}(leaving)` : address

/** What is wrong with a Service, in full. */
export const serviceLines = ({ cluster, refusal, findings }: ServiceView): ReadonlyArray<string> => [
  ...(refusal === null ? [] : [findingLine(cluster, { severity: "error", ...refusal })]),
  ...findings.map((found) => findingLine(cluster, found))
]
