import { Schema } from "effect"

/** Answer of `GET /readyz`: this allocator leads, and what it needs is there. */
export const Readiness = Schema.Struct({
  role: Schema.Literals(["leader", "waiting"]),
  database: Schema.Literals(["up", "down"]),
  nats: Schema.Literals(["up", "down"]).annotate({ description: "Down: changes commit and wait to be published" }),
  unpublished: Schema.Int.annotate({ description: "Messages committed and not yet stored in NATS" })
}).annotate({ identifier: "Readiness" })
export type Readiness = typeof Readiness.Type
