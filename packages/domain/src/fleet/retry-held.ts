import { applyManifest } from "./configure.ts"
import type { Draft } from "./draft.ts"
import type { ClusterMemory } from "./fleet.ts"
import { heldOf, whyHeld } from "./held-changes.ts"
import type { StreamState } from "./stream.ts"

/** Makes the changes that were held and break nothing any more since the command. Answers whether there were any. */
export const retryHeld = (draft: Draft): boolean => {
  let hasMade = false
  for (const cluster of draft.fleet.clusters.values()) {
    if (cluster.waiting.size === 0 || !isReconfigured(draft, cluster)) continue
    for (const manifest of heldOf(cluster).values()) {
      if (whyHeld(draft.fleet, cluster, manifest).length > 0) continue
      applyManifest(draft, cluster, manifest)
      hasMade = true
    }
  }
  return hasMade
}

/** Whether the command changed anything by which the cluster's objects are judged, or let them be judged again. */
const isReconfigured = (draft: Draft, { name }: ClusterMemory): boolean =>
  draft.events.some(({ before, after }) => {
    const state: StreamState | null = after ?? before
    switch (state?._tag) {
      case "Manifest":
      case "Node":
      case "Cluster":
        return state.cluster === name
      case "AddressPool":
      case "Recovery":
        return true
      default:
        return false
    }
  })
