import { Schema } from "effect"
import { Instant, reading } from "./reading.ts"

/** A row of the database that does not follow from the log. */
export const ReplayFindingView = Schema.Struct({
  projection: Schema.Literals(["stream_current", "vip_history"]).annotate({ description: "The table" }),
  key: Schema.String.annotate({ description: "The stream, or the VIP and the event that its stretch begins with" }),
  what: Schema.String,
  foundAt: Instant
}).annotate({ identifier: "ReplayFinding" })

/** Answer of `GET /v1/ledger`. */
export const LedgerAnswer = Schema.Struct({
  ...reading,
  completeSince: Schema.Struct({
    seq: Schema.Int.annotate({ description: "The first event that is in the database" }),
    recordedAt: Schema.NullOr(Instant)
  }),
  placesAhead: Schema.Int.annotate({ description: "Events that there are partitions for beyond the last one" }),
  replay: Schema.Struct({
    last: Schema.NullOr(
      Schema.Struct({
        checkedBy: Schema.String.annotate({ description: "Name of the allocator that compared" }),
        position: Schema.Int.annotate({ description: "Seq of the last event when it began" }),
        compared: Schema.Int.annotate({ description: "Rows and events" }),
        startedAt: Instant,
        finishedAt: Instant
      })
    ).annotate({ description: "The last comparison of the state with the log that got to its end; null before" }),
    findings: Schema.Array(ReplayFindingView)
  })
}).annotate({ identifier: "LedgerAnswer" })
export type LedgerAnswer = typeof LedgerAnswer.Type
