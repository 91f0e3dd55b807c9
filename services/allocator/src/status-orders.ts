import type { NodeStatus } from "@lowtide/bus/status"
import type { Command } from "@lowtide/domain"
import { finishedMoves, type NodeWord } from "@lowtide/domain/allocation/moves"
import type { HeardNode } from "./centre.ts"
import { isSilent } from "./http/views/sync.ts"
import { contextOf, type Memory } from "./memory.ts"

/**
 * What a node has withdrawn, where that is news: confirmations matter while something of its cluster is being withdrawn, and
 * to who withdraws later.
 */
export const confirmationBy = (
  { fleet, head, confirmed, book }: Memory,
  { cluster, node, confirmedCseq, stamp }: NodeStatus
): Command | undefined => {
  // Numbers of an earlier incarnation say nothing of the messages of this one.
  if (fleet.recovery !== undefined && stamp?.incarnation !== head.incarnation) return undefined
  if ((confirmed.get(`${cluster}/${node}`) ?? -1) >= confirmedCseq) return undefined
  // Nobody has withdrawn what nobody was told yet: such a number would stand for every withdrawal to come.
  if (confirmedCseq > book.cseq(cluster)) return undefined
  return { _tag: "ConfirmWithdrawals", cluster, node, cseq: confirmedCseq }
}

/** The moves of a cluster that its nodes' statuses end: the newest may be the last that a Service waited for. */
export const movesFinishedIn = (
  memory: Memory,
  name: string,
  nodes: ReadonlyMap<string, HeardNode>,
  nowMs: number
): Command | undefined => {
  const { fleet } = memory
  const cluster = fleet.clusters.get(name)
  if (cluster === undefined || cluster.movingOf.size === 0 || fleet.isFrozen(cluster)) return undefined
  const { obligedOf } = contextOf(memory, nowMs)
  const moves = finishedMoves(fleet, cluster, {
    obligedOf,
    heard: (node) => wordOf(nodes.get(`${name}/${node}`), nowMs)
  })
  return moves.length === 0 ? undefined : { _tag: "FinishMoves", cluster: name, moves }
}

/** What a node's newest status says of what it announces; undefined of one that was never heard. */
export const wordOf = (heard: HeardNode | undefined, nowMs: number): NodeWord | undefined => {
  if (heard === undefined) return undefined
  const { announcing, untold = [] } = heard.status
  return { announcing, untold, isSilent: isSilent(heard, nowMs) }
}
