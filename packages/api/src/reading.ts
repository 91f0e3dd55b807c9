import { Schema } from "effect"

/** What every answer carries: how much of the log it knows. */
export const reading = {
  /** Seq of the last event that the answer takes into account; 0 for an empty log. */
  position: Schema.Int.annotate({ description: "Seq of the last event that the answer takes into account" }),
  /** When that event was recorded, RFC 3339 in UTC, by the database's clock. */
  asOf: Schema.String.annotate({ description: "When that event was recorded, RFC 3339, by the database's clock" })
}

/** A moment, RFC 3339 in UTC. */
export const Instant = Schema.String.annotate({ description: "RFC 3339 in UTC" })

/** What lists carry that say what nodes had told their routers. */
export const reportsKept = {
  // Allocators of the release before do not say it.
  reportsSince: Schema.optional(
    Schema.NullOr(Instant).annotate({
      description:
        "At an earlier time: reports of nodes from before then were removed by retention, and are missing in it; null when none were, and for the present"
    })
  )
}

/** The two fields of `reading`, as a server fills them in. */
export interface Reading {
  readonly position: number
  readonly asOf: string
}
