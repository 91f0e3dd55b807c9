import { Result } from "effect"
import { finishMoves } from "../allocation/moves.ts"
import {
  free,
  letGo,
  quarantine,
  quarantineMsOf,
  settleAll,
  settleService,
  settleSharers,
  settleUnserved
} from "../allocation/settle.ts"
import { wantsAddress } from "../allocation/wish.ts"
import { type Finding, finding, objectKey, type ServiceObject } from "../config/index.ts"
import { reviewAddressPools, settlingPools } from "./address-pools.ts"
import { approveWithdrawals, rejectWithdrawals } from "./approvals.ts"
import { brokenByPools, heldFindings } from "./broken-by.ts"
import { recordHeld } from "./budget.ts"
import type { Command, RecordSegment, RegisterCluster } from "./command.ts"
import {
  applyManifest,
  deleteManifest,
  hearFindings,
  isOfRegistration,
  reportedOn,
  reportFindings,
  reportJudgement,
  reviewRetired
} from "./configure.ts"
import { awaitedNodes, type DecisionContext, Draft } from "./draft.ts"
import type { DomainEvent } from "./event.ts"
import { finaliseFleet, notYet } from "./finalise.ts"
import type { ClusterMemory, Fleet } from "./fleet.ts"
import { applyFleetObject, deleteFleetObject } from "./fleet-objects.ts"
import { sinceOfCommand } from "./fleet-version.ts"
import { holdConfiguration } from "./hold-configuration.ts"
import { observeInventory } from "./inventory.ts"
import { clusterState } from "./memory.ts"
import { forgetNamespace, forgetNode, forgetService, observeNamespace, observeNode, observeService } from "./observe.ts"
import { forceRelease, releaseBrake, retireNode } from "./orders.ts"
import {
  adoptStatus,
  adoptVips,
  beginRecovery,
  finishRecovery,
  releaseAdopted,
  republishCluster,
  republishPart
} from "./recovery.ts"
import { retryHeld } from "./retry-held.ts"
import { reviewServices } from "./review-services.ts"
import { type SegmentState, streamOf } from "./stream.ts"

/**
 * Carries out a command on the fleet in memory and answers the events that it came to, in order; they are applied
 * already. No events: what it orders is so. Whoever cannot commit them throws the whole fleet away and loads it anew. A
 * rejection leaves the fleet as it was; only people's orders meet one.
 */
export const decide = (
  fleet: Fleet,
  command: Command,
  context: DecisionContext
): Result.Result<ReadonlyArray<DomainEvent>, Finding> => {
  const draft = new Draft(fleet, context)
  const since = sinceOfCommand(command._tag)
  if (since > fleet.fleetVersion) return Result.fail(notYet(command._tag, since, fleet.fleetVersion))
  carryOut(draft, command)
  if (draft.rejection !== undefined) return Result.fail(draft.rejection)
  settleRest(draft)
  const isFrozen = draft.isFrozen()
  // Each round lets something go that was retired, or makes a change that was held.
  while (!isFrozen && (reviewRetired(draft) || reviewAddressPools(draft) || retryHeld(draft))) settleRest(draft)
  holdConfiguration(draft)
  recordHeld(draft)
  if (!isFrozen) reviewServices(draft)
  return Result.succeed(draft.events)
}

/** Rounds of settling after a command; in each one somebody gets an address, or none follows. */
const settleRoundsMax = 8

/** Gives what became free, or shareable, to the Services that wait, until nobody gains by it. */
const settleRest = (draft: Draft): void => {
  let seen = 0
  for (let round = 0; round < settleRoundsMax && seen < draft.events.length; round++) {
    const recent = draft.events.slice(seen)
    const networks = new Set(recent.flatMap((event) => (makesRoom(event) ? event.about.network : [])))
    seen = draft.events.length
    for (const cluster of draft.fleet.clustersByName) {
      if (networks.has(cluster.network)) settleUnserved(draft, cluster)
    }
    for (const [cluster, sharingKeys] of newlyShareable(recent)) {
      if (!networks.has(draft.cluster(cluster).network)) settleSharers(draft, draft.cluster(cluster), sharingKeys)
    }
  }
}

/**
 * By cluster, the sharing keys of Services that were given an address of their own: those that wait with the same key may have
 * it as well.
 */
const newlyShareable = (events: ReadonlyArray<DomainEvent>): ReadonlyMap<string, ReadonlySet<string>> => {
  const keys = new Map<string, Set<string>>()
  for (const { type, after } of events) {
    if (type !== "VipAssigned" || after?._tag !== "Vip" || after.holders.length !== 1) continue
    const sharingKey = after.holders[0]?.sharingKey ?? ""
    if (sharingKey === "") continue
    keys.set(after.cluster, (keys.get(after.cluster) ?? new Set()).add(sharingKey))
  }
  return keys
}

/** Whoever leaves an address makes room, and whoever changes on a shared one may. */
const makesRoom = ({ type }: DomainEvent): boolean =>
  type === "VipHoldersChanged" ||
  type === "VipReleased" ||
  type === "VipQuarantined" ||
  type === "VipForceReleased" ||
  type === "VipFreed" ||
  type === "ReservationDeleted" ||
  type === "SharedAddressDeleted"

const carryOut = (draft: Draft, command: Command): void => {
  switch (command._tag) {
    case "RegisterCluster":
      return registerCluster(draft, draft.cluster(command.cluster), command)
    case "ApplyManifest":
      return applyManifest(draft, draft.cluster(command.cluster), command.manifest)
    case "DeleteManifest":
      return deleteManifest(draft, draft.cluster(command.cluster), command)
    case "ReportFindings":
      return hearFindings(draft, draft.cluster(command.cluster), command)
    case "ObserveNamespace": {
      const cluster = draft.cluster(command.cluster)
      observeNamespace(draft, cluster, command.namespace)
      return settleUnserved(draft, cluster)
    }
    case "ForgetNamespace":
      return forgetNamespace(draft, draft.cluster(command.cluster), command.name)
    case "ObserveNode":
      return observeNode(draft, draft.cluster(command.cluster), command.node)
    case "ForgetNode":
      return forgetNode(draft, draft.cluster(command.cluster), command.name)
    case "ObserveService": {
      const cluster = draft.cluster(command.cluster)
      const key = `${command.service.namespace}/${command.service.name}`
      const before = cluster.services.get(key)?.service
      observeService(draft, cluster, command.service)
      if (draft.fleet.isFrozen(cluster)) return adoptStatus(draft, cluster, command)
      if (isOfAnother(before, command.service) && !wantsAddress(command.service, cluster)) {
        return letGo(draft, cluster, key)
      }
      return settleService(draft, cluster, key, command.statusAddresses)
    }
    case "ForgetService":
      return forgetService(draft, draft.cluster(command.cluster), `${command.namespace}/${command.name}`)
    case "ObserveServingNodes": {
      const state = draft.cluster(command.cluster).services.get(`${command.namespace}/${command.name}`)
      if (state === undefined || state.servingNodes.join() === command.nodes.join()) return
      return draft.emit({
        stream: streamOf.service(command.cluster, command.namespace, command.name),
        type: "ServingNodesChanged",
        reason: "observed",
        before: state,
        after: { ...state, servingNodes: command.nodes },
        about: {
          cluster: command.cluster,
          namespace: command.namespace,
          service: command.name,
          serviceUid: state.service.uid
        }
      })
    }
    case "ObserveInventory":
      return observeInventory(draft, draft.cluster(command.cluster), command)
    case "ConfirmWithdrawals":
      return confirmWithdrawals(draft, command.cluster)
    case "ExpireQuarantines":
      return expireQuarantines(draft)
    case "FinishMoves":
      return finishMoves(draft, command)
    case "RetireNode":
      return retireNode(draft, command.cluster, command.node)
    case "ForceRelease":
      return forceRelease(draft, command.network, command.address)
    case "ApplyFleetObject":
      return applyFleetObject(draft, command.manifest)
    case "DeleteFleetObject":
      return deleteFleetObject(draft, command.kind, command.name)
    case "BeginRecovery":
      return beginRecovery(draft, command)
    case "AdoptVips":
      return adoptVips(draft, draft.cluster(command.cluster), command.vips)
    case "FinishRecovery":
      return finishRecovery(draft, command.without)
    case "RepublishCluster":
      return republishCluster(draft, draft.cluster(command.cluster), command.inventory)
    case "RepublishPart":
      return republishPart(draft, draft.cluster(command.cluster), command.services)
    case "ReleaseAdopted":
      return releaseAdopted(draft, command)
    case "ReleaseBrake":
      return releaseBrake(draft, command)
    case "ApproveWithdrawals":
      return approveWithdrawals(draft, command)
    case "RejectWithdrawals":
      return rejectWithdrawals(draft, command)
    case "RecordExport": {
      const { _tag, ...said } = command
      return draft.emit({
        stream: streamOf.exports(),
        type: "AuditExported",
        reason: "requested",
        before: draft.fleet.lastExport,
        after: { _tag: "Export", ...said },
        about: {}
      })
    }
    case "FinaliseFleet":
      return finaliseFleet(draft, command)
    case "SealWireJournal": {
      const { _tag, ...said } = command
      if (said.sinceId !== (draft.fleet.wireSeal?.untilId ?? 0) + 1) return
      return draft.emit({
        stream: streamOf.wireSeals(),
        type: "WireJournalSealed",
        reason: "hour-over",
        before: draft.fleet.wireSeal,
        after: { _tag: "WireSeal", ...said },
        about: {}
      })
    }
    case "RecordWireDrop": {
      const { _tag, ...said } = command
      if (said.untilId <= (draft.fleet.wireDrop?.untilId ?? 0)) return
      return draft.emit({
        stream: streamOf.wireDrops(),
        type: "WireRowsDropped",
        reason: "retention",
        before: draft.fleet.wireDrop,
        after: { _tag: "WireDrop", ...said },
        about: {}
      })
    }
    case "RecordSegment":
      return recordSegment(draft, command)
  }
}

/** Whether the Service itself names another class than it did, or is another one of its name. */
const isOfAnother = (before: ServiceObject | undefined, { uid, loadBalancerClass }: ServiceObject): boolean =>
  before !== undefined && (before.uid !== uid || before.loadBalancerClass !== loadBalancerClass)

const segmentEvents = { archived: "SegmentArchived", dropped: "SegmentDropped", restored: "SegmentRestored" } as const

/** One that is in its file alone is not archived anew; only one that is, is restored. What is recorded already does nothing. */
const recordSegment = (draft: Draft, { _tag, ...said }: RecordSegment): void => {
  const before = draft.fleet.segments.get(said.fromSeq) ?? null
  const isDropped = before?.phase === "dropped"
  if (said.phase === "dropped" ? before === null || isDropped : isDropped !== (said.phase === "restored")) return
  const after: SegmentState = { _tag: "Segment", ...said }
  if (before !== null && JSON.stringify(before) === JSON.stringify(after)) return
  const reason = said.phase === "dropped" ? "retention" : "requested"
  draft.emit({
    stream: streamOf.segment(said.fromSeq),
    type: segmentEvents[said.phase],
    reason,
    before,
    after,
    about: {}
  })
}

/**
 * A cluster is of one network for as long as it has addresses of it; another one is told of, and not taken. Nor are labels
 * and prefixes by which pools of the fleet would come to it that make invalid what is in effect. One that the log has lost is
 * of the network of what was taken over for it.
 */
const registerCluster = (draft: Draft, cluster: ClusterMemory, command: RegisterCluster): void => {
  const { network, labels = {}, allowedPrefixes = [] } = command
  const isOff = command.loadBalancerClass !== undefined && !draft.fleet.allows("loadBalancerClass")
  const loadBalancerClass = isOff ? undefined : command.loadBalancerClass
  const classBefore = cluster.loadBalancerClass
  const stream = streamOf.cluster(cluster.name)
  const isKnown = draft.fleet.versions.has(stream)
  const usedCount = cluster.vips.size + cluster.reservations.size
  const networkBefore = isKnown ? cluster.network : adoptedNetwork(draft.fleet, cluster, network)
  const isHeld = networkBefore !== network && usedCount > 0
  const ref = { kind: "Cluster", name: cluster.name }
  const held = finding("LT0212", {
    object: ref,
    field: "spec.network",
    expected: `network ${networkBefore} while ${usedCount} of its addresses are in use or reserved`,
    found: network
  })
  const off = finding("LT0543", {
    object: ref,
    field: "spec.loadBalancerClass",
    expected: "nothing before the fleet's version is finalised",
    found: `${command.loadBalancerClass}, which has no effect yet`
  })
  const wasOff = cluster.findings.get(objectKey(ref))?.findings.some(({ code }) => code === "LT0543") === true
  const after = { ...cluster, network: isHeld ? networkBefore : network, labels, allowedPrefixes, loadBalancerClass }
  const isSame = isKnown && JSON.stringify(clusterState(after)) === JSON.stringify(clusterState(cluster))
  const pools = [...draft.fleet.addressPools.values()]
  const broken = (isHeld && isKnown) || isSame ? [] : brokenByPools(draft.fleet, cluster, { pools, subject: after })
  const findings = isHeld ? [held] : broken.length > 0 ? heldFindings(ref, broken) : []
  reportFindings(draft, cluster, ref, "agent", [
    ...findings,
    ...(isOff ? [off] : []),
    // What the agent itself finds wrong with the cluster lasts until the agent says that it is over.
    ...reportedOn(cluster, ref).filter((found) => !isOfRegistration(found))
  ])
  if (isSame || broken.length > 0 || (isHeld && isKnown)) return
  settlingPools(draft, [cluster], () =>
    draft.emit({
      stream,
      type: "ClusterRegistered",
      reason: "observed",
      before: isKnown ? clusterState(cluster) : null,
      after: clusterState(after),
      about: { cluster: cluster.name, network: after.network }
    })
  )
  if (cluster.loadBalancerClass !== classBefore) settleByClass(draft, cluster, wasOff)
  // Its own pools may be beyond what it may announce by now.
  reportJudgement(draft, cluster)
}

/** The network of the addresses that a cluster has, or are reserved for it, before it is known: the one told, if it is of them. */
const adoptedNetwork = (fleet: Fleet, cluster: ClusterMemory, told: string): string => {
  const vips = [...cluster.vips].flatMap((stream) => fleet.vips.get(stream) ?? [])
  const held = vips.filter(({ phase }) => phase === "assigned")
  const reserved = [...cluster.reservations.values()].map(({ network }) => network)
  const networks = new Set([...(held.length > 0 ? held : vips).map(({ network }) => network), ...reserved])
  return networks.has(told) ? told : ([...networks].sort()[0] ?? told)
}

/**
 * Who is served from now on is told of again, with what its status says that it has; but where the class waited for the
 * fleet's version, that has been said already.
 */
const settleByClass = (draft: Draft, cluster: ClusterMemory, wasOff: boolean): void => {
  if (wasOff) return settleAll(draft, cluster)
  for (const [key, { service }] of [...cluster.services].sort(byKey)) {
    if (cluster.addressesOf.has(key) || !wantsAddress(service, cluster)) settleService(draft, cluster, key)
  }
}

const byKey = ([left]: readonly [string, unknown], [right]: readonly [string, unknown]): number =>
  left < right ? -1 : 1

/** Moves on every withdrawing VIP of the cluster that all obliged nodes have confirmed. */
const confirmWithdrawals = (draft: Draft, clusterName: string): void => {
  const cluster = draft.cluster(clusterName)
  if (draft.fleet.isFrozen(cluster)) return
  for (const stream of [...draft.fleet.withdrawing]) {
    const vip = draft.fleet.vips.get(stream)
    if (vip?.cluster !== clusterName) continue
    if (awaitedNodes(draft.context, vip).length === 0) quarantine(draft, cluster, vip.address)
  }
}

const expireQuarantines = (draft: Draft): void => {
  for (const stream of [...draft.fleet.quarantined]) {
    const vip = draft.fleet.vips.get(stream)
    if (vip === undefined || draft.fleet.isFrozen(draft.cluster(vip.cluster))) continue
    // Who wrote it may not have known yet that the database's clock was set forward: then the end came out too early.
    const recordedAtMs = draft.context.recordedAtMs?.(stream)
    const restedEndMs = recordedAtMs === undefined ? 0 : recordedAtMs + quarantineMsOf(vip)
    if (Math.max(vip.quarantineEndMs ?? 0, restedEndMs) <= draft.context.nowMs) free(draft, vip)
  }
}
