import { Schema } from "effect"
import { FindingView } from "./finding.ts"
import { Instant, reading, reportsKept } from "./reading.ts"

/**
 * Where a Service stands. `Announced`: at least one node announces an address of it, of each IP version that it has one of.
 * `Partial`: of one version, not of the other. `Assigned`: no node announces what it has. `Pending`: it has none yet. `Invalid`: its manifest cannot be read. `Held`: it is gone, or wants no
 * address, and what it had stays announced until a second person approves the withdrawal.
 */
export const ServiceStanding = Schema.Literals(["Announced", "Partial", "Assigned", "Pending", "Invalid", "Held"])
export type ServiceStanding = typeof ServiceStanding.Type

/** Why a Service lacks what it asks for. */
export const Refusal = Schema.Struct({ code: Schema.String, message: Schema.String, fix: Schema.String })
export type Refusal = typeof Refusal.Type

/** One Service of type LoadBalancer, or one that still holds an address. */
export const ServiceView = Schema.Struct({
  cluster: Schema.String,
  network: Schema.String,
  namespace: Schema.String,
  name: Schema.String,
  addresses: Schema.Array(
    Schema.Struct({
      address: Schema.String,
      pool: Schema.String,
      leaving: Schema.Boolean.annotate({
        description: "Given up for another, and announced until every node that announces it announces that"
      }),
      approval: Schema.NullOr(Schema.String).annotate({
        description: "The order whose approval its withdrawal waits for; null otherwise"
      })
    })
  ),
  state: ServiceStanding,
  trafficPolicy: Schema.Literals(["Cluster", "Local"]),
  announcing: Schema.Array(Schema.String).annotate({
    description: "Nodes that announce an address of it, by their newest status; silent nodes are not counted"
  }),
  eligible: Schema.Array(Schema.String).annotate({
    description: "Candidates that are to announce it: not excluded, and with endpoints where the policy asks for them"
  }),
  candidates: Schema.Array(Schema.String).annotate({ description: "Nodes that the configuration lets announce it" }),
  refusal: Schema.NullOr(Refusal),
  findings: Schema.Array(FindingView),
  since: Schema.NullOr(Instant).annotate({ description: "Since when it has these addresses, or lacks them" })
}).annotate({ identifier: "Service" })
export type ServiceView = typeof ServiceView.Type

/** Answer of `GET /v1/services`. */
export const ServiceList = Schema.Struct({ ...reading, ...reportsKept, items: Schema.Array(ServiceView) })
export type ServiceList = typeof ServiceList.Type
