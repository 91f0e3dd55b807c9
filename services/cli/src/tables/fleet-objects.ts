import type { QuotaView, ReservationStanding, ReservationView, SharedAddressView } from "@lowtide/api/fleet-objects"
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

/** Columns of `lowtide get sharedaddresses`. HELD-BY, WAITING: members with their priorities. */
export const sharedAddressColumns = (nowMs: number): ReadonlyArray<Column<SharedAddressView>> => [
  { title: "NAME", cell: ({ name }) => name },
  { title: "ADDRESSES", cell: ({ addresses }) => addresses.join(",") },
  { title: "HELD-BY", cell: ({ members }) => membersText(members, "Held") },
  { title: "WAITING", cell: ({ members }) => membersText(members, "Waiting") },
  { title: "AGE", cell: ({ since }) => ageCell(since, nowMs) },
  { title: "NETWORK", cell: ({ network }) => network, isWide: true }
]

const membersText = (members: SharedAddressView["members"], state: "Held" | "Waiting"): string =>
  members
    .filter((member) => member.state === state)
    .map(({ cluster, namespace, service, priority }) => `${cluster}/${namespace}/${service}:${priority}`)
    .join(",")
