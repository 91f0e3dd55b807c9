import { type Family, parseCommunity, parsePrefix } from "@lowtide/net"
import { Result } from "effect"
import { isInternalPeer, type NodePeer } from "./intent.ts"
import type { WantedRoute } from "./node-routes.ts"

/**
 * What makes a standby a worse path than any admitted one: to an external peer a longer AS_PATH (RFC 4271 §9.1.2.2 a), to
 * an internal one a LOCAL_PREF below any that is asked for (§9.1.1), and above that of a node that leaves.
 */
export const standbyPrepend = 3
export const standbyLocalPref = 1

/** What an internal peer is sent where nothing else is asked for (RFC 4271 §5.1.5). */
export const localPrefDefault = 100

/** Path attributes of one route as one peer is sent them. */
export interface PathAttributes {
  /** Null where it is not known: the session that chose it is down, or said nothing of it. */
  readonly nextHop: string | null
  readonly asPath: ReadonlyArray<number>
  /** Null to external peers, which are sent none. */
  readonly localPref: number | null
  /** Null where none is sent. */
  readonly med: number | null
  readonly communities: ReadonlyArray<string>
  readonly largeCommunities: ReadonlyArray<string>
}

/** The attributes with which a route goes to a peer; `nextHops` are the session's own, by family. */
export const attributesTo = (
  peer: NodePeer,
  route: WantedRoute,
  nextHops: { readonly 4?: string; readonly 6?: string } | undefined
): PathAttributes => {
  const family = familyOf(route.prefix)
  const isInternal = isInternalPeer(peer)
  const named = 1 + (route.prepend ?? 0) + (route.isStandby ? standbyPrepend : 0)
  const isLarge = (text: string) => Result.getOrUndefined(parseCommunity(text))?._tag === "LargeCommunity"
  return {
    nextHop: (family && nextHops?.[family]) ?? null,
    asPath: isInternal ? [] : Array.from({ length: named }, () => peer.myAsn),
    localPref: isInternal ? (route.isStandby ? standbyLocalPref : (route.localPref ?? localPrefDefault)) : null,
    med: route.med ?? null,
    communities: route.communities.filter((text) => !isLarge(text)),
    largeCommunities: route.communities.filter(isLarge)
  }
}

const familyOf = (prefix: string): Family | undefined => Result.getOrUndefined(parsePrefix(prefix))?.address.family
