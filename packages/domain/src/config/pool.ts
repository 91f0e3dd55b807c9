import type { LabelSelector, Labels } from "./selectors.ts"

/** An IPAddressPool: addresses that may be given out, and to whom. */
export interface AddressPool {
  readonly name: string
  readonly namespace: string
  /** Canonical texts of AddressRange in the order written; at least one; none overlaps another. */
  readonly ranges: ReadonlyArray<string>
  /** False: only Services that ask for the pool, or for an address of it, get one. */
  readonly autoAssign: boolean
  /** True: IPv4 addresses ending in .0 or .255 are not given out. */
  readonly avoidBuggyIPs: boolean
  /** Lower is preferred; absent (or written 0) comes last. */
  readonly priority?: number
  /** Namespaces by name; together with `namespaceSelectors` a union. Both empty: no restriction. */
  readonly namespaces: ReadonlyArray<string>
  readonly namespaceSelectors: ReadonlyArray<LabelSelector>
  /** Selectors over the labels of Services. Empty: no restriction. A Service must pass both restrictions. */
  readonly serviceSelectors: ReadonlyArray<LabelSelector>
  readonly labels: Labels
}
