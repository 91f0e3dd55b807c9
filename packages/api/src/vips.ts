import { Schema } from "effect"
import { Instant, reading } from "./reading.ts"

/** One address that is not free. */
export const VipView = Schema.Struct({
  network: Schema.String,
  address: Schema.String,
  cluster: Schema.String,
  pool: Schema.String,
  phase: Schema.Literals(["assigned", "withdrawing", "quarantined"]),
  holders: Schema.Array(Schema.Struct({ namespace: Schema.String, name: Schema.String })).annotate({
    description: "Who has it, or had it last"
  }),
  awaiting: Schema.Array(Schema.String).annotate({
    description:
      "Nodes that have yet to confirm its withdrawal, without which nobody else gets it; of one that its holders leave, nodes that have yet to announce what takes its place, as far as they are heard"
  }),
  leaving: Schema.Boolean.annotate({
    description: "Its holders have other addresses by now, and give it up as soon as routers have those"
  }),
  approval: Schema.NullOr(Schema.String).annotate({
    description:
      "The order whose approval its withdrawal waits for: its holder is gone, or wants it no longer; null otherwise"
  }),
  routeApproval: Schema.optionalKey(Schema.NullOr(Schema.String)).annotate({
    description:
      "The order whose approval a change of configuration waits for that would leave the address without a route; null otherwise"
  }),
  quarantineEnd: Schema.NullOr(Instant),
  since: Schema.NullOr(Instant).annotate({ description: "When its newest event was recorded" })
}).annotate({ identifier: "Vip" })
export type VipView = typeof VipView.Type

/** Answer of `GET /v1/vips`. */
export const VipList = Schema.Struct({ ...reading, items: Schema.Array(VipView) })
export type VipList = typeof VipList.Type
