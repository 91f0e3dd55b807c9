import { type ApprovalList, type ApprovalView, approvalAddressesMax } from "@lowtide/api/approvals"
import {
  type ApprovalState,
  blastRadiusOf,
  budgetUse,
  type Fleet,
  heldBy,
  type KeptState,
  keptOf,
  objectKey,
  rawRef,
  streamOf,
  waitingOrders
} from "@lowtide/domain"
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
    perSeconds: blastRadiusOf(fleet).perMs / 1000,
    budget: [
      { cluster: null, ...budgetUse(fleet, undefined, nowMs) },
      ...clusters.map((cluster) => ({ cluster: cluster.name, ...budgetUse(fleet, cluster, nowMs) }))
    ]
  }
}

/** Orders that would withdraw something: of the others nothing is left, or it is done. */
export const waiting = ({ fleet }: Pick<CommittedView, "fleet">): ReadonlyArray<ApprovalState> =>
  [...waitingOrders(fleet)].flatMap((id) => fleet.approvals.get(id) ?? [])

const approvalView = ({ fleet }: CommittedView, state: ApprovalState): ApprovalView => {
  const { id, cluster, author, phase, sinceMs } = state
  const vips = heldBy(fleet, state)
  const kept = keptOf(fleet.cluster(cluster), id)
  return {
    ...{ id, cluster, author, phase: phase === "rejected" ? "rejected" : "pending" },
    since: new Date(sinceMs).toISOString(),
    count: vips.length,
    revision: fleet.versions.get(streamOf.approval(id)) ?? 0,
    addresses: vips.slice(0, approvalAddressesMax).map(({ network, address, holders }) => ({
      ...{ network, address },
      services: holders.map(({ namespace, name }) => `${namespace}/${name}`)
    })),
    objects: kept.slice(0, approvalAddressesMax).map((state) => objectView(fleet, state)),
    objectCount: kept.length
  }
}

/** What waits of an object: its newest version or, where there is none, its end. */
const objectView = (fleet: Fleet, { cluster, version }: KeptState): ApprovalView["objects"][number] => {
  if (version._tag === "AddressPool") {
    const { name } = version.pool
    return { kind: "AddressPool", namespace: "", name, change: fleet.addressPools.has(name) ? "changed" : "deleted" }
  }
  const ref = rawRef(version.manifest)
  const isThere = fleet.cluster(cluster).manifests.has(objectKey(ref))
  return {
    ...{ kind: ref.kind, namespace: ref.namespace ?? "", name: ref.name },
    change: isThere ? "changed" : "deleted"
  }
}
