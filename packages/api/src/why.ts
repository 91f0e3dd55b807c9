import { Schema } from "effect"
import { Instant, reading } from "./reading.ts"

/**
 * Answer of `GET /v1/why/service/…`. `served`: it has what it asks for. `refused`: it does not, for the refusal's reason, whatever
 * it has. `unasked`: it wants no address of Lowtide. `invalid`: its manifest cannot be read. `absent`: there is no such Service.
 */
export const WhyAnswer = Schema.Struct({
  ...reading,
  cluster: Schema.String,
  namespace: Schema.String,
  name: Schema.String,
  at: Schema.NullOr(Instant).annotate({ description: "The moment asked about; null: the present moment" }),
  standing: Schema.Literals(["served", "refused", "unasked", "invalid", "absent"]),
  addresses: Schema.Array(
    Schema.Struct({
      address: Schema.String,
      pool: Schema.String,
      leaving: Schema.Boolean.annotate({
        description: "Given up for another, and announced until every node that announces it announces that"
      }),
      reason: Schema.NullOr(Schema.String).annotate({ description: "Why it was given, docs/reference/events.md" }),
      since: Schema.NullOr(Instant),
      seq: Schema.NullOr(Schema.Int).annotate({ description: "The event that gave it" })
    })
  ),
  refusal: Schema.NullOr(
    Schema.Struct({
      code: Schema.String,
      message: Schema.String,
      expected: Schema.String,
      found: Schema.String,
      fix: Schema.String,
      since: Schema.NullOr(Instant),
      seq: Schema.NullOr(Schema.Int).annotate({ description: "The event that refused it" })
    })
  ),
  pools: Schema.Array(
    Schema.Struct({
      pool: Schema.String,
      verdict: Schema.Literals(["holds", "offers", "passed", "invalid"]),
      why: Schema.String
    })
  ).annotate({
    description: "What each pool is to the Service by the state asked about, in the order in which they are looked at"
  }),
  sentence: Schema.String.annotate({ description: "The answer as a sentence for the record" })
}).annotate({ identifier: "WhyAnswer" })
export type WhyAnswer = typeof WhyAnswer.Type
