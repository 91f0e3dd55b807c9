import { Schema } from "effect"
import { FindingView } from "./finding.ts"
import { reading } from "./reading.ts"

/** How many addresses; a decimal text, since an IPv6 pool may have more than a JSON number holds. */
export const AddressCount = Schema.String.annotate({ description: "Decimal; may exceed 2^53" })

/** One pool of one cluster. */
export const PoolView = Schema.Struct({
  cluster: Schema.String,
  network: Schema.String,
  name: Schema.String,
  state: Schema.Literals(["Accepted", "Refused"]).annotate({ description: "Refused: it is not in effect" }),
  ranges: Schema.Array(Schema.String),
  autoAssign: Schema.Boolean,
  priority: Schema.NullOr(Schema.Int).annotate({ description: "Lower is preferred; null comes last" }),
  total: AddressCount,
  assigned: Schema.Int.annotate({ description: "Addresses that Services of the cluster hold from this pool" }),
  withdrawing: Schema.Int,
  quarantined: Schema.Int,
  elsewhere: Schema.Int.annotate({
    description: "Addresses of its ranges that another cluster of the network, or another pool, has taken"
  }),
  available: AddressCount,
  findings: Schema.Array(FindingView)
}).annotate({ identifier: "Pool" })
export type PoolView = typeof PoolView.Type

/** Answer of `GET /v1/pools`. */
export const PoolList = Schema.Struct({ ...reading, items: Schema.Array(PoolView) })
export type PoolList = typeof PoolList.Type
