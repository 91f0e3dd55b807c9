import type { TokenHolder } from "@lowtide/api/tokens"
import type { Column } from "../table.ts"

/** A token without its hash. */
export type TokenRow = Omit<TokenHolder, "sha256"> & { readonly expired: boolean }

/** `operator of cluster east, pool public`. */
const grantText = ({ role, clusters, pools }: TokenRow["roles"][number]): string => {
  const limits = [
    ...(clusters === undefined ? [] : [`cluster ${clusters.join(" ")}`]),
    ...(pools === undefined ? [] : [`pool ${pools.join(" ")}`])
  ]
  return limits.length === 0 ? role : `${role} of ${limits.join(", ")}`
}

/** Columns of `lowtide token list`. */
export const tokenColumns: ReadonlyArray<Column<TokenRow>> = [
  { title: "ACTOR", cell: ({ kind, name }) => `${kind}:${name}` },
  { title: "EXPIRES", cell: ({ expires = "", expired }) => (expired ? { text: expires, tone: "bad" } : expires) },
  { title: "ROLES", cell: ({ roles }) => roles.map(grantText).join("; ") }
]
