import { Schema } from "effect"
import { LeaderRef } from "./problems.ts"
import { RecoveryView } from "./recovery.ts"

/** Answer of `GET /readyz`: this allocator leads or follows the log, and what it needs is there. */
export const Readiness = Schema.Struct({
  role: Schema.Literals(["leader", "follower", "waiting"]),
  leader: Schema.NullOr(LeaderRef).annotate({ description: "Who leads, as last seen" }),
  lagEvents: Schema.Int.annotate({ description: "Events that a follower knows of and has not read" }),
  lagSeconds: Schema.Number.annotate({ description: "Seconds since a follower was at the end of the log" }),
  database: Schema.Literals(["up", "down"]),
  nats: Schema.Literals(["up", "down"]).annotate({ description: "Down: changes commit and wait to be published" }),
  unpublished: Schema.Int.annotate({ description: "Messages committed and not yet stored in NATS" }),
  recovery: Schema.NullOr(RecoveryView).annotate({ description: "In the leader, once history was lost" })
}).annotate({ identifier: "Readiness" })
export type Readiness = typeof Readiness.Type
