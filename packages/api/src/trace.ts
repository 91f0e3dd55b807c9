import { Schema } from "effect"
import { Instant, reading } from "./reading.ts"

/**
 * The hops of a change in their order: from `node-received` to `peer-written` for each node; `node-changed` is what nodes
 * told their peers of the same VIPs afterwards, for reasons of their own.
 */
export const TraceStep = Schema.Literals([
  "seen",
  "received",
  "committed",
  "published",
  "node-received",
  "node-saved",
  "peer-written",
  "status-written",
  "node-changed"
])
export type TraceStep = typeof TraceStep.Type

/** One hop of a change. */
export const TraceHop = Schema.Struct({
  step: TraceStep,
  where: Schema.String.annotate({ description: "Process, address, node or peer" }),
  time: Schema.NullOr(Instant).annotate({ description: "Null when it has not happened, or is not known" }),
  deltaMs: Schema.NullOr(Schema.Number).annotate({
    description: "After the hop that led to it; clocks of different machines may make it negative"
  }),
  clock: Schema.Literals(["agent", "allocator", "database", "nats", "node"]),
  detail: Schema.String
}).annotate({ identifier: "TraceHop" })
export type TraceHop = typeof TraceHop.Type

/** Answer of `GET /v1/trace/service/…`: the newest change of a Service and how far it has come, or had by then. */
export const TraceAnswer = Schema.Struct({
  ...reading,
  cluster: Schema.String,
  namespace: Schema.String,
  name: Schema.String,
  at: Schema.NullOr(Instant).annotate({ description: "The moment that was asked about; null: the present one" }),
  change: Schema.String.annotate({ description: "What changed, as a sentence" }),
  seqFrom: Schema.Int,
  seqTo: Schema.Int,
  correlationId: Schema.String,
  hops: Schema.Array(TraceHop)
}).annotate({ identifier: "TraceAnswer" })
export type TraceAnswer = typeof TraceAnswer.Type
