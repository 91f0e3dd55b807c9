import { Schema } from "effect"
import { CommandId, ReasonWords } from "./orders.ts"
import { Instant, reading } from "./reading.ts"

/** Addresses and objects of an approval that an answer names. */
export const approvalAddressesMax = 100

/** Withdrawals of one cluster beyond the budget, which wait for a second person. */
export const ApprovalView = Schema.Struct({
  id: Schema.String,
  cluster: Schema.String,
  author: Schema.String.annotate({ description: "Who ordered them; who that is may not approve" }),
  phase: Schema.Literals(["pending", "rejected"]).annotate({
    description: "Rejected: it stays announced, and may be approved after all"
  }),
  since: Instant.annotate({ description: "When the first of them came" }),
  count: Schema.Int.annotate({
    description: "Addresses that would be withdrawn: released, or without a route by the configuration that waits"
  }),
  revision: Schema.Int.annotate({ description: "What an approval names, so that what is approved is what was seen" }),
  addresses: Schema.Array(
    Schema.Struct({ network: Schema.String, address: Schema.String, services: Schema.Array(Schema.String) })
  ).annotate({ description: `The first ${approvalAddressesMax}, with the Services that had them` }),
  objects: Schema.Array(
    Schema.Struct({
      kind: Schema.String,
      namespace: Schema.String,
      name: Schema.String,
      change: Schema.Literals(["changed", "deleted"])
    })
  ).annotate({ description: `The first ${approvalAddressesMax} configuration objects whose change waits` }),
  objectCount: Schema.Int.annotate({ description: "How many of them there are" })
}).annotate({ identifier: "Approval" })
export type ApprovalView = typeof ApprovalView.Type

/** What has been withdrawn on command within the period, and may be without a second person. */
export const BudgetView = Schema.Struct({
  cluster: Schema.NullOr(Schema.String).annotate({ description: "Null: the whole fleet" }),
  withdrawn: Schema.Int,
  limit: Schema.Int
}).annotate({ identifier: "Budget" })

/** Answer of `GET /v1/approvals`. */
export const ApprovalList = Schema.Struct({
  ...reading,
  items: Schema.Array(ApprovalView),
  perSeconds: Schema.Number.annotate({ description: "The period of the budget" }),
  budget: Schema.Array(BudgetView)
})
export type ApprovalList = typeof ApprovalList.Type

/** What a person says of an approval. */
export const ApprovalDecision = Schema.Struct({
  commandId: CommandId,
  reason: ReasonWords,
  revision: Schema.Int
}).annotate({
  identifier: "ApprovalDecision"
})
