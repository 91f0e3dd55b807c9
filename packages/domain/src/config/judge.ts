import type { ClusterConfig } from "./cluster-config.ts"
import type { ClusterObject } from "./cluster-object.ts"
import type { Finding } from "./finding.ts"

/** What a cluster's objects amount to together. */
export interface Judgement {
  readonly config: ClusterConfig
  readonly findings: ReadonlyArray<Finding>
}

export type Judge = (objects: Iterable<ClusterObject>) => Judgement
