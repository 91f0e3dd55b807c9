import type { VipView } from "@lowtide/api/vips"
import type { Column, Tone } from "../table.ts"
import { ageCell } from "./standing.ts"

const tones: { readonly [Phase in VipView["phase"]]: Tone } = {
  assigned: "good",
  withdrawing: "warning",
  quarantined: "faint"
}

/** Columns of `lowtide get vips`. HOLDER: who has it, or had it last; AWAITING: nodes that have yet to confirm its withdrawal, or to announce what takes its place, or the order to approve, without which a change of configuration does not take its route either. */
export const vipColumns = (nowMs: number): ReadonlyArray<Column<VipView>> => [
  { title: "ADDRESS", cell: ({ address }) => address },
  {
    title: "PHASE",
    cell: ({ phase, leaving, approval }) => {
      if (approval !== null) return { text: "held", tone: "warning" }
      return { text: leaving ? "leaving" : phase, tone: leaving ? "warning" : tones[phase] }
    }
  },
  { title: "CLUSTER", cell: ({ cluster }) => cluster },
  { title: "HOLDER", cell: ({ holders }) => holders.map(({ namespace, name }) => `${namespace}/${name}`).join(",") },
  { title: "POOL", cell: ({ pool }) => pool },
  {
    title: "AWAITING",
    cell: ({ awaiting, approval, routeApproval = null }) => {
      const orders = [approval, routeApproval].filter((order) => order !== null)
      return { text: (orders.length > 0 ? [...new Set(orders)] : awaiting).join(","), tone: "warning" }
    }
  },
  { title: "SINCE", cell: ({ since }) => ageCell(since, nowMs) },
  { title: "NETWORK", cell: ({ network }) => network, isWide: true },
  { title: "FREE-AT", cell: ({ quarantineEnd }) => quarantineEnd ?? "", isWide: true }
]
