import { Schema } from "effect"
import { ReasonWords } from "./orders.ts"
import { Instant, reading } from "./reading.ts"

/** A row of the database that does not follow from the log. */
export const ReplayFindingView = Schema.Struct({
  projection: Schema.Literals(["stream_current", "vip_history", "events", "intent", "intent_head"]).annotate({
    description: "The table"
  }),
  key: Schema.String.annotate({
    description:
      "The stream; the VIP and the event that its stretch begins with; the events; the cluster, with the message's subject"
  }),
  what: Schema.String,
  foundAt: Instant
}).annotate({ identifier: "ReplayFinding" })

/** A partition of the log that has all its events. */
export const SegmentView = Schema.Struct({
  fromSeq: Schema.Int,
  toSeq: Schema.Int,
  phase: Schema.Literals(["kept", "archived", "dropped", "restored"]).annotate({
    description:
      "kept: in the database alone; archived: in a file as well; dropped: in the file alone; restored: in both again"
  }),
  firstAt: Schema.NullOr(Instant).annotate({ description: "When its first event was recorded" }),
  lastAt: Schema.NullOr(Instant).annotate({ description: "When its last event was recorded" }),
  archive: Schema.NullOr(
    Schema.Struct({
      file: Schema.String.annotate({ description: "The file's name, as whoever archived it gave it" }),
      sha256: Schema.String,
      root: Schema.String.annotate({ description: "RFC 6962 root over the leaves of the segment alone" })
    })
  )
}).annotate({ identifier: "Segment" })
export type SegmentView = typeof SegmentView.Type

/** Answer to an order about a segment. */
export const SegmentAnswer = Schema.Struct({ ...reading, segment: SegmentView }).annotate({
  identifier: "SegmentAnswer"
})
export type SegmentAnswer = typeof SegmentAnswer.Type

const Digest = Schema.String.pipe(
  Schema.check(Schema.isPattern(/^[0-9a-f]{64}$/, { message: "expected 64 hexadecimal digits" }))
)

/** What somebody archived: the leader compares it with the events that it has. */
export const ArchiveOrder = Schema.Struct({
  reason: ReasonWords,
  root: Digest,
  leavesDigest: Digest.annotate({ description: "docs/reference/ledger-proofs.md" }),
  file: Schema.String.pipe(Schema.check(Schema.isPattern(/^[^/\0\n]{1,255}$/, { message: "expected a file's name" }))),
  sha256: Digest.annotate({ description: "Of the file's octets" })
}).annotate({ identifier: "ArchiveOrder" })

/** An order about a segment. */
export const SegmentOrder = Schema.Struct({ reason: ReasonWords }).annotate({ identifier: "SegmentOrder" })

/** Answer of `GET /v1/ledger`. */
export const LedgerAnswer = Schema.Struct({
  ...reading,
  completeSince: Schema.Struct({
    seq: Schema.Int.annotate({ description: "The first event that is in the database" }),
    recordedAt: Schema.NullOr(Instant)
  }),
  segments: Schema.Array(SegmentView).annotate({ description: "The oldest first" }),
  signers: Schema.Array(
    Schema.Struct({
      keyId: Schema.String,
      messages: Schema.Int.annotate({ description: "Messages in effect that it has signed" }),
      nodes: Schema.Int.annotate({
        description: "Nodes that announce by what it has signed, as they say, also by what the centre has no word of"
      })
    })
  ).annotate({
    description:
      "Keys by which is signed what is in effect; a key that is not here can be retired, once `signersUntold` is empty"
  }),
  signersUntold: Schema.Array(Schema.Struct({ cluster: Schema.String, node: Schema.String })).annotate({
    description:
      "Nodes that may announce, after a loss of history also by what nobody knows of, and have not said by which keys that is signed"
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
