import type { Fleet } from "../fleet/fleet.ts"
import type { Content } from "./resolve.ts"

/**
 * Tells whether the first message of its key takes from nodes what they were found to announce, for want of configuration: an
 * address that was taken over has no route, or a node that holds such a one no peer. What was said before is lost, and with it
 * whether somebody was to approve that. So nothing is said, nodes go on as before, and a person decides (ADR 65).
 *
 * Good until the fleet changes: a cluster's VIPs are gone through once, however many nodes are asked about.
 */
export const unsaidIn = (fleet: Fleet): ((content: Content) => boolean) => {
  const obliged = new Map<string, ReadonlySet<string>>()
  const isObliged = (cluster: string, node: string): boolean => {
    const nodes = obliged.get(cluster) ?? obligedIn(fleet, cluster)
    obliged.set(cluster, nodes)
    return nodes.has(node)
  }
  return (content) => {
    switch (content._tag) {
      case "VipIntent":
        // Only what was taken over obliges nodes that no route names.
        return content.state === "announced" && content.routes.length === 0 && content.obliged.length > 0
      case "NodeIntent":
        return content.peers.length === 0 && isObliged(content.cluster, content.node)
      case "ServiceAnswer":
      case "ObjectFindings":
        return false
    }
  }
}

/** The nodes of a cluster that are obliged by what was taken over, or is withdrawing. */
export const obligedIn = (fleet: Fleet, cluster: string): ReadonlySet<string> =>
  new Set([...fleet.cluster(cluster).vips].flatMap((stream) => fleet.vips.get(stream)?.obliged ?? []))
