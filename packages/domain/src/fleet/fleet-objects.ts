import { formatIpAddress } from "@lowtide/net"
import { Result } from "effect"
import { reservedText } from "../allocation/available.ts"
import { lowestFree } from "../allocation/pick.ts"
import { poolHas, poolRangesOf, poolsHolding } from "../allocation/pool-choice.ts"
import { settleService, settleUnserved } from "../allocation/settle.ts"
import { familyOf } from "../config/canonical.ts"
import {
  type AddressPool,
  decodeFleetObject,
  type Finding,
  type FleetSettings,
  finding,
  type ObjectRef,
  type Quota,
  type RawObject,
  type Reservation
} from "../config/index.ts"
import { applyAddressPool, deleteAddressPool } from "./address-pools.ts"
import { defaultBlastRadius } from "./budget.ts"
import type { Draft } from "./draft.ts"
import { notYet } from "./finalise.ts"
import type { ClusterMemory, Fleet } from "./fleet.ts"
import { sinceOfKind } from "./fleet-version.ts"
import { applySharedAddress, deleteSharedAddress } from "./shared-addresses.ts"
import {
  type BlastRadius,
  type FleetSettingsState,
  type QuotaState,
  type ReservationState,
  streamOf,
  type WithdrawalShare
} from "./stream.ts"

/** Takes one of the fleet's own objects, or says no to it with all that is wrong. */
export const applyFleetObject = (draft: Draft, manifest: RawObject): void => {
  const { object, findings } = decodeFleetObject(manifest)
  const [first] = findings
  if (first !== undefined) {
    return draft.refuse({ ...first, message: findings.map(({ message }) => message).join("; ") })
  }
  if (object === undefined) return
  const since = sinceOfKind(object._tag)
  if (since > draft.fleet.fleetVersion) return draft.refuse(notYet(object._tag, since, draft.fleet.fleetVersion))
  switch (object._tag) {
    case "Reservation":
      return reserve(draft, object)
    case "Quota":
      return applyQuota(draft, object)
    case "SharedAddress": {
      const { _tag, ...shared } = object
      return applySharedAddress(draft, shared)
    }
    case "Fleet":
      return applySettings(draft, object)
    case "AddressPool": {
      const { _tag, ...pool } = object
      return applyAddressPool(draft, pool)
    }
  }
}

/** Drops one of them; what is not there is as it is ordered to be. */
export const deleteFleetObject = (draft: Draft, kind: string, name: string): void => {
  if (kind === "AddressPool") return deleteAddressPool(draft, name)
  if (kind === "SharedAddress") return deleteSharedAddress(draft, name)
  const reservation = kind === "Reservation" ? draft.fleet.reservations.get(name) : undefined
  const quota = kind === "Quota" ? draft.fleet.quotas.get(name) : undefined
  if (reservation !== undefined) dropReservation(draft, reservation)
  if (kind === "Fleet" && draft.fleet.settings?.name === name) recordSettings(draft, null)
  if (quota === undefined) return
  draft.emit({
    stream: streamOf.quota(name),
    type: "QuotaDeleted",
    reason: "deleted",
    before: quota,
    after: null,
    about: aboutQuota(quota)
  })
  settleQuota(draft, quota)
}

/**
 * Keeps an address for a Service. A reservation that says the same again, or that leaves the choice to a pool which its
 * address is of, keeps its address; one that asks for another gives up the old one once the new one is certain.
 */
const reserve = (draft: Draft, wanted: Reservation): void => {
  const cluster = draft.fleet.clusters.get(wanted.cluster)
  const object: ObjectRef = { kind: "Reservation", name: wanted.name }
  if (cluster === undefined) {
    const known = [...draft.fleet.clusters.keys()].sort().join(", ")
    const expected = `one of the clusters [${known}]`
    return draft.refuse(finding("LT0604", { object, field: "spec.for.cluster", expected, found: wanted.cluster }))
  }
  const before = draft.fleet.reservations.get(wanted.name)
  const found = addressFor(draft.fleet, cluster, wanted, before)
  if (Result.isFailure(found)) return draft.refuse(found.failure)
  const after: ReservationState = {
    _tag: "Reservation",
    cluster: cluster.name,
    name: wanted.name,
    network: cluster.network,
    ...found.success,
    namespace: wanted.namespace,
    service: wanted.service
  }
  if (JSON.stringify(before) === JSON.stringify(after)) return
  if (before !== undefined && (before.address !== after.address || before.network !== after.network)) {
    dropReservation(draft, before)
  }
  draft.emit({
    stream: streamOf.reservation(after.name),
    type: "AddressReserved",
    reason: "applied",
    before: draft.fleet.reservations.get(after.name) ?? null,
    after,
    about: aboutReservation(after)
  })
  const key = `${after.namespace}/${after.service}`
  if (cluster.unserved.has(key)) settleService(draft, cluster, key)
}

type Found = Pick<ReservationState, "address" | "pool">

const addressFor = (
  fleet: Fleet,
  cluster: ClusterMemory,
  wanted: Reservation,
  before: ReservationState | undefined
): Result.Result<Found, Finding> => {
  if (before !== undefined && isSoAlready(before, cluster, wanted)) return Result.succeed(before)
  const object: ObjectRef = { kind: "Reservation", name: wanted.name }
  const open = fleet.config(cluster).pools.filter(({ retired }) => retired !== true)
  const names = open.map(({ name }) => name).join(", ")
  const pools = wanted.pool === undefined ? open : open.filter(({ name }) => name === wanted.pool)
  const [only] = pools
  if (wanted.pool !== undefined && only === undefined) {
    const expected = `one of the pools [${names}] of cluster ${cluster.name}`
    return Result.fail(finding("LT0206", { object, field: "spec.pool", expected, found: wanted.pool }))
  }
  if (wanted.address !== undefined) {
    const { address } = wanted
    const [pool] = poolsHolding(pools, address)
    if (pool === undefined) {
      const expected = `an address of one of the pools [${wanted.pool ?? names}] of cluster ${cluster.name}`
      return Result.fail(finding("LT0202", { object, field: "spec.address", expected, found: address }))
    }
    const fault = heldByOther(fleet, cluster, wanted, address)
    return fault === undefined ? Result.succeed({ address, pool: pool.name }) : Result.fail(fault)
  }
  if (only === undefined) return Result.fail(exhausted(object, wanted)) // decoding has asked for one of the two
  const isKept =
    before !== undefined &&
    before.network === cluster.network &&
    poolHas(only, before.address) &&
    familyOf(before.address) === wantedFamily(only, wanted) &&
    heldByOther(fleet, cluster, wanted, before.address) === undefined
  if (isKept) return Result.succeed({ address: before.address, pool: only.name })
  const address = lowestFree(fleet.network(cluster.network), only, wantedFamily(only, wanted))
  return address === undefined
    ? Result.fail(exhausted(object, wanted))
    : Result.succeed({ address: formatIpAddress(address), pool: only.name })
}

/** An order that was carried out is harmless again, whatever the pools have by now. */
const isSoAlready = (before: ReservationState, cluster: ClusterMemory, wanted: Reservation): boolean =>
  before.address === wanted.address &&
  before.pool === (wanted.pool ?? before.pool) &&
  before.network === cluster.network &&
  before.cluster === cluster.name &&
  before.namespace === wanted.namespace &&
  before.service === wanted.service

const exhausted = (object: ObjectRef, { pool, ipFamily }: Reservation): Finding =>
  finding("LT0201", {
    object,
    field: "spec.pool",
    expected: `a free ${ipFamily ?? "IPv4 or IPv6"} address in pool ${pool}`,
    found: "none"
  })

/** IPv4 where the pool has it, unless the author says otherwise. */
const wantedFamily = (pool: AddressPool, { ipFamily }: Reservation): 4 | 6 => {
  if (ipFamily !== undefined) return ipFamily === "IPv6" ? 6 : 4
  return poolRangesOf(pool, 4).length > 0 ? 4 : 6
}

/** Another Service that holds the address, or another reservation that keeps it. A released one will be free in time. */
const heldByOther = (
  fleet: Fleet,
  cluster: ClusterMemory,
  { name, namespace, service }: Reservation,
  address: string
): Finding | undefined => {
  const object: ObjectRef = { kind: "Reservation", name }
  const expected = "an address that nobody else holds"
  const field = "spec.address"
  const shared = fleet.network(cluster.network).shared.get(address)
  if (shared !== undefined) {
    return finding("LT0203", { object, field, expected, found: `${address}, the shared address ${shared.shared.name}` })
  }
  const reserved = fleet.network(cluster.network).reserved.get(address)
  if (reserved !== undefined && reserved.name !== name) {
    return finding("LT0203", { object, field, expected, found: `${address}, ${reservedText(reserved)}` })
  }
  const vip = fleet.vipsAt(cluster.network, address).find(({ phase }) => phase === "assigned")
  if (vip === undefined) return undefined
  const other = vip.holders.find(
    (holder) => vip.cluster !== cluster.name || holder.namespace !== namespace || holder.name !== service
  )
  if (other === undefined) return undefined
  const found = `${address}, held by ${vip.cluster}/${other.namespace}/${other.name}`
  return finding("LT0203", { object, field, expected, found })
}

const dropReservation = (draft: Draft, before: ReservationState): void =>
  draft.emit({
    stream: streamOf.reservation(before.name),
    type: "ReservationDeleted",
    reason: "deleted",
    before,
    after: null,
    about: aboutReservation(before)
  })

const aboutReservation = ({ network, address, pool, cluster, namespace, service }: ReservationState) => ({
  network,
  address,
  pool,
  cluster,
  namespace,
  service
})

const applyQuota = (draft: Draft, { name, cluster, namespace, addresses }: Quota): void => {
  const before = draft.fleet.quotas.get(name) ?? null
  const after: QuotaState = {
    _tag: "Quota",
    cluster: cluster ?? "",
    quota: { name, cluster: cluster ?? null, namespace: namespace ?? null, addresses }
  }
  if (JSON.stringify(before) === JSON.stringify(after)) return
  draft.emit({
    stream: streamOf.quota(name),
    type: "QuotaApplied",
    reason: "applied",
    before,
    after,
    about: aboutQuota(after)
  })
  if (before !== null) settleQuota(draft, before)
  settleQuota(draft, after)
}

const aboutQuota = ({ quota: { cluster, namespace } }: QuotaState) => ({
  ...(cluster === null ? {} : { cluster }),
  ...(namespace === null ? {} : { namespace })
})

/** Whoever waits may have room now, or another reason to wait. */
const settleQuota = (draft: Draft, { quota }: QuotaState): void => {
  for (const cluster of draft.fleet.clustersByName) {
    if (quota.cluster === null || quota.cluster === cluster.name) settleUnserved(draft, cluster)
  }
}

/** There is one Fleet object: a second one would say something else of the same. */
const applySettings = (draft: Draft, { name, cluster, clusters, perSeconds, ...wanted }: FleetSettings): void => {
  const before = draft.fleet.settings
  if (before !== undefined && before.name !== name) {
    const object: ObjectRef = { kind: "Fleet", name }
    return draft.refuse(finding("LT0107", { object, field: "metadata.name", expected: before.name, found: name }))
  }
  const standard = defaultBlastRadius
  const eachCluster = shareOr(cluster, standard.cluster)
  const named = Object.entries(clusters).sort()
  const blastRadius: BlastRadius = {
    ...shareOr(wanted, standard),
    perMs: perSeconds === undefined ? standard.perMs : perSeconds * 1000,
    cluster: eachCluster,
    ...(named.length === 0
      ? {}
      : { clusters: Object.fromEntries(named.map(([name, share]) => [name, shareOr(share, eachCluster)])) })
  }
  const after: FleetSettingsState = { _tag: "FleetSettings", name, blastRadius }
  if (JSON.stringify(before) !== JSON.stringify(after)) recordSettings(draft, after)
}

type Limits = { readonly [Key in keyof WithdrawalShare]: WithdrawalShare[Key] | undefined }

const shareOr = (wanted: Limits, standard: WithdrawalShare): WithdrawalShare => ({
  maxWithdrawPercent: wanted.maxWithdrawPercent ?? standard.maxWithdrawPercent,
  maxWithdrawRoutes: wanted.maxWithdrawRoutes ?? standard.maxWithdrawRoutes
})

const recordSettings = (draft: Draft, after: FleetSettingsState | null): void =>
  draft.emit({
    stream: streamOf.settings(),
    type: after === null ? "FleetDeleted" : "FleetApplied",
    reason: after === null ? "deleted" : "applied",
    before: draft.fleet.settings ?? null,
    after,
    about: {}
  })
