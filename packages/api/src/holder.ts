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

/**
 * What one node had told one router of a VIP. `announced`, `withdrawn`: by its newest report. `lost`: announced on a
 * session that ended afterwards. `unknown`: the session came up again afterwards, and no announcement is reported since.
 */
export const Announcement = Schema.Struct({
  peer: Schema.String,
  state: Schema.Literals(["announced", "withdrawn", "lost", "unknown"]),
  since: Instant.annotate({ description: "RFC 3339, the node's clock" })
})
export type Announcement = typeof Announcement.Type

/** What one node had told its routers of a VIP, by the wire journal. */
export const Announcer = Schema.Struct({
  node: Schema.String,
  intended: Schema.Boolean.annotate({
    description: "By the configuration then the node was to announce it if it could"
  }),
  verdict: Schema.NullOr(Schema.String).annotate({
    description: "What the node last made of its intent; null when it has reported nothing of the VIP"
  }),
  peers: Schema.Array(Announcement)
}).annotate({ identifier: "Announcer" })
export type Announcer = typeof Announcer.Type

/** Answer of `GET /v1/vips/{address}/holder`. */
export const HolderAnswer = Schema.Struct({
  ...reading,
  network: Schema.NullOr(Schema.String).annotate({
    description: "Null when none was asked about and none has ever given the address out"
  }),
  address: Schema.String,
  at: Schema.NullOr(Instant).annotate({
    description: "The moment asked about, or that of the event asked about; null: the present moment"
  }),
  /** What the address was going through then; `unknown` when it was never given out before. */
  phase: Schema.Literals(["assigned", "withdrawing", "quarantined", "free", "unknown"]),
  holder: Schema.NullOr(HolderView),
  reservation: Schema.NullOr(
    Schema.Struct({
      name: Schema.String,
      cluster: Schema.String,
      namespace: Schema.String,
      service: Schema.String
    })
  ).annotate({ description: "For whom it is kept; null for a moment that is past" }),
  awaiting: Schema.Array(Schema.String).annotate({
    description: "Nodes that have yet to confirm the withdrawal; empty for a moment that is past"
  }),
  quarantineEnd: Schema.NullOr(Instant).annotate({
    description: "From when others may have it; null unless it is quarantined, and for a moment that is past"
  }),
  approval: Schema.NullOr(Schema.String).annotate({
    description: "The order whose approval its withdrawal waits for, or waited for then; null otherwise"
  }),
  routeApproval: Schema.optionalKey(Schema.NullOr(Schema.String)).annotate({
    description:
      "The order whose approval a change of configuration waits for that would leave the address without a route, or waited for then; null otherwise"
  }),
  sentence: Schema.String.annotate({ description: "The answer as a sentence for the record" }),
  announcers: Schema.Array(Announcer).annotate({
    description: "Nodes that were to announce it then, or have reported of it; empty when it was nobody's"
  }),
  announcement: Schema.String.annotate({ description: "Which nodes had told which routers, as a sentence" })
}).annotate({ identifier: "HolderAnswer" })
export type HolderAnswer = typeof HolderAnswer.Type
