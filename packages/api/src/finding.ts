import { Schema } from "effect"
import { Instant, reading } from "./reading.ts"

/** The object that a finding is about. */
export const ObjectName = Schema.Struct({
  kind: Schema.String,
  namespace: Schema.optionalKey(Schema.String),
  name: Schema.String
})
export type ObjectName = typeof ObjectName.Type

/** One thing that is wrong, told once, with what to do about it. */
export const FindingView = Schema.Struct({
  code: Schema.String.annotate({ description: "Stable code, docs/reference/codes.md" }),
  severity: Schema.Literals(["error", "warning"]),
  object: ObjectName,
  field: Schema.String.annotate({ description: "Path of the field; empty for the object as a whole" }),
  message: Schema.String,
  expected: Schema.String,
  found: Schema.String,
  fix: Schema.String,
  source: Schema.optionalKey(Schema.Struct({ file: Schema.String, line: Schema.Int }))
}).annotate({ identifier: "Finding" })
export type FindingView = typeof FindingView.Type

/** A finding with the cluster it was found in. */
export const ClusterFinding = Schema.Struct({
  cluster: Schema.String,
  since: Schema.NullOr(Instant),
  ...FindingView.fields
}).annotate({ identifier: "ClusterFinding" })
export type ClusterFinding = typeof ClusterFinding.Type

/** Answer of `GET /v1/findings`. */
export const FindingList = Schema.Struct({
  ...reading,
  // Allocators of the release before do not say it.
  lacks: Schema.optional(
    Schema.Array(Schema.String).annotate({
      description:
        "Codes of which there may be more, that the allocator which answers cannot know: the leader does, who answers with `read=leader`"
    })
  ),
  items: Schema.Array(ClusterFinding)
})
export type FindingList = typeof FindingList.Type
