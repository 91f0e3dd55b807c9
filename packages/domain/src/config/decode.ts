import type { ClusterObject } from "./cluster-object.ts"
import type { Finding, Source } from "./finding.ts"
import type { RawObject } from "./raw.ts"

/** What came of one object. `object` is absent when a finding is an error, or when the kind is not read. */
export interface Decoded {
  readonly object?: ClusterObject
  /** All faults of the object at once. */
  readonly findings: ReadonlyArray<Finding>
}

export type DecodeObject = (raw: RawObject, source?: Source) => Decoded
