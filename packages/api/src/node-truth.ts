import { Stamp } from "@lowtide/domain/announcing/intent"
import { Schema } from "effect"
import { ReasonWords } from "./orders.ts"
import { AddressesText } from "./parameters.ts"
import { Instant } from "./reading.ts"
import { WithheldOrder } from "./withheld.ts"

/** What a speaker knows of itself, with nothing else there. Answer of `GET /v1/node`. */
export const NodeTruth = Schema.Struct({
  cluster: Schema.String,
  node: Schema.String,
  at: Instant.annotate({ description: "The node's clock" }),
  startedAt: Instant,
  sync: Schema.Literals(["live", "stale"]),
  agreedAt: Schema.NullOr(Instant).annotate({
    description: "When what it holds last agreed with the centre, in this run or the one before"
  }),
  cseq: Schema.Int,
  stamp: Schema.NullOr(Stamp),
  isQuiet: Schema.Boolean.annotate({
    description:
      "Saved state was lost, or is too old after a boot: nothing is announced before the centre vouches for it"
  }),
  excluded: Schema.NullOr(Schema.String),
  sessions: Schema.Struct({ up: Schema.Int, total: Schema.Int }),
  intents: Schema.Int.annotate({ description: "Messages of VIPs in effect, tombstones included" }),
  announcing: Schema.Array(Schema.String).annotate({ description: "Addresses on at least one established session" }),
  prefixes: Schema.Int.annotate({ description: "Prefixes that some peer is to have" }),
  verdicts: Schema.Array(Schema.Struct({ verdict: Schema.String, vips: Schema.Int })),
  trustedKeys: Schema.Array(Schema.String),
  signers: Schema.Array(Schema.String).annotate({ description: "Keys that signed what is in effect" }),
  brake: Schema.NullOr(Schema.Struct({ held: Schema.Int, since: Instant })),
  refused: Schema.Array(Schema.Struct({ code: Schema.String, message: Schema.String, at: Schema.String })),
  withheld: Schema.Array(WithheldOrder)
}).annotate({ identifier: "NodeTruth" })
export type NodeTruth = typeof NodeTruth.Type

/** Which routes an order at the node is about, and why. */
export const NodeOrder = Schema.Struct({
  prefix: Schema.NullOr(AddressesText).annotate({ description: "An address, a prefix, or null for every route" }),
  reason: ReasonWords
}).annotate({ identifier: "NodeOrder" })
export type NodeOrder = typeof NodeOrder.Type

/** What became of an order at the node. */
export const NodeOrderAnswer = Schema.Struct({
  prefixes: Schema.Array(Schema.String).annotate({
    description: "What it took from the node's peers, or gave them back"
  }),
  peers: Schema.Array(
    Schema.Struct({
      peer: Schema.String,
      state: Schema.Literals(["written", "waiting", "down"]).annotate({
        description:
          "written: the router's TCP has acknowledged it; waiting: the router takes none; down: no session, and its router keeps what it has for the hold time or the restart time"
      })
    })
  ),
  aggregates: Schema.Array(Schema.String).annotate({
    description: "Announced prefixes that hold the one that was named, and stay: name them to take them away"
  }),
  isSaved: Schema.Boolean.annotate({ description: "False: the disk refused it, and a restart would forget it" }),
  withheld: Schema.Array(WithheldOrder).annotate({ description: "What is withheld by now" })
}).annotate({ identifier: "NodeOrderAnswer" })
export type NodeOrderAnswer = typeof NodeOrderAnswer.Type
