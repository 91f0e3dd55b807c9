import { Result } from "effect"
import { familyOf } from "../config/canonical.ts"
import { type Finding, quarantineMsUnset, type ServiceObject } from "../config/index.ts"
import { blastRadiusOf, hasBudget, orderToJoin } from "../fleet/budget.ts"
import { awaitedNodes, type Draft } from "../fleet/draft.ts"
import type { EventType, ReasonCode } from "../fleet/event.ts"
import type { ClusterMemory } from "../fleet/fleet.ts"
import { type Holder, type ServiceState, streamOf, streamOfVip, type VipState } from "../fleet/stream.ts"
import { choose } from "./choose.ts"
import type { AddressPick } from "./chooser.ts"
import { keepOnly } from "./held.ts"
import { withinQuota } from "./quota.ts"
import { refusal } from "./refusal.ts"
import { isSameHolder, mayShare } from "./sharing.ts"
import { loadBalancerClass, wantsAddress, wishOf } from "./wish.ts"

/**
 * Gives a Service what it is to have and takes what it is not: nothing happens when that is so already. One that holds
 * nothing keeps what its status says that it has, where that can be had.
 */
export const settleService = (
  draft: Draft,
  cluster: ClusterMemory,
  key: string,
  statusAddresses: ReadonlyArray<string> = []
): void => {
  if (draft.fleet.isFrozen(cluster)) return
  const state = cluster.services.get(key)
  if (state === undefined) return releaseAll(draft, cluster, key, "service-gone")
  if (!wantsAddress(state.service, cluster)) {
    const isKept = state.service.type === "LoadBalancer" && cluster.addressesOf.has(key)
    return isKept ? setRefusal(draft, cluster, key, noLongerServed(state.service, cluster)) : letGo(draft, cluster, key)
  }
  const wish = wishOf(state.service)
  if (Result.isFailure(wish)) return setRefusal(draft, cluster, key, wish.failure)
  const chooser = { fleet: draft.fleet, cluster, service: state.service, wish: wish.success, statusAddresses }
  const isDeleting = state.service.deleting === true && draft.fleet.allows("deletingServices")
  const wanted = isDeleting ? keepOnly(chooser) : choose(chooser)
  const choice = withinQuota(chooser, wanted)
  const held = cluster.addressesOf.get(key) ?? []
  for (const pick of choice.picks) {
    if (held.includes(pick.address)) refreshHolder(draft, cluster, pick, wish.success.holder)
    else assign(draft, cluster, pick, wish.success.holder)
  }
  for (const address of held) {
    if (!choice.picks.some((pick) => pick.address === address)) {
      giveUp(draft, cluster, address, { key, picks: choice.picks })
    }
  }
  setRefusal(draft, cluster, key, choice.refusal)
}

/** Takes everything from a Service that by its own words wants nothing of Lowtide any more. */
export const letGo = (draft: Draft, cluster: ClusterMemory, key: string): void => {
  releaseAll(draft, cluster, key, "address-no-longer-wanted")
  setRefusal(draft, cluster, key, null)
}

/** The cluster has another class served: a word about all of its Services, which takes nothing from any of them. */
const noLongerServed = (service: ServiceObject, cluster: ClusterMemory): Finding =>
  refusal(service, "LT0214", {
    field: "spec.loadBalancerClass",
    expected: cluster.loadBalancerClass ?? `none, or ${loadBalancerClass}`,
    found: service.loadBalancerClass ?? "none"
  })

/**
 * An address that another takes the place of stays announced until that one is (`finishMoves`), if any node may have announced it at
 * all: make before break. Without another it is released at once.
 */
const giveUp = (
  draft: Draft,
  cluster: ClusterMemory,
  address: string,
  { key, picks }: { readonly key: string; readonly picks: ReadonlyArray<AddressPick> }
): void => {
  const vip = draft.fleet.vip(cluster.network, address, cluster.name)
  const holder = vip?.holders.find((other) => `${other.namespace}/${other.name}` === key)
  const isReplaced = picks.some((pick) => familyOf(pick.address) === familyOf(address)) && draft.fleet.allows("moves")
  if (vip === undefined || holder === undefined || !isReplaced || mayBeAnnounced(draft, vip).length === 0) {
    return release(draft, cluster, key, address, "address-no-longer-wanted")
  }
  const holders = vip.holders.map((other) => (other === holder ? { ...other, leaving: true as const } : other))
  emitVip(draft, cluster, vip, "VipMoving", "address-no-longer-wanted", { ...vip, holders }, holder)
}

/** Nodes that may have announced it since its last confirmed withdrawal. */
const mayBeAnnounced = (draft: Draft, { cluster, address, obliged }: VipState): ReadonlyArray<string> => [
  ...new Set([...obliged, ...draft.context.obligedOf(cluster, address)])
]

/**
 * Settles every Service of the cluster that would take more than it has, in the order of their names: those that are not
 * served first, then those with one address that prefer two.
 */
export const settleUnserved = (draft: Draft, cluster: ClusterMemory): void => {
  for (const key of [...cluster.unserved].sort()) settleService(draft, cluster, key)
  const single = [...cluster.preferring].filter((key) => cluster.addressesOf.get(key)?.length === 1)
  for (const key of single.sort()) settleService(draft, cluster, key)
}

/** The same for those alone that are not served and have one of these sharing keys. */
export const settleSharers = (draft: Draft, cluster: ClusterMemory, sharingKeys: ReadonlySet<string>): void => {
  const isMeant = (key: string) => sharingKeys.has(cluster.services.get(key)?.service.annotations.allowSharedIp ?? "")
  for (const key of [...cluster.unserved].filter(isMeant).sort()) settleService(draft, cluster, key)
}

/** Passes over a cluster at most; each but the last one changes something, and keeping what one has ends it soon. */
const settlePassesMax = 8

/** Settles every Service of the cluster, the ones that have addresses first so that they keep them, until all rest. */
export const settleAll = (draft: Draft, cluster: ClusterMemory): void => {
  const keys = [...cluster.services.keys()].sort()
  for (let pass = 0; pass < settlePassesMax; pass++) {
    const eventCount = draft.events.length
    for (const key of keys.filter((key) => cluster.addressesOf.has(key))) settleService(draft, cluster, key)
    for (const key of keys.filter((key) => !cluster.addressesOf.has(key))) settleService(draft, cluster, key)
    if (draft.events.length === eventCount) return
  }
}

const assign = (draft: Draft, cluster: ClusterMemory, pick: AddressPick, holder: Holder): void => {
  const present = draft.fleet.vip(cluster.network, pick.address, cluster.name)
  const isMember =
    present !== undefined && present.phase !== "free" && present.cluster === cluster.name
      ? present.member === true
      : draft.fleet.memberOf(cluster.network, pick.address, cluster.name) !== undefined
  const stream = streamOf.vip(cluster.network, pick.address, isMember ? cluster.name : undefined)
  const before = draft.fleet.vips.get(stream) ?? null
  const isShared = before !== null && before.phase === "assigned"
  emitVip(
    draft,
    cluster,
    before,
    "VipAssigned",
    pick.reason,
    {
      _tag: "Vip",
      ...(isMember ? { member: true as const } : {}),
      network: cluster.network,
      address: pick.address,
      pool: pick.pool,
      cluster: cluster.name,
      phase: "assigned",
      // It may come back to one that it is leaving. Who is gone, and holds it only until a second person says so, makes
      // room for who comes.
      holders:
        isShared && before.heldRelease === undefined
          ? [...before.holders.filter((other) => !isSameHolder(other, holder)), holder]
          : [holder],
      lastHolders: [],
      // Its holder came back before all nodes had confirmed: they stay obliged.
      obliged: before?.phase === "withdrawing" ? before.obliged : [],
      quarantineEndMs: null,
      // That it was withdrawn a moment ago counts, whoever has it by now.
      ...(before?.releasedAtMs === undefined ? {} : { releasedAtMs: before.releasedAtMs })
    },
    holder
  )
}

/**
 * What others share with a Service follows its ports, its key and its policy. A Service that comes to clash with them and
 * finds no other address stays with what was agreed, and its refusal says so.
 */
const refreshHolder = (draft: Draft, cluster: ClusterMemory, { address, pool }: AddressPick, holder: Holder): void => {
  const vip = draft.fleet.vip(cluster.network, address, cluster.name)
  const present = vip?.holders.find((other) => isSameHolder(other, holder))
  if (vip === undefined || present === undefined) return
  const { heldRelease, ...kept } = vip
  const isBack = heldRelease !== undefined
  if (!isBack && vip.pool === pool && JSON.stringify(present) === JSON.stringify(holder)) return
  if (Result.isFailure(mayShare(vip, holder))) return
  const holders = vip.holders.map((other) => (isSameHolder(other, holder) ? holder : other))
  emitVip(draft, cluster, vip, "VipHoldersChanged", "observed", { ...kept, pool, holders }, holder)
}

const releaseAll = (draft: Draft, cluster: ClusterMemory, key: string, reason: ReasonCode): void => {
  const addresses = [...(cluster.addressesOf.get(key) ?? []), ...(cluster.movingOf.get(key) ?? [])]
  for (const address of addresses) release(draft, cluster, key, address, reason)
}

/** Takes an address from one of its holders; the last one leaves it to be withdrawn. */
export const release = (
  draft: Draft,
  cluster: ClusterMemory,
  key: string,
  address: string,
  reason: ReasonCode
): void => {
  const vip = draft.fleet.vip(cluster.network, address, cluster.name)
  const holder = vip?.holders.find((other) => `${other.namespace}/${other.name}` === key)
  if (vip === undefined || holder === undefined) return
  const holders = vip.holders.filter((other) => other !== holder)
  if (holders.length > 0) {
    return emitVip(draft, cluster, vip, "VipHoldersChanged", reason, { ...vip, holders }, holder)
  }
  // What a second person approved, and what is reachable at another address by now, costs nothing.
  const isCounted = draft.fleet.allows("blastRadius") && reason !== "approved" && reason !== "moved"
  if (isCounted && !hasBudget(draft, cluster)) return holdRelease(draft, cluster, vip, holder)
  const { heldRelease: _held, ...released } = vip
  const obliged = mayBeAnnounced(draft, vip)
    .filter((node) => cluster.nodes.get(node)?.retired !== true)
    .sort()
  emitVip(
    draft,
    cluster,
    vip,
    "VipReleased",
    reason,
    {
      ...released,
      phase: "withdrawing",
      holders: [],
      lastHolders: [key],
      obliged,
      ...restOf(draft, cluster, vip),
      ...(isCounted ? { releasedAtMs: draft.context.nowMs } : {})
    },
    holder
  )
  if (obliged.length === 0) quarantine(draft, cluster, address)
}

/**
 * Beyond what may be withdrawn on command the address stays with who is gone, announced as for him, until a second person
 * approves or he comes back.
 */
const holdRelease = (draft: Draft, cluster: ClusterMemory, vip: VipState, holder: Holder): void => {
  if (vip.heldRelease !== undefined) return
  const service = serviceOf(draft, cluster, holder)
  const heldRelease = { order: orderToJoin(draft, cluster), ...(service === undefined ? {} : { service }) }
  emitVip(draft, cluster, vip, "VipReleaseHeld", "over-budget", { ...vip, heldRelease }, holder)
}

/** The holder's Service as it is, or as it was when it went in this command; nobody has seen that of an adopted holder. */
const serviceOf = (draft: Draft, cluster: ClusterMemory, { namespace, name }: Holder): ServiceObject | undefined => {
  const present = cluster.services.get(`${namespace}/${name}`)
  if (present !== undefined) return present.service
  const stream = streamOf.service(cluster.name, namespace, name)
  const gone = draft.events.findLast((event) => event.stream === stream)?.before
  return gone?._tag === "Service" ? gone.service : undefined
}

/** What its pool says of how long it is to rest. */
export const restOf = (
  draft: Draft,
  cluster: ClusterMemory,
  { pool }: Pick<VipState, "pool">
): Pick<VipState, "quarantineMs"> => {
  const quarantineMs = draft.fleet.config(cluster).pools.find(({ name }) => name === pool)?.quarantineMs
  return quarantineMs === undefined || !draft.fleet.allows("poolQuarantine") ? {} : { quarantineMs }
}

/** Nobody is awaited any more: the address rests. */
export const quarantine = (
  draft: Draft,
  cluster: ClusterMemory,
  address: string,
  [type, reason]: EndOfWithdrawal = ["VipQuarantined", "withdrawal-confirmed"]
): void => {
  const vip = draft.fleet.vip(cluster.network, address, cluster.name)
  if (vip?.phase !== "withdrawing") return
  emitVip(draft, cluster, vip, type, reason, {
    ...vip,
    phase: "quarantined",
    obliged: [],
    quarantineEndMs: draft.context.nowMs + quarantineMsOf(vip)
  })
}

/** How long the address rests, by its pool. */
export const quarantineMsOf = (vip: VipState): number => vip.quarantineMs ?? quarantineMsUnset

/** How a withdrawal ends: as it should, because who is awaited was retired, or because a person answers for it. */
type EndOfWithdrawal =
  | readonly ["VipQuarantined", "withdrawal-confirmed" | "node-retired"]
  | readonly ["VipForceReleased", "force-released"]

/** A node is taken as confirmed for a VIP, which rests when it was the last one awaited. */
export const retireFrom = (draft: Draft, cluster: ClusterMemory, vip: VipState, node: string): void => {
  const after = liftObligations(draft, cluster, vip, [node], "node-retired")
  if (after !== vip && awaitedNodes(draft.context, after).length === 0) {
    quarantine(draft, cluster, vip.address, ["VipQuarantined", "node-retired"])
  }
}

/** Writes down which of the nodes of a withdrawal have confirmed it, while others have not. */
export const noteConfirmed = (draft: Draft, cluster: ClusterMemory, vip: VipState): void => {
  const awaited = awaitedNodes(draft.context, vip)
  const confirmed = vip.obliged.filter((node) => !awaited.includes(node))
  liftObligations(draft, cluster, vip, confirmed, "withdrawal-confirmed")
}

const liftObligations = (
  draft: Draft,
  cluster: ClusterMemory,
  vip: VipState,
  nodes: ReadonlyArray<string>,
  reason: "node-retired" | "withdrawal-confirmed"
): VipState => {
  const obliged = vip.obliged.filter((node) => !nodes.includes(node))
  if (obliged.length === vip.obliged.length) return vip
  const after = { ...vip, obliged }
  emitVip(draft, cluster, vip, "VipObligationLifted", reason, after)
  return after
}

/** The quarantine is over: anyone may have the address, its last holder before others. */
export const free = (draft: Draft, vip: VipState): void => {
  const cluster = draft.cluster(vip.cluster)
  const { quarantineMs: _, ...rest } = vip
  emitVip(draft, cluster, vip, "VipFreed", "quarantine-over", { ...rest, phase: "free", quarantineEndMs: null })
}

const emitVip = (
  draft: Draft,
  cluster: ClusterMemory,
  before: VipState | null,
  type: Extract<EventType, `Vip${string}`>,
  reason: ReasonCode,
  state: VipState,
  holder?: Holder
): void => {
  const after = withoutOldRelease(draft, state)
  draft.emit({
    stream: streamOfVip(after),
    type,
    reason,
    before,
    after,
    about: {
      network: after.network,
      address: after.address,
      pool: after.pool,
      cluster: cluster.name,
      ...(holder === undefined ? {} : { namespace: holder.namespace, service: holder.name, serviceUid: holder.uid })
    }
  })
}

/** When it was released is forgotten once no budget counts it. */
const withoutOldRelease = ({ fleet, context }: Draft, state: VipState): VipState => {
  const { releasedAtMs, ...rest } = state
  return releasedAtMs === undefined || context.nowMs - releasedAtMs < blastRadiusOf(fleet).perMs ? state : rest
}

/** A refusal is stored when its reason or its facts differ from the last one. */
const setRefusal = (draft: Draft, cluster: ClusterMemory, key: string, refusal: Finding | null): void => {
  const before = cluster.services.get(key)
  if (before === undefined || before.refusal?.message === refusal?.message) return
  const after: ServiceState = { ...before, refusal }
  const { namespace, name, uid } = before.service
  draft.emit({
    stream: streamOf.service(cluster.name, namespace, name),
    type: refusal === null ? "RefusalCleared" : "AssignmentRefused",
    reason: refusal === null ? "observed" : "refused",
    before,
    after,
    about: { cluster: cluster.name, network: cluster.network, namespace, service: name, serviceUid: uid }
  })
}
