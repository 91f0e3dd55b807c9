import { type ApprovalList, type ApprovalView, approvalAddressesMax } from "@lowtide/api/approvals"
import { type ApprovalState, budgetUse, defaultBlastRadius, heldBy, streamOf } from "@lowtide/domain"
import type { CommittedView } from "../../centre.ts"
import { byText, readingOf } from "./reading.ts"

/** Orders that would withdraw something, the oldest first, and the use of the budget. */
export const approvalList = (view: CommittedView, nowMs: number): ApprovalList => {
  const { fleet } = view
  const clusters = [...fleet.clusters.values()].sort(byText(({ name }) => name))
  return {
    ...readingOf(view),
    items: waiting(view)
      .map((state) => approvalView(view, state))
      .sort((left, right) => Date.parse(left.since) - Date.parse(right.since)),
    perSeconds: (fleet.settings?.blastRadius ?? defaultBlastRadius).perMs / 1000,
    budget: [
      { cluster: null, ...budgetUse(fleet, undefined, nowMs) },
      ...clusters.map((cluster) => ({ cluster: cluster.name, ...budgetUse(fleet, cluster, nowMs) }))
    ]
  }
}

/** Orders that would withdraw something: of the others nothing is left, or it is done. */
export const waiting = ({ fleet }: Pick<CommittedView, "fleet">): ReadonlyArray<ApprovalState> =>
  [...fleet.heldBy.keys()].flatMap((id) => fleet.approvals.get(id) ?? [])

const approvalView = ({ fleet }: CommittedView, state: ApprovalState): ApprovalView => {
  const { id, cluster, author, phase, sinceMs } = state
  const vips = heldBy(fleet, id)
  return {
    ...{ id, cluster, author, phase: phase === "rejected" ? "rejected" : "pending" },
    since: new Date(sinceMs).toISOString(),
    count: vips.length,
    revision: fleet.versions.get(streamOf.approval(id)) ?? 0,
    addresses: vips.slice(0, approvalAddressesMax).map(({ network, address, holders }) => ({
      ...{ network, address },
      services: holders.map(({ namespace, name }) => `${namespace}/${name}`)
    }))
  }
}
