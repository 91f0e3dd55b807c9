import { Schema } from "effect"
import { Instant, reading } from "./reading.ts"

/** A process of the fleet, and the newest fleet version that it knows. */
export const FleetProcess = Schema.Struct({
  kind: Schema.Literals(["allocator", "agent", "speaker"]),
  name: Schema.String.annotate({ description: "An allocator's name, an agent's cluster, CLUSTER/NODE of a speaker" }),
  version: Schema.NullOr(Schema.Int).annotate({ description: "Null of one that was not heard from" }),
  state: Schema.Literals(["live", "silent", "unheard"]).annotate({
    description: "silent: it has ended, as far as can be told; unheard: not since this allocator leads"
  }),
  holdsBack: Schema.Boolean.annotate({
    description: "The newest version cannot be finalised before it is newer or has ended"
  })
}).annotate({ identifier: "FleetProcess" })
export type FleetProcess = typeof FleetProcess.Type

/** Answer of `GET /v1/fleet/version`. */
export const FleetVersionAnswer = Schema.Struct({
  ...reading,
  version: Schema.Int.annotate({ description: "What is written and sent is of this version at most" }),
  newest: Schema.Int.annotate({ description: "The newest version that the answering allocator knows" }),
  finalised: Schema.NullOr(
    Schema.Struct({
      seq: Schema.Int,
      time: Instant,
      actor: Schema.NullOr(Schema.String).annotate({ description: "Null where the event is in an archive" }),
      words: Schema.NullOr(Schema.String).annotate({ description: "Why; null where the log began with it" })
    })
  ).annotate({ description: "The event that finalised it; null of the first version" }),
  off: Schema.Array(Schema.String).annotate({
    description: "Types of events, commands and features that are off until the newest version is finalised"
  }),
  processes: Schema.Array(FleetProcess)
}).annotate({ identifier: "FleetVersionAnswer" })
export type FleetVersionAnswer = typeof FleetVersionAnswer.Type
