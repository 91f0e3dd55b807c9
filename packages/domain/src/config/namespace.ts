import type { Labels } from "./selectors.ts"

/** What Lowtide reads of a Namespace. */
export interface NamespaceObject {
  readonly name: string
  /** With `kubernetes.io/metadata.name`, which every cluster sets, also where the manifest lacks it. */
  readonly labels: Labels
}
