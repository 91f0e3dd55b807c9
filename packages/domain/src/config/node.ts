import type { Labels } from "./selectors.ts"

/** What Lowtide reads of a Node. */
export interface NodeObject {
  readonly name: string
  readonly labels: Labels
  /** The condition NetworkUnavailable is True: the node must not announce. */
  readonly networkUnavailable: boolean
  /** Canonical texts of its InternalIP addresses, in the order listed. */
  readonly addresses: ReadonlyArray<string>
}

/** Present, with any value, on a node that is to announce nothing. */
export const excludeLabel = "node.kubernetes.io/exclude-from-external-load-balancers"
