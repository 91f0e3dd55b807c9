import { Schema } from "effect"
import { AddressesText, nameText } from "./parameters.ts"
import { Instant, reading } from "./reading.ts"

/** What a router says of one route of one node. */
export const EvidenceVerdict = Schema.Literals(["has", "let-go", "never", "session-down", "unsure", "not-reported"])
export type EvidenceVerdict = typeof EvidenceVerdict.Type

/** One route of one node to one peer, and what the router says of it. */
export const EvidenceView = Schema.Struct({
  cluster: Schema.String,
  node: Schema.String,
  peer: Schema.String,
  peerAddress: Schema.String,
  network: Schema.String,
  prefix: Schema.String,
  addresses: Schema.Array(Schema.String).annotate({ description: "The VIPs that it is announced for" }),
  wanted: Schema.Boolean.annotate({
    description: "Whether the peer is to have it; false: it was withdrawn, and the address is not free yet"
  }),
  verdict: EvidenceVerdict.annotate({
    description:
      "has; let-go: it had it on this connection; never: it tells the table, and it was not in it; session-down; unsure: it tells the table in part; not-reported: nobody tells of such a session"
  }),
  router: Schema.NullOr(Schema.String).annotate({ description: "Who says it: its name, or its address" }),
  view: Schema.NullOr(Schema.String).annotate({ description: "Which of the router's tables: RFC 7854 §4.2" }),
  since: Schema.NullOr(Instant).annotate({
    description:
      "Since when it is so, the allocator's clock; of a route that was there when the router began to tell: at least"
  }),
  isOlder: Schema.Boolean.annotate({ description: "It was so when the router began to tell" }),
  isUsed: Schema.NullOr(Schema.Boolean).annotate({
    description: "Whether the router's Loc-RIB has a path with that next hop; null where it does not tell it"
  }),
  why: Schema.NullOr(Schema.String)
}).annotate({ identifier: "Evidence" })
export type EvidenceView = typeof EvidenceView.Type

/** A router that reports to the allocator that answers. */
export const ReportingRouterView = Schema.Struct({
  address: Schema.String,
  name: Schema.String.annotate({ description: "Its sysName" }),
  description: Schema.String.annotate({ description: "Its sysDescr" }),
  since: Instant,
  heard: Instant.annotate({ description: "When it last said anything" }),
  sessions: Schema.Int.annotate({ description: "BGP sessions that it tells of and that are up" }),
  routes: Schema.Int.annotate({ description: "Routes that are kept of it, of all tables" }),
  doubt: Schema.NullOr(Schema.String).annotate({ description: "Why a table of it is known in part only" })
})
export type ReportingRouterView = typeof ReportingRouterView.Type

/** A router that reported and does not any more. */
export const LostRouterView = Schema.Struct({
  address: Schema.String,
  name: Schema.String,
  at: Instant,
  reason: Schema.String
})

/** The most routes that one answer has. */
export const evidenceItemsMax = 10_000

/** Answer of `GET /v1/evidence`. */
export const EvidenceList = Schema.Struct({
  ...reading,
  isListening: Schema.Boolean.annotate({ description: "Whether the allocator that answers listens for routers (BMP)" }),
  routers: Schema.Array(ReportingRouterView),
  lost: Schema.Array(LostRouterView),
  items: Schema.Array(EvidenceView),
  leftOut: Schema.Int.annotate({ description: "Routes beyond the first 10000: narrow the question" })
})
export type EvidenceList = typeof EvidenceList.Type

/** Query of `GET /v1/evidence`. */
export const evidenceQuery = {
  cluster: Schema.optionalKey(nameText("Only this cluster")),
  node: Schema.optionalKey(nameText("Only this node")),
  prefix: Schema.optionalKey(AddressesText)
}

/** The query, as handlers get it. */
export interface EvidenceQuery {
  readonly cluster?: string
  readonly node?: string
  readonly prefix?: string
}
