import type { Draft } from "./draft.ts"
import type { ClusterMemory, Fleet } from "./fleet.ts"
import { type ApprovalState, type BlastRadius, streamOf, type VipState } from "./stream.ts"

/** What holds while no Fleet object says otherwise. */
export const defaultBlastRadius: BlastRadius = {
  maxWithdrawPercent: 20,
  maxWithdrawRoutes: 100,
  perMs: 600_000,
  cluster: { maxWithdrawPercent: 30, maxWithdrawRoutes: 50 }
}

/** Withdrawals that a share alone never forbids: of twelve addresses 5 % would be none. */
export const budgetFreeCount = 9

/** How many of so many addresses may be withdrawn in one period. */
export const budgetLimit = (
  { maxWithdrawPercent, maxWithdrawRoutes }: Pick<BlastRadius, "maxWithdrawPercent" | "maxWithdrawRoutes">,
  addresses: number
): number => Math.min(maxWithdrawRoutes, Math.max(budgetFreeCount, Math.floor((addresses * maxWithdrawPercent) / 100)))

/** What of its budget a cluster, or the fleet, has used. */
export interface BudgetUse {
  readonly withdrawn: number
  readonly limit: number
}

/** The use of the budget of one cluster, or of the whole fleet, at a time. */
export const budgetUse = (fleet: Fleet, cluster: ClusterMemory | undefined, nowMs: number): BudgetUse => {
  const radius = fleet.settings?.blastRadius ?? defaultBlastRadius
  const clusters = cluster === undefined ? [...fleet.clusters.values()] : [cluster]
  let withdrawn = 0
  let addresses = 0
  for (const { releasedAtMs, assignedCount } of clusters) {
    addresses += assignedCount
    for (const [stream, atMs] of releasedAtMs) {
      if (nowMs - atMs >= radius.perMs) continue
      withdrawn++
      if (fleet.vips.get(stream)?.phase !== "assigned") addresses++
    }
  }
  return { withdrawn, limit: budgetLimit(cluster === undefined ? radius : radius.cluster, addresses) }
}

/** Whether one more address may be withdrawn without a second person. */
export const hasBudget = ({ fleet, context }: Draft, cluster: ClusterMemory): boolean =>
  [cluster, undefined].every((scope) => {
    const { withdrawn, limit } = budgetUse(fleet, scope, context.nowMs)
    return withdrawn < limit
  })

/** The order that withdrawals beyond the budget join: the one of the cluster that waits and has the same author. */
export const orderToJoin = (draft: Draft, cluster: ClusterMemory): string => {
  const author = draft.context.actor ?? "unknown"
  const pending = [...draft.fleet.approvals.values()].find(
    ({ id, phase, ...approval }) =>
      approval.cluster === cluster.name &&
      approval.author === author &&
      phase === "pending" &&
      draft.fleet.heldBy.has(id)
  )
  const id = draft.held.get(cluster.name) ?? pending?.id ?? `w-${draft.fleet.approvals.size + draft.held.size + 1}`
  draft.held.set(cluster.name, id)
  return id
}

/** Says, last of a command's events, which orders wait for a second person and how much they would withdraw. */
export const recordHeld = (draft: Draft): void => {
  for (const [cluster, id] of draft.held) {
    const before = draft.fleet.approvals.get(id) ?? null
    emitApproval(draft, "WithdrawalsHeld", before, {
      _tag: "Approval",
      id,
      cluster,
      author: before?.author ?? draft.context.actor ?? "unknown",
      phase: "pending",
      sinceMs: before?.sinceMs ?? draft.context.nowMs,
      count: heldBy(draft.fleet, id).length
    })
  }
}

/** The addresses whose withdrawal an order waits for, by address. */
export const heldBy = (fleet: Fleet, order: string): ReadonlyArray<VipState> =>
  [...(fleet.heldBy.get(order) ?? [])].sort().flatMap((stream) => fleet.vips.get(stream) ?? [])

/** Writes down what became of an order. */
export const emitApproval = (
  draft: Draft,
  type: "WithdrawalsHeld" | "WithdrawalsApproved" | "WithdrawalsRejected",
  before: ApprovalState | null,
  after: ApprovalState
): void =>
  draft.emit({
    stream: streamOf.approval(after.id),
    type,
    reason: type === "WithdrawalsHeld" ? "over-budget" : type === "WithdrawalsApproved" ? "approved" : "rejected",
    before,
    after,
    about: { cluster: after.cluster }
  })
