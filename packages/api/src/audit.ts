import { Schema } from "effect"
import { AddressesText, AtText, at, EventTypeText, Limit, nameText, SeqText } from "./parameters.ts"
import { Instant, reading } from "./reading.ts"

/** What an export keeps of the log; with none of them it is the whole log, which alone can be verified. */
export const exportQuery = {
  address: Schema.optionalKey(AddressesText),
  network: Schema.optionalKey(nameText()),
  cluster: Schema.optionalKey(nameText()),
  namespace: Schema.optionalKey(nameText()),
  service: Schema.optionalKey(nameText("Name of a Service")),
  pool: Schema.optionalKey(nameText()),
  actor: Schema.optionalKey(nameText("As the events have it, `agent:east`")),
  correlation: Schema.optionalKey(
    Schema.String.pipe(
      Schema.check(Schema.isPattern(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, { message: "expected a UUID" }))
    ).annotate({ description: "Correlation id: everything that one look at the source led to" })
  ),
  type: Schema.optionalKey(EventTypeText),
  since: Schema.optionalKey(AtText.annotate({ description: "From this time, or this seq, on" })),
  until: Schema.optionalKey(AtText.annotate({ description: "Up to and with this time, or this seq" })),
  at,
  after: Schema.optionalKey(
    SeqText.annotate({ description: "Only events after this seq, to go on with a broken export" })
  ),
  journal: Schema.optionalKey(
    Schema.Literals(["wire"]).annotate({
      description:
        "What routers were told, instead of the ledger: rows of the wire journal, of an address, network or cluster; `after` is an id"
    })
  ),
  format: Schema.optionalKey(Schema.Literals(["ndjson", "csv"]).annotate({ description: "ndjson unless given" }))
}

/** The filters of an export, as a server gets them. */
export type ExportQuery = Schema.Struct<typeof exportQuery>["Type"]

/** Who exports, as the caller names itself: nobody is asked for a proof of it, which the event says. */
export const exportHeaders = {
  "x-lowtide-user": Schema.optionalKey(
    Schema.String.pipe(
      Schema.check(
        Schema.isPattern(/^[A-Za-z0-9._@-]{1,64}$/, { message: "expected a user name of at most 64 characters" })
      )
    )
  )
}

/** Which of the questions that were asked of the record. */
export const auditReadsQuery = {
  actor: Schema.optionalKey(nameText("As the answers have it, `person:ada`")),
  since: Schema.optionalKey(AtText.annotate({ description: "From this time, or this event, on" })),
  until: Schema.optionalKey(AtText.annotate({ description: "Up to and with this time, or this event" })),
  at,
  limit: Schema.optionalKey(Limit),
  before: Schema.optionalKey(SeqText.annotate({ description: "Only those before this id: `next` of a page" }))
}

/** Who asked what of the record, the newest last. */
export const AuditReadPage = Schema.Struct({
  ...reading,
  items: Schema.Array(
    Schema.Struct({
      id: Schema.Int,
      time: Instant,
      actor: Schema.String,
      unauthenticated: Schema.Boolean.annotate({ description: "Nobody checked that the actor is who it says" }),
      question: Schema.String.annotate({ description: "Path and query of the request" }),
      position: Schema.Int.annotate({ description: "Seq of the last event that could be in the answer" })
    })
  ),
  next: Schema.NullOr(Schema.Int).annotate({ description: "`before` of the next older page; null when there is none" })
}).annotate({ identifier: "AuditReadPage" })
export type AuditReadPage = typeof AuditReadPage.Type

/** Signed checkpoints, the smallest first. */
export const CheckpointList = Schema.Struct({
  ...reading,
  items: Schema.Array(
    Schema.Struct({
      incarnation: Schema.Int,
      size: Schema.Int.annotate({ description: "Events that it covers" }),
      note: Schema.String.annotate({ description: "The signed note (C2SP tlog-checkpoint)" })
    })
  ),
  next: Schema.NullOr(Schema.Int).annotate({ description: "`since` of the next page; null when there is none" })
}).annotate({ identifier: "CheckpointList" })
export type CheckpointList = typeof CheckpointList.Type

/**
 * A proof that an event is in the log: a document on its own, whose form is that of its file (docs/reference/ledger-proofs.md)
 * and which whoever gets it checks for itself.
 */
export const ProofDocument = Schema.Record(Schema.String, Schema.Unknown).annotate({
  identifier: "ProofDocument",
  description: "The file that `lowtide audit prove` writes, docs/reference/ledger-proofs.md"
})
