import { Schema } from "effect"
import { Instant, reading } from "./reading.ts"

/** An allocator: the one that leads, or one that follows the log, answers readers and takes over. */
export const AllocatorView = Schema.Struct({
  name: Schema.String,
  /** Names one run of it. */
  id: Schema.String,
  url: Schema.NullOr(Schema.String).annotate({ description: "Where its API answers; null when it was not told" }),
  state: Schema.Literals(["leader", "follower", "silent"]).annotate({
    description: "silent: it did not say for ten seconds that it runs"
  }),
  position: Schema.Int.annotate({ description: "Seq of the last event that it has read" }),
  lagEvents: Schema.Int.annotate({ description: "Events that the answering allocator has read and this one has not" }),
  startedAt: Instant,
  seenAt: Instant.annotate({ description: "When it last said that it runs, by the database's clock" })
}).annotate({ identifier: "Allocator" })
export type AllocatorView = typeof AllocatorView.Type

/** Answer of `GET /v1/allocators`. */
export const AllocatorList = Schema.Struct({ ...reading, items: Schema.Array(AllocatorView) }).annotate({
  identifier: "AllocatorList"
})
export type AllocatorList = typeof AllocatorList.Type
