import { formatCommunity, type LargeCommunity, type Prefix, type StandardCommunity } from "@lowtide/net"
import { sequence } from "./wire/as-path.ts"
import type { AttributeContext } from "./wire/attribute-codec.ts"
import type { PathAttribute } from "./wire/path-attributes.ts"

/** What a route says beside its prefix, before it is known to whom: the session decides what of it goes on the wire. */
export interface RouteAttributes {
  /** How often our AS number stands in AS_PATH beyond the one time it has to; external peers only. */
  readonly asPathPrepend: number
  /** Internal peers only, 100 unless given. */
  readonly localPref?: number
  readonly med?: number
  readonly communities: ReadonlyArray<StandardCommunity>
  readonly largeCommunities: ReadonlyArray<LargeCommunity>
  /** As the eight octets of each, as one number (RFC 4360 §2). */
  readonly extendedCommunities?: ReadonlyArray<bigint>
}

/** Announce the prefix with these attributes, or withdraw it. */
export interface RouteChange {
  readonly prefix: Prefix
  /** `undefined` withdraws. */
  readonly attributes: RouteAttributes | undefined
}

/** LOCAL_PREF of a route that has none of its own: what routers use as well. */
export const localPrefDefault = 100

const keys = new WeakMap<RouteAttributes, string>()

/**
 * A text that is equal exactly when the attributes mean the same: communities are sets, whatever their order. It is
 * remembered for the object, so that thousands of routes that share one cost one computation.
 */
export const attributeSetKey = (attributes: RouteAttributes): string => {
  const known = keys.get(attributes)
  if (known !== undefined) return known
  const { communities, extendedCommunities, largeCommunities } = inOrder(attributes)
  const key = [
    attributes.asPathPrepend,
    attributes.localPref ?? localPrefDefault,
    attributes.med ?? "",
    communities.map(formatCommunity).join(","),
    largeCommunities.map(formatCommunity).join(","),
    extendedCommunities.join(",")
  ].join("|")
  keys.set(attributes, key)
  return key
}

/** Communities sorted and each once, as receivers show them (RFC 1997, RFC 8092 asks for no duplicates). */
const inOrder = ({ communities, extendedCommunities = [], largeCommunities }: RouteAttributes) => ({
  extendedCommunities: [...new Set(extendedCommunities)].sort((left, right) => (left < right ? -1 : 1)),
  communities: [...new Map(communities.map((community) => [community.value, community])).values()].sort(
    (left, right) => left.value - right.value
  ),
  largeCommunities: [
    ...new Map(largeCommunities.map((community) => [formatCommunity(community), community])).values()
  ].sort(
    (left, right) =>
      left.globalAdministrator - right.globalAdministrator || left.data1 - right.data1 || left.data2 - right.data2
  )
})

/**
 * The path attributes for a peer, without the next hop: ORIGIN IGP; to an external peer our AS once and as often as
 * prepended, no LOCAL_PREF (RFC 4271 §5.1.2, §5.1.5); to an internal one an empty path and LOCAL_PREF; AS4_PATH where
 * the peer knows only two octets and our AS does not fit (RFC 6793 §4.2.2).
 */
export const pathAttributes = (
  attributes: RouteAttributes,
  {
    localAsn,
    isInternal,
    fourOctetAs,
    onlyToCustomer
  }: AttributeContext & { readonly localAsn: number; readonly onlyToCustomer?: boolean }
): ReadonlyArray<PathAttribute> => {
  const { communities, extendedCommunities, largeCommunities } = inOrder(attributes)
  const path = isInternal ? [] : Array.from({ length: 1 + attributes.asPathPrepend }, () => localAsn)
  const segments = sequence(path)
  const needsAs4Path = !fourOctetAs && localAsn > 0xffff && path.length > 0
  const list: ReadonlyArray<PathAttribute | undefined> = [
    { _tag: "Origin", value: "igp" },
    { _tag: "AsPath", segments },
    attributes.med === undefined ? undefined : { _tag: "MultiExitDisc", value: attributes.med },
    isInternal ? { _tag: "LocalPref", value: attributes.localPref ?? localPrefDefault } : undefined,
    communities.length === 0 ? undefined : { _tag: "Communities", values: communities.map(({ value }) => value) },
    extendedCommunities.length === 0 ? undefined : { _tag: "ExtendedCommunities", values: extendedCommunities },
    needsAs4Path ? { _tag: "As4Path", segments } : undefined,
    largeCommunities.length === 0
      ? undefined
      : { _tag: "LargeCommunities", values: largeCommunities.map(({ _tag, ...parts }) => parts) },
    onlyToCustomer === true ? { _tag: "OnlyToCustomer", asn: localAsn } : undefined
  ]
  return list.filter((attribute) => attribute !== undefined)
}
