import type { RawObject } from "./raw.ts"
import type { ObjectReader } from "./reader.ts"
import type { Labels } from "./selectors.ts"

/** What Lowtide reads of a Namespace. */
export interface NamespaceObject {
  readonly name: string
  /** With `kubernetes.io/metadata.name`, which every cluster sets, also where the manifest lacks it. */
  readonly labels: Labels
}

/** Reads a Namespace of v1. */
export const readNamespace = (reader: ObjectReader, raw: RawObject): NamespaceObject => ({
  name: raw.name,
  labels: {
    ...reader.fields("metadata", { labels: raw.labels }).texts("labels"),
    "kubernetes.io/metadata.name": raw.name
  }
})
