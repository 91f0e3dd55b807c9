import { Schema } from "effect"
import { Instant } from "./reading.ts"

/** One thing that a person at the node took away, until it is given back. */
export const WithheldOrder = Schema.Struct({
  prefix: Schema.NullOr(Schema.String).annotate({ description: "Every route in it; null: every route of the node" }),
  reason: Schema.String,
  actor: Schema.String.annotate({
    description: "Who the caller said to be; the socket lets in root and the speaker's user"
  }),
  since: Instant
}).annotate({ identifier: "WithheldOrder" })
export type WithheldOrder = typeof WithheldOrder.Type

/** What a node's status has of the orders that stand there. */
export const WithheldOrders = Schema.Struct({
  count: Schema.Int.annotate({ description: "Orders that stand" }),
  orders: Schema.Array(WithheldOrder).annotate({ description: "The first of them" })
}).annotate({ identifier: "WithheldOrders" })
export type WithheldOrders = typeof WithheldOrders.Type
