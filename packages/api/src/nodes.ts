import { Schema } from "effect"
import { FindingView } from "./finding.ts"
import { Instant, reading, reportsKept } from "./reading.ts"
import { WithheldOrders } from "./withheld.ts"

/**
 * How well a node's speaker is heard. `live`: it holds all that the centre says. `stale`: it lags behind. `silent`: no
 * status for 45 s, so that what it announces is not known. `unknown`: no status ever. At an earlier time statuses are not
 * known: `reported` then says that sessions and announcements are what the wire journal has of the node, `unknown` that it has nothing.
 */
export const NodeSync = Schema.Literals(["live", "stale", "silent", "reported", "unknown"])
export type NodeSync = typeof NodeSync.Type

/** One node and its speaker. */
export const NodeView = Schema.Struct({
  cluster: Schema.String,
  name: Schema.String,
  present: Schema.Boolean.annotate({ description: "False once the Node object is gone" }),
  retired: Schema.Boolean.annotate({ description: "A person said that it will not announce again what it did" }),
  addresses: Schema.Array(Schema.String),
  excluded: Schema.NullOr(Schema.Literals(["label", "network-unavailable"])),
  sessions: Schema.Struct({
    up: Schema.Int.annotate({ description: "Established; 0 while the node is silent or unknown" }),
    total: Schema.Int.annotate({ description: "Peers that the configuration gives the node" })
  }),
  announcing: Schema.Int.annotate({
    description: "VIPs on at least one established session; 0 while the node is silent"
  }),
  brake: Schema.NullOr(
    Schema.Struct({
      held: Schema.Int.annotate({ description: "Messages that wait" }),
      isNodeHeld: Schema.Boolean.annotate({ description: "Whether what the node itself is told is among them" }),
      addresses: Schema.Array(Schema.String).annotate({ description: "Of VIPs that wait, the first" }),
      since: Instant.annotate({ description: "Since when the first of them waits, the node's clock" })
    })
  ).annotate({ description: "What the speaker's brake holds back; null when nothing, or not known" }),
  withheld: Schema.optionalKey(Schema.NullOr(WithheldOrders)).annotate({
    description: "What a person at the node took away by hand; null when nothing, or not known"
  }),
  sync: NodeSync,
  lastHeard: Schema.NullOr(Instant).annotate({
    description: "When its newest status came in, the allocator's clock; null at an earlier time"
  }),
  refused: Schema.Array(Schema.Struct({ code: Schema.String, message: Schema.String, at: Schema.String })).annotate({
    description: "Messages that its speaker refused, the newest last"
  }),
  findings: Schema.Array(FindingView)
}).annotate({ identifier: "Node" })
export type NodeView = typeof NodeView.Type

/** Answer of `GET /v1/nodes`. */
export const NodeList = Schema.Struct({ ...reading, ...reportsKept, items: Schema.Array(NodeView) })
export type NodeList = typeof NodeList.Type
