import type { RawObject } from "./raw.ts"
import type { ObjectReader } from "./reader.ts"
import { canonicalCommunity, communitySyntax } from "./syntax.ts"

/** A Community object: names for communities. Names are global across the objects of a cluster. */
export interface CommunityAliases {
  readonly name: string
  readonly namespace: string
  /** Alias to the canonical text of its community. */
  readonly aliases: Readonly<Record<string, string>>
}

/** Reads a Community object of metallb.io/v1beta1. */
export const readCommunityAliases = (reader: ObjectReader, raw: RawObject): CommunityAliases => {
  const spec = reader.fields("spec", raw.spec)
  const aliases = new Map<string, string>()
  for (const entry of spec.mappings("communities")) {
    entry.require("name", "the alias")
    entry.require("value", communitySyntax.expected)
    const name = entry.string("name")
    const value = entry.parsed("value", communitySyntax, canonicalCommunity)
    entry.reportUnknown()
    if (name !== undefined && aliases.has(name)) reader.report("LT0114", entry.at("name"), "each alias once", name)
    else if (name !== undefined && value !== undefined) aliases.set(name, value)
  }
  spec.reportUnknown()
  return { name: raw.name, namespace: raw.namespace, aliases: Object.fromEntries(aliases) }
}
