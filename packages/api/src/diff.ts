import { Schema } from "effect"
import { AddressesText, AtText, DiffLimit, nameText } from "./parameters.ts"
import { Instant, reading } from "./reading.ts"

/** What of a fleet can differ between two times. `configuration` is every
 * manifest that is no Service, node or namespace; `approval` is an order that withdraws more than the budget allows. */
export const DiffKind = Schema.Literals([
  "address",
  "service",
  "node",
  "configuration",
  "approval",
  "namespace",
  "cluster",
  "finding"
])
export type DiffKind = typeof DiffKind.Type

/**
 * One thing that differs. `moved`: an address has another holder, a Service has another address for one that it had.
 * `removed` of an address: nobody holds it any more.
 */
export const DiffItem = Schema.Struct({
  kind: DiffKind,
  change: Schema.Literals(["added", "removed", "moved", "changed"]),
  cluster: Schema.String,
  name: Schema.String.annotate({
    description: "NETWORK/ADDRESS, NAMESPACE/NAME, NAME, KIND/NAMESPACE/NAME, or the id of an order"
  }),
  before: Schema.NullOr(Schema.Unknown).annotate({
    description:
      "State at `from`, docs/reference/events.md; null when there was none. Of a Service that moved: its addresses"
  }),
  after: Schema.NullOr(Schema.Unknown).annotate({ description: "State at `to`, in the same form" }),
  seq: Schema.Int.annotate({ description: "The newest event that led to it" }),
  time: Instant.annotate({ description: "When that event was recorded" }),
  sentence: Schema.String
}).annotate({ identifier: "DiffItem" })
export type DiffItem = typeof DiffItem.Type

/** The two times, and what of the fleet is compared. */
export const diffQuery = {
  from: AtText,
  to: Schema.optionalKey(AtText.annotate({ description: "Now without" })),
  cluster: Schema.optionalKey(nameText()),
  namespace: Schema.optionalKey(nameText("Only Services of it, and addresses that they hold")),
  pool: Schema.optionalKey(nameText("Only addresses of it")),
  address: Schema.optionalKey(AddressesText),
  kind: Schema.optionalKey(DiffKind),
  limit: Schema.optionalKey(DiffLimit),
  after: Schema.optionalKey(
    Schema.String.pipe(
      Schema.check(Schema.isPattern(/^\d{1,15}-\d{1,15}-\d{1,15}$/, { message: "expected `next` of a page" }))
    ).annotate({ description: "`next` of a page: what comes after it, of the same two places of the log" })
  )
}

const Place = Schema.Struct({
  position: Schema.Int.annotate({ description: "Seq of the last event that it takes into account" }),
  time: Instant
})

/** Answer of `GET /v1/diff`: addresses, Services, nodes, configuration, approvals, in the order of their names within each kind. */
export const DiffAnswer = Schema.Struct({
  ...reading,
  from: Place,
  to: Place,
  items: Schema.Array(DiffItem),
  next: Schema.NullOr(Schema.String).annotate({ description: "`after` of the next page; null when there is none" })
}).annotate({ identifier: "DiffAnswer" })
export type DiffAnswer = typeof DiffAnswer.Type
