import type { AllocatorView } from "@lowtide/api/allocators"
import type { Column, Tone } from "../table.ts"
import { ageCell } from "./standing.ts"

const tones: { readonly [State in AllocatorView["state"]]: Tone } = { leader: "good", follower: "faint", silent: "bad" }

/** Columns of `lowtide get allocators`. LAG: events that the answering allocator has read and this one has not. */
export const allocatorColumns = (nowMs: number): ReadonlyArray<Column<AllocatorView>> => [
  { title: "NAME", cell: ({ name }) => name },
  { title: "STATE", cell: ({ state }) => ({ text: state, tone: tones[state] }) },
  { title: "POSITION", cell: ({ position }) => String(position) },
  { title: "LAG", cell: ({ lagEvents }) => String(lagEvents) },
  { title: "SEEN", cell: ({ seenAt }) => ageCell(seenAt, nowMs) },
  { title: "URL", cell: ({ url }) => url ?? "" },
  { title: "STARTED", cell: ({ startedAt }) => ageCell(startedAt, nowMs), isWide: true },
  { title: "ID", cell: ({ id }) => id, isWide: true }
]
