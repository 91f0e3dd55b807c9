import { RouteLoss } from "../announcing/routeless.ts"
import type { Draft } from "./draft.ts"
import type { ClusterMemory, Fleet } from "./fleet.ts"
import { announcedWith } from "./judged.ts"
import {
  type ApprovalState,
  type BlastRadius,
  type KeptState,
  streamOf,
  type VipState,
  type WithdrawalShare
} from "./stream.ts"

/** What holds while no Fleet object says otherwise. */
export const defaultBlastRadius: BlastRadius = {
  maxWithdrawPercent: 20,
  maxWithdrawRoutes: 100,
  perMs: 600_000,
  cluster: { maxWithdrawPercent: 30, maxWithdrawRoutes: 50 }
}

/** What holds in a fleet. */
export const blastRadiusOf = ({ settings }: Fleet): BlastRadius => settings?.blastRadius ?? defaultBlastRadius

/** Withdrawals that a share alone never forbids: of twelve addresses 5 % would be none. */
export const budgetFreeCount = 9

/** How many of so many addresses may be withdrawn in one period. */
export const budgetLimit = ({ maxWithdrawPercent, maxWithdrawRoutes }: WithdrawalShare, addresses: number): number =>
  Math.min(maxWithdrawRoutes, Math.max(budgetFreeCount, Math.floor((addresses * maxWithdrawPercent) / 100)))

/** What of its budget a cluster, or the fleet, has used. */
export interface BudgetUse {
  readonly withdrawn: number
  readonly limit: number
}

/** The use of the budget of one cluster, or of the whole fleet, at a time. */
export const budgetUse = (fleet: Fleet, cluster: ClusterMemory | undefined, nowMs: number): BudgetUse => {
  const radius = blastRadiusOf(fleet)
  const sinceMs = nowMs - radius.perMs
  const clusters = cluster === undefined ? [...fleet.clusters.values()] : [cluster]
  let withdrawn = 0
  let addresses = 0
  for (const { releases, assignedCount, routesTaken } of clusters) {
    addresses += assignedCount
    const seen = new Set<string>()
    for (const { stream, atMs } of releases.since(sinceMs)) {
      const vip = fleet.vips.get(stream)
      if (vip?.releasedAtMs !== atMs || seen.has(stream)) continue
      seen.add(stream)
      withdrawn++
      if (vip.phase !== "assigned") addresses++
    }
    for (const taken of routesTaken?.taken ?? []) if (taken.atMs > sinceMs) withdrawn += taken.addresses
  }
  return { withdrawn, limit: budgetLimit(shareOf(radius, cluster), addresses) }
}

const shareOf = (radius: BlastRadius, cluster: ClusterMemory | undefined): WithdrawalShare =>
  cluster === undefined ? radius : (ownShare(radius, cluster) ?? radius.cluster)

const ownShare = ({ clusters = {} }: BlastRadius, { name }: ClusterMemory): WithdrawalShare | undefined =>
  Object.hasOwn(clusters, name) ? clusters[name] : undefined

/** Whether so many more addresses may be withdrawn without a second person. */
export const hasBudget = ({ fleet, context }: Draft, cluster: ClusterMemory, count = 1): boolean =>
  [cluster, undefined].every((scope) => {
    const { withdrawn, limit } = budgetUse(fleet, scope, context.nowMs)
    return withdrawn + count <= limit
  })

/** An order by what it is of. */
export type OrderOfCluster = Pick<ApprovalState, "id" | "cluster">

/** The orders for which anything waits, decided against or not. */
export const waitingOrders = ({ heldBy, clusters }: Fleet): ReadonlySet<string> =>
  new Set([
    ...heldBy.keys(),
    ...[...clusters.values()].flatMap(({ kept }) => [...kept.values()].map(({ order }) => order))
  ])

/** The order that withdrawals beyond the budget join: the one of the cluster that waits and has the same author. */
export const orderToJoin = (draft: Draft, cluster: ClusterMemory): string => {
  const author = draft.context.actor ?? "unknown"
  const waiting = waitingOrders(draft.fleet)
  const pending = [...draft.fleet.approvals.values()].find(
    ({ id, phase, ...approval }) =>
      approval.cluster === cluster.name && approval.author === author && phase === "pending" && waiting.has(id)
  )
  const newCount = [...draft.held.values()].filter((id) => !draft.fleet.approvals.has(id)).length
  const id = draft.held.get(cluster.name) ?? pending?.id ?? `w-${draft.fleet.approvals.size + newCount + 1}`
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
      count: heldCount(draft.fleet, { id, cluster })
    })
  }
}

/** The addresses that an order would withdraw, by address: those to be released, and those that lose their routes. */
export const heldBy = (fleet: Fleet, order: OrderOfCluster): ReadonlyArray<VipState> =>
  [...new Set([...(fleet.heldBy.get(order.id) ?? []), ...routelessBy(fleet, order)])]
    .sort()
    .flatMap((stream) => fleet.vips.get(stream) ?? [])

/** How many they are; what the decisions before knew of them is taken for granted. */
export const heldCount = (fleet: Fleet, order: OrderOfCluster): number => {
  const routeless =
    fleet.clusters.get(order.cluster)?.routeless?.get(order.id)?.streams ?? new Set(routelessBy(fleet, order))
  return routeless.size + [...(fleet.heldBy.get(order.id) ?? [])].filter((stream) => !routeless.has(stream)).length
}

/** Streams of the addresses that no route would be left of without the versions that an order lets go. */
const routelessBy = (fleet: Fleet, { id, cluster: name }: OrderOfCluster): ReadonlyArray<string> => {
  const cluster = fleet.clusters.get(name)
  return cluster === undefined || keptOf(cluster, id).length === 0
    ? []
    : lossBy(fleet, cluster, id).streams(fleet, cluster)
}

/** By stream of an assigned address: the orders by which a change of configuration would leave it without a route. */
export const routesWaiting = (fleet: Fleet, cluster: ClusterMemory): ReadonlyMap<string, ReadonlyArray<string>> => {
  const orders = new Map<string, ReadonlyArray<string>>()
  for (const id of [...new Set([...cluster.kept.values()].map(({ order }) => order))].sort()) {
    const known = cluster.routeless?.get(id)?.streams ?? routelessBy(fleet, { id, cluster: cluster.name })
    for (const stream of known) orders.set(stream, [...(orders.get(stream) ?? []), id])
  }
  return orders
}

/** What routes would be lost without the versions that an order lets go. */
export const lossBy = (fleet: Fleet, cluster: ClusterMemory, order: string): RouteLoss => {
  const others = [...cluster.kept].filter(([, kept]) => kept.order !== order)
  return new RouteLoss(cluster, { before: fleet.announced(cluster), after: announcedWith(fleet, cluster, others) })
}

/** The versions that an order would let go. */
export const keptOf = (cluster: ClusterMemory, order: string): ReadonlyArray<KeptState> =>
  [...cluster.kept.values()].filter((kept) => kept.order === order)

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
