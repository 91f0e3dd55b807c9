/** A Community object: names for communities. Names are global across the objects of a cluster. */
export interface CommunityAliases {
  readonly name: string
  readonly namespace: string
  /** Alias to the canonical text of its community. */
  readonly aliases: Readonly<Record<string, string>>
}
