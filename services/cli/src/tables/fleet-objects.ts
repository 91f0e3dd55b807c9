import type { QuotaView, ReservationStanding, ReservationView } from "@lowtide/api/fleet-objects"
import type { Column, Tone } from "../table.ts"
import { ageCell } from "./standing.ts"

const tones: { readonly [State in ReservationStanding]: Tone } = {
  Bound: "good",
  Kept: "faint",
  Resting: "warning",
  NoPool: "bad"
}

/** Columns of `lowtide get reservations`. */
export const reservationColumns = (nowMs: number): ReadonlyArray<Column<ReservationView>> => [
  { title: "NAME", cell: ({ name }) => name },
  { title: "ADDRESS", cell: ({ address }) => address },
  { title: "FOR", cell: ({ cluster, namespace, service }) => `${cluster}/${namespace}/${service}` },
  { title: "STATE", cell: ({ state }) => ({ text: state, tone: tones[state] }) },
  { title: "POOL", cell: ({ pool }) => pool },
  { title: "AGE", cell: ({ since }) => ageCell(since, nowMs) },
  { title: "NETWORK", cell: ({ network }) => network, isWide: true }
]

/** Columns of `lowtide get quotas`. USED: addresses by cluster; WAITING: Services that the quota holds back. */
export const quotaColumns = (nowMs: number): ReadonlyArray<Column<QuotaView>> => [
  { title: "NAME", cell: ({ name }) => name },
  { title: "CLUSTER", cell: ({ cluster }) => cluster ?? "each" },
  { title: "NAMESPACE", cell: ({ namespace }) => namespace ?? "all" },
  { title: "ADDRESSES", cell: ({ addresses }) => String(addresses) },
  { title: "USED", cell: ({ usage }) => usage.map(({ cluster, used }) => `${cluster}:${used}`).join(",") },
  { title: "WAITING", cell: ({ usage }) => String(usage.reduce((total, { waiting }) => total + waiting, 0)) },
  { title: "AGE", cell: ({ since }) => ageCell(since, nowMs) }
]
