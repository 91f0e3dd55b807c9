import type { NodeSync } from "@lowtide/api/nodes"
import type { HeardNode } from "../../centre.ts"

/** After this long without a status a speaker counts as silent. */
export const silentAfterMs = 60_000

/** How well a node's speaker is heard. */
export const syncOf = (heard: HeardNode | undefined, nowMs: number): NodeSync => {
  if (heard === undefined) return "unknown"
  return nowMs - heard.heardAtMs > silentAfterMs ? "silent" : heard.status.sync
}
