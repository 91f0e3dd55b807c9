import { Schema } from "effect"
import { AddressesText, AtText, at, HistoryTypeText, Limit, nameText, SeqText } from "./parameters.ts"
import { Instant, reading } from "./reading.ts"

/** One line of a history: an event of the log, or a row of the wire journal. */
export const HistoryEntry = Schema.Struct({
  time: Instant,
  seq: Schema.NullOr(Schema.Int).annotate({ description: "Place in the log; null for a row of the wire journal" }),
  type: Schema.String,
  actor: Schema.String,
  correlationId: Schema.NullOr(Schema.String).annotate({
    description: "What else the same look at the source led to; null for a row of the wire journal"
  }),
  cluster: Schema.NullOr(Schema.String),
  what: Schema.String,
  reason: Schema.NullOr(Schema.String),
  words: Schema.NullOr(Schema.String).annotate({ description: "Why, in the words of the person who ordered it" }),
  unauthenticated: Schema.Boolean.annotate({ description: "Nobody checked that the actor is who it says" }),
  code: Schema.NullOr(Schema.String).annotate({ description: "Finding code of a refusal, a fault or a lost session" }),
  fix: Schema.NullOr(Schema.String)
}).annotate({ identifier: "HistoryEntry" })
export type HistoryEntry = typeof HistoryEntry.Type

/** What a history is about: one thing. With none of them it is about the whole fleet. */
export const historyQuery = {
  address: Schema.optionalKey(AddressesText),
  network: Schema.optionalKey(nameText()),
  cluster: Schema.optionalKey(nameText()),
  namespace: Schema.optionalKey(nameText("With service")),
  service: Schema.optionalKey(nameText("Needs cluster and namespace")),
  pool: Schema.optionalKey(nameText()),
  node: Schema.optionalKey(nameText("Needs cluster")),
  peer: Schema.optionalKey(nameText()),
  file: Schema.optionalKey(nameText("Path of a manifest in its cluster's folder; needs cluster")),
  actor: Schema.optionalKey(nameText("As the events have it, `agent:east`")),
  type: Schema.optionalKey(HistoryTypeText),
  correlation: Schema.optionalKey(
    Schema.String.pipe(
      Schema.check(Schema.isPattern(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, { message: "expected a UUID" }))
    ).annotate({ description: "Correlation id: everything that one look at the source led to" })
  ),
  since: Schema.optionalKey(AtText.annotate({ description: "From this time, or this seq, on" })),
  until: Schema.optionalKey(AtText.annotate({ description: "Up to and with this time, or this seq" })),
  at,
  limit: Schema.optionalKey(Limit),
  before: Schema.optionalKey(SeqText.annotate({ description: "Only events before this seq: `next` of a page" }))
}

/** Answer of `GET /v1/history`, the newest last. */
export const HistoryPage = Schema.Struct({
  ...reading,
  items: Schema.Array(HistoryEntry),
  next: Schema.NullOr(Schema.Int).annotate({ description: "`before` of the next older page; null when there is none" }),
  archived: Schema.NullOr(Schema.String).annotate({
    description:
      "Where older events are that the database has no more; null when all that was asked for is in the pages"
  })
}).annotate({ identifier: "HistoryPage" })
export type HistoryPage = typeof HistoryPage.Type
