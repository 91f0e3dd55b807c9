import { Schema } from "effect"
import { ClusterFinding } from "./finding.ts"
import { HistoryEntry } from "./history.ts"
import { isStorable } from "./parameters.ts"
import { reading } from "./reading.ts"

/** The longest reason that a person may give. */
export const reasonLengthMax = 500

/** Why a person overrides what the system would do. */
export const ReasonWords = Schema.String.pipe(
  Schema.check(
    Schema.makeFilter((text: string) =>
      text.trim() === "" || text.length > reasonLengthMax
        ? `expected a reason in words, 1 to ${reasonLengthMax} characters, found ${text.length === 0 ? "none" : `${text.length} characters`}`
        : isStorable(text)
    )
  )
).annotate({ description: "Why, in the person's own words; stored with every event that follows" })

/** An id that the caller makes: the same order sent again with it is carried out once. */
export const CommandId = Schema.String.pipe(
  Schema.check(
    Schema.isPattern(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, { message: "expected a UUID in lower case" })
  )
).annotate({ description: "UUID made by the caller; an order sent again with it is carried out once" })

/** An order that overrides the system. */
export const Override = Schema.Struct({ commandId: CommandId, reason: ReasonWords }).annotate({
  identifier: "Override"
})

/** How many events of an order its answer tells of. */
export const orderEventsMax = 100

/** What an order led to. */
export const OrderAnswer = Schema.Struct({
  ...reading,
  commandId: Schema.String,
  seqFrom: Schema.NullOr(Schema.Int).annotate({ description: "Null: it was so already, and nothing was stored" }),
  seqTo: Schema.NullOr(Schema.Int),
  items: Schema.Array(HistoryEntry).annotate({ description: `Its first ${orderEventsMax} events, in their order` }),
  // Allocators of the release before do not say it.
  findings: Schema.optionalKey(
    Schema.Array(ClusterFinding).annotate({
      description: "Of an object that was applied: what is to be known of it, though it is in effect"
    })
  )
}).annotate({ identifier: "OrderAnswer" })
export type OrderAnswer = typeof OrderAnswer.Type
