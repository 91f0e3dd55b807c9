import { release } from "../allocation/settle.ts"
import { finding } from "../config/index.ts"
import { emitApproval, heldBy } from "./budget.ts"
import type { ApproveWithdrawals, RejectWithdrawals } from "./command.ts"
import type { Draft } from "./draft.ts"
import { dropKept } from "./hold-configuration.ts"
import { streamOf } from "./stream.ts"

/**
 * Carries out what an order waits for, also one that was rejected. Refused when it has grown since the person looked: what
 * is approved is what was seen.
 */
export const approveWithdrawals = (draft: Draft, command: ApproveWithdrawals): void => {
  const before = pendingOrder(draft, command)
  if (before === undefined || before.phase === "approved") return
  const vips = heldBy(draft.fleet, before)
  emitApproval(draft, "WithdrawalsApproved", before, { ...before, phase: "approved", count: vips.length })
  for (const vip of vips) {
    if (vip.heldRelease?.order !== before.id) continue
    for (const { namespace, name } of vip.holders) {
      release(draft, draft.cluster(vip.cluster), `${namespace}/${name}`, vip.address, "approved")
    }
  }
  dropKept(draft, draft.cluster(before.cluster), before.id, "approved")
}

/** Leaves everything announced, for who comes back for it; it may be approved after all. */
export const rejectWithdrawals = (draft: Draft, command: RejectWithdrawals): void => {
  const before = pendingOrder(draft, command)
  if (before?.phase !== "pending") return
  emitApproval(draft, "WithdrawalsRejected", before, { ...before, phase: "rejected" })
}

const pendingOrder = (draft: Draft, { id, revision }: ApproveWithdrawals | RejectWithdrawals) => {
  const order = draft.fleet.approvals.get(id)
  const object = { kind: "Approval", name: id }
  if (order === undefined) {
    draft.refuse(finding("LT0604", { object, expected: "an order that waits or waited", found: "none of that name" }))
    return undefined
  }
  const version = draft.fleet.versions.get(streamOf.approval(id)) ?? 0
  if (order.phase === "pending" && version !== revision) {
    const expected = `revision ${version}, of ${order.count} addresses`
    draft.refuse(finding("LT0609", { object, field: "revision", expected, found: String(revision) }))
    return undefined
  }
  return order
}
