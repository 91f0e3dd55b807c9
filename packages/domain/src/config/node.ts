import type { RawObject } from "./raw.ts"
import { isRecord, type ObjectReader } from "./reader.ts"
import type { Labels } from "./selectors.ts"
import { addressSyntax, canonicalAddress } from "./syntax.ts"

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

/** Reads a Node of v1. Its taints, cordon and readiness have no part in announcing. */
export const readNode = (reader: ObjectReader, raw: RawObject): NodeObject => {
  const status = reader.fields("status", raw.status)
  const addresses = status.mappings("addresses").flatMap((entry) => {
    if (entry.string("type") !== "InternalIP") return []
    const address = entry.parsed("address", addressSyntax, canonicalAddress)
    return address === undefined ? [] : [address]
  })
  const conditions = status.items("conditions").map(({ value }) => value)
  return {
    name: raw.name,
    labels: reader.fields("metadata", { labels: raw.labels }).texts("labels"),
    networkUnavailable: conditions.some(
      (condition) => isRecord(condition) && condition.type === "NetworkUnavailable" && condition.status === "True"
    ),
    addresses
  }
}
