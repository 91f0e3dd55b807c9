import type { KeyStanding } from "../installation/trust-files.ts"
import type { Column } from "../table.ts"

/**
 * A key with how many messages in effect it has signed, and how many nodes announce by it; null where nobody was asked, or
 * it signs none.
 */
export type KeyRow = KeyStanding & { readonly messages: number | null; readonly nodes: number | null }

/** Columns of `lowtide key list`. MESSAGES and NODES only where an allocator was asked. */
export const keyColumns = (isInUse: boolean): ReadonlyArray<Column<KeyRow>> => [
  { title: "KEY", cell: ({ id }) => id },
  { title: "SIGNS", cell: ({ signs }) => signs },
  { title: "SINCE", cell: ({ since }) => since },
  { title: "PRIVATE", cell: ({ isPrivateHere }) => (isPrivateHere ? "here" : "elsewhere") },
  ...(isInUse
    ? [
        { title: "MESSAGES", cell: ({ messages }: KeyRow) => String(messages ?? "") },
        { title: "NODES", cell: ({ nodes }: KeyRow) => String(nodes ?? "") }
      ]
    : []),
  { title: "TRUSTED-BY", cell: ({ trustedBy }) => trustedBy.join(" ") }
]
