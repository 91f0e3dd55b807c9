import { Schema } from "effect"
import { Instant, reading } from "./reading.ts"

/** Who has a VIP, since when and why. */
export const HolderView = Schema.Struct({
  cluster: Schema.String,
  services: Schema.Array(Schema.Struct({ namespace: Schema.String, name: Schema.String, uid: Schema.String })),
  pool: Schema.String,
  since: Instant,
  until: Schema.NullOr(Instant).annotate({ description: "Null while it lasts" }),
  reason: Schema.String,
  seq: Schema.Int.annotate({ description: "The event that gave the VIP to them" }),
  actor: Schema.String
}).annotate({ identifier: "Holder" })
export type HolderView = typeof HolderView.Type

/** Answer of `GET /v1/vips/{address}/holder`. */
export const HolderAnswer = Schema.Struct({
  ...reading,
  network: Schema.NullOr(Schema.String).annotate({
    description: "Null when none was asked about and none has ever given the address out"
  }),
  address: Schema.String,
  at: Schema.NullOr(Instant).annotate({ description: "The moment asked about; null for now" }),
  /** What the address was going through then; `unknown` when it was never given out before. */
  phase: Schema.Literals(["assigned", "withdrawing", "quarantined", "free", "unknown"]),
  holder: Schema.NullOr(HolderView),
  sentence: Schema.String.annotate({ description: "The answer as a sentence for the record" })
}).annotate({ identifier: "HolderAnswer" })
export type HolderAnswer = typeof HolderAnswer.Type
