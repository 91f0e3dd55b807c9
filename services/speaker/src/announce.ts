import type { RouteAttributes, RouteChange } from "@lowtide/bgp/route"
import type { WantedRoute } from "@lowtide/domain/announcing/node-routes"
import { standbyLocalPref, standbyPrepend } from "@lowtide/domain/announcing/on-the-wire"
import { type LargeCommunity, parseCommunity, parsePrefix, type StandardCommunity } from "@lowtide/net"
import { Result } from "effect"

/** Differences of a route table as changes of an Adj-RIB-Out. Routes with equal attributes share one object of them. */
export class RouteTranslator {
  readonly #attributes = new Map<string, RouteAttributes>()

  /** The node is about to leave: all it has is the last choice, and stays until others are chosen (RFC 8326). */
  isLeaving = false

  /** Undefined withdraws. Prefixes that are none were refused with their intent, and do not come here. */
  changes(difference: Iterable<readonly [string, WantedRoute | undefined]>): ReadonlyArray<RouteChange> {
    const changes: Array<RouteChange> = []
    for (const [text, wanted] of difference) {
      const prefix = Result.getOrUndefined(parsePrefix(text))
      if (prefix !== undefined) changes.push({ prefix, attributes: wanted && this.#attributesOf(wanted) })
    }
    return changes
  }

  #attributesOf(wanted: WantedRoute): RouteAttributes {
    const key = `${this.isLeaving}|${wanted.isStandby}|${wanted.prepend ?? 0}|${wanted.med ?? ""}|${wanted.localPref ?? ""}|${wanted.communities.join(",")}`
    let attributes = this.#attributes.get(key)
    if (attributes === undefined) {
      // Attribute sets come from a handful of Advertisements; past any sensible number the memory is given back.
      if (this.#attributes.size >= attributeSetsMax) this.#attributes.clear()
      attributes = this.isLeaving ? lastChoice(routeAttributes(wanted)) : routeAttributes(wanted)
      this.#attributes.set(key, attributes)
    }
    return attributes
  }
}

/** Attribute sets that are remembered. */
const attributeSetsMax = 4_096

/** Below that of a standby. */
const leavingLocalPref = 0

/** RFC 8326 §4.2: GRACEFUL_SHUTDOWN for external peers, which lower the preference by it; the lowest one for internal ones. */
const lastChoice = (attributes: RouteAttributes): RouteAttributes => ({
  ...attributes,
  localPref: leavingLocalPref,
  communities: [...attributes.communities, gracefulShutdown]
})

const gracefulShutdown: StandardCommunity = { _tag: "StandardCommunity", value: 0xffff_0000 }

/** Texts that are no community were refused where the Advertisement was read, and are left out. */
const routeAttributes = ({
  isStandby,
  prepend = 0,
  localPref,
  med,
  communities: texts
}: WantedRoute): RouteAttributes => {
  const communities: Array<StandardCommunity> = []
  const largeCommunities: Array<LargeCommunity> = []
  for (const text of texts) {
    const community = Result.getOrUndefined(parseCommunity(text))
    if (community?._tag === "StandardCommunity") communities.push(community)
    else if (community?._tag === "LargeCommunity") largeCommunities.push(community)
  }
  const preference = isStandby ? standbyLocalPref : localPref
  return {
    asPathPrepend: prepend + (isStandby ? standbyPrepend : 0),
    communities,
    largeCommunities,
    ...(med === undefined ? {} : { med }),
    ...(preference === null ? {} : { localPref: preference })
  }
}
