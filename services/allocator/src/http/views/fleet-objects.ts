import type {
  QuotaList,
  QuotaView,
  ReservationList,
  ReservationStanding,
  ReservationView,
  SharedAddressList
} from "@lowtide/api/fleet-objects"
import { type QuotaState, type ReservationState, streamOf } from "@lowtide/domain"
import { poolRanges } from "@lowtide/domain/allocation/pool-choice"
import { parseIpAddress, rangeContains } from "@lowtide/net"
import { Result } from "effect"
import type { CommittedView } from "../../centre.ts"
import { byText, readingOf } from "./reading.ts"

/** Reservations by name. */
export const reservationList = (view: CommittedView): ReservationList => ({
  ...readingOf(view),
  items: [...view.fleet.reservations.values()].map((state) => reservationView(view, state)).sort(byText(nameOf))
})

const nameOf = ({ name }: { readonly name: string }): string => name

const reservationView = (view: CommittedView, state: ReservationState): ReservationView => {
  const { name, network, address, pool, cluster, namespace, service } = state
  const since = view.recordedAt(streamOf.reservation(name)) ?? null
  return { name, network, address, pool, cluster, namespace, service, state: standingOf(view, state), since }
}

const standingOf = (
  { fleet }: CommittedView,
  { network, address, cluster, namespace, service }: ReservationState
): ReservationStanding => {
  const vip = fleet.vip(network, address)
  if (vip?.phase === "assigned") return "Bound" // nobody else gets it while it is reserved
  const parsed = Result.getOrThrow(parseIpAddress(address))
  const hasPool = fleet
    .config(fleet.cluster(cluster))
    .pools.some((pool) => pool.retired !== true && poolRanges(pool).some((range) => rangeContains(range, parsed)))
  if (!hasPool) return "NoPool"
  const isOwn = vip?.cluster === cluster && vip.lastHolders.includes(`${namespace}/${service}`)
  return vip === undefined || vip.phase === "free" || isOwn ? "Kept" : "Resting"
}

/** Shared addresses by name, with who has them. */
export const sharedAddressList = (view: CommittedView): SharedAddressList => ({
  ...readingOf(view),
  items: [...view.fleet.sharedAddresses.values()]
    .map(({ shared: { name, network, addresses, members } }) => ({
      ...{ name, network, addresses },
      members: members.map(({ cluster, namespace, name: service, priority }) => ({
        ...{ cluster, namespace, service, priority },
        state: addresses.some((address) => holds(view, cluster, `${namespace}/${service}`, address))
          ? ("Held" as const)
          : ("Waiting" as const)
      })),
      since: view.recordedAt(streamOf.sharedAddress(name)) ?? null
    }))
    .sort(byText(nameOf))
})

const holds = ({ fleet }: CommittedView, cluster: string, key: string, address: string): boolean =>
  fleet.clusters.get(cluster)?.addressesOf.get(key)?.includes(address) === true

/** Quotas by name, with what is used of them. */
export const quotaList = (view: CommittedView): QuotaList => ({
  ...readingOf(view),
  items: [...view.fleet.quotas.values()].map((state) => quotaView(view, state)).sort(byText(nameOf))
})

const quotaView = (view: CommittedView, { quota }: QuotaState): QuotaView => ({
  ...quota,
  usage: [...view.fleet.clusters.values()]
    .filter(({ name }) => quota.cluster === null || quota.cluster === name)
    .map((cluster) => ({
      cluster: cluster.name,
      used: view.fleet.heldIn(cluster, quota.namespace).size,
      waiting: [...cluster.unserved].filter((key) => {
        const state = cluster.services.get(key)
        const isWithin = quota.namespace === null || state?.service.namespace === quota.namespace
        return isWithin && state?.refusal?.code === "LT0213"
      }).length
    }))
    .sort(byText(({ cluster }) => cluster)),
  since: view.recordedAt(streamOf.quota(quota.name)) ?? null
})
