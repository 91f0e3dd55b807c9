import type { NodeSync } from "@lowtide/api/nodes"
import type { NodeStatus } from "@lowtide/bus/status"
import type { HeardNode } from "../../centre.ts"

/** How often a speaker tells its status at least, milliseconds. */
export const statusAtLeastMs = 20_000

/** Once its newest status is older than this a speaker counts as silent: two were due, and the second had time to come. */
export const silentAfterMs = 45_000

/** How well a node's speaker is heard. */
export const syncOf = (heard: HeardNode | undefined, nowMs: number): NodeSync => {
  if (heard === undefined) return "unknown"
  if (heard.isReported === true) return "reported"
  return isSilent(heard, nowMs) ? "silent" : heard.status.sync
}

/** Whether what the node said last may no longer be so. */
export const isSilent = ({ heardAtMs }: HeardNode, nowMs: number): boolean => nowMs - heardAtMs > silentAfterMs

/** What is known of a node's sessions and routes now; undefined of a speaker that is silent or was never heard. */
export const currentStatus = (heard: HeardNode | undefined, nowMs: number): NodeStatus | undefined =>
  heard === undefined || isSilent(heard, nowMs) ? undefined : heard.status
