import type { Fleet } from "../fleet/fleet.ts"
import type { Content } from "./resolve.ts"
import { messageKey, vipKey } from "./subject.ts"

/**
 * Tells whether a message takes from nodes what they were found to announce, for want of configuration: the first one of an
 * address that was taken over and has no route, or one by which a node that holds such an address has no peer. What was said
 * before is lost, and with it whether somebody was to approve that. So nothing is said, nodes go on as before, and a person
 * decides (ADR 65).
 *
 * Good until the fleet or what is said changes: a cluster's VIPs are gone through once, however many nodes are asked about.
 */
export const unsaidIn = (fleet: Fleet, saidIn: SaidIn): ((content: Content) => boolean) => {
  const obliged = new Map<string, ReadonlySet<string>>()
  /** Of a node of which something was said, what it announces by no message counts alone. */
  const holdersIn = (cluster: string, isSaid: boolean): ReadonlySet<string> => {
    const key = `${isSaid} ${cluster}`
    const said = isSaid ? saidIn(cluster) : nothingSaid
    const nodes = obliged.get(key) ?? obligedIn(fleet, cluster, said)
    obliged.set(key, nodes)
    return nodes
  }
  return (content) => {
    const isSaid = saidIn(content.cluster).has(messageKey(content))
    switch (content._tag) {
      case "VipIntent":
        // Only what was taken over obliges nodes that no route names.
        return !isSaid && content.state === "announced" && content.routes.length === 0 && content.obliged.length > 0
      case "NodeIntent":
        // Who is told to announce nothing is told so, whatever it has: that is a person's word, or the node's own.
        if (content.peers.length > 0 || content.excluded !== null || (isSaid && fleet.recovery === undefined))
          return false
        return holdersIn(content.cluster, isSaid).has(content.node)
      case "ServiceAnswer":
      case "ObjectFindings":
        return false
    }
  }
}

/** The keys of what is said of a cluster. */
export type SaidIn = (cluster: string) => Pick<ReadonlySet<string>, "has">

const nothingSaid: ReadonlySet<string> = new Set()

/** The nodes of a cluster that are obliged by what was taken over, or is withdrawing; of what is said under one of these keys, none. */
export const obligedIn = (fleet: Fleet, cluster: string, said: ReturnType<SaidIn> = nothingSaid): ReadonlySet<string> =>
  new Set(
    [...fleet.cluster(cluster).vips].flatMap((stream) => {
      const vip = fleet.vips.get(stream)
      return vip === undefined || vip.obliged.length === 0 || said.has(vipKey(vip.address)) ? [] : vip.obliged
    })
  )
