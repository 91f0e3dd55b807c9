import { Schema } from "effect"
import { FindingView } from "./finding.ts"
import { reading } from "./reading.ts"

/** How many addresses; a decimal text, since an IPv6 pool may have more than a JSON number holds. */
export const AddressCount = Schema.String.annotate({ description: "Decimal; may exceed 2^53" })

/** What a pool has of one IP version. Addresses are counted, not Services: one that several share is one. */
export const PoolCounts = Schema.Struct({
  total: AddressCount,
  assigned: Schema.Int,
  withdrawing: Schema.Int,
  quarantined: Schema.Int,
  reserved: Schema.Int,
  elsewhere: Schema.Int,
  available: AddressCount
}).annotate({ identifier: "PoolCounts" })
export type PoolCounts = typeof PoolCounts.Type

/** One pool of one cluster; one of the fleet is there for each cluster that has it. */
export const PoolView = Schema.Struct({
  cluster: Schema.String.annotate({ description: "Empty for a pool of the fleet that no cluster has" }),
  network: Schema.String,
  name: Schema.String,
  scope: Schema.Literals(["cluster", "fleet"]).annotate({
    description: "Whether it is the cluster's own, or an AddressPool of the fleet"
  }),
  state: Schema.Literals(["Accepted", "Refused"]).annotate({ description: "Refused: it is not in effect" }),
  ranges: Schema.Array(Schema.String),
  autoAssign: Schema.Boolean,
  priority: Schema.NullOr(Schema.Int).annotate({ description: "Lower is preferred; null comes last" }),
  quarantineSeconds: Schema.Int.annotate({
    description: "How long an address of it rests once every node has confirmed its withdrawal"
  }),
  total: AddressCount,
  assigned: Schema.Int.annotate({ description: "Addresses that Services of the cluster hold from this pool" }),
  withdrawing: Schema.Int,
  quarantined: Schema.Int,
  reserved: Schema.Int.annotate({ description: "Free addresses of its ranges that are kept for somebody" }),
  elsewhere: Schema.Int.annotate({
    description: "Addresses of its ranges that another cluster of the network, or another pool, has taken"
  }),
  available: AddressCount,
  ipv4: Schema.NullOr(PoolCounts).annotate({ description: "Null when the pool has no IPv4 addresses" }),
  ipv6: Schema.NullOr(PoolCounts).annotate({ description: "Null when the pool has no IPv6 addresses" }),
  findings: Schema.Array(FindingView)
}).annotate({ identifier: "Pool" })
export type PoolView = typeof PoolView.Type

/** Answer of `GET /v1/pools`. */
export const PoolList = Schema.Struct({ ...reading, items: Schema.Array(PoolView) })
export type PoolList = typeof PoolList.Type
