import type { ListFilter } from "@lowtide/api/parameters"
import type { VipList, VipView } from "@lowtide/api/vips"
import { routesWaiting, type VipState } from "@lowtide/domain"
import { awaitedByMove } from "@lowtide/domain/allocation/moves"
import { parseIpAddress } from "@lowtide/net"
import { Result } from "effect"
import type { CommittedView } from "../../centre.ts"
import { wordOf } from "../../status-orders.ts"
import { clustersOf } from "./clusters.ts"
import { byText, readingOf } from "./reading.ts"

/** Addresses that are not free, by network and address. */
export const vipList = (view: CommittedView, filter: ListFilter, nowMs: number): VipList => ({
  ...readingOf(view),
  items: clustersOf(view, filter)
    .flatMap((cluster) => {
      const waiting = routesWaiting(view.fleet, cluster)
      return [...cluster.vips].flatMap((stream) => {
        const vip = view.fleet.vips.get(stream)
        return vip === undefined ? [] : vipView(view, stream, { vip, orders: waiting.get(stream) ?? [], nowMs })
      })
    })
    .sort(byText(sortKey))
})

/** Addresses in the order of their numbers, IPv4 before IPv6. */
const sortKey = ({ network, address }: VipView): string => {
  const { family, value } = Result.getOrThrow(parseIpAddress(address))
  return `${network}\u0000${family}${value.toString(16).padStart(32, "0")}`
}

const vipView = (
  view: CommittedView,
  stream: string,
  { vip, orders, nowMs }: { readonly vip: VipState; readonly orders: ReadonlyArray<string>; readonly nowMs: number }
): ReadonlyArray<VipView> => {
  const { network, address, cluster, pool, phase, holders, lastHolders } = vip
  if (phase === "free") return []
  const leaving = holders.length > 0 && holders.every(({ leaving }) => leaving === true)
  return [
    {
      network,
      address,
      cluster,
      pool,
      phase,
      holders: phase === "assigned" ? holders.map(({ namespace, name }) => ({ namespace, name })) : named(lastHolders),
      awaiting: leaving ? laggingNodes(view, vip, nowMs) : view.awaited(vip),
      leaving,
      approval: vip.heldRelease?.order ?? null,
      routeApproval: orders.length === 0 ? null : orders.join(", "),
      quarantineEnd: quarantineEndOf(vip),
      since: view.recordedAt(stream) ?? null
    }
  ]
}

const laggingNodes = ({ fleet, nodes }: CommittedView, vip: VipState, nowMs: number): ReadonlyArray<string> => {
  const cluster = fleet.clusters.get(vip.cluster)
  if (cluster === undefined) return []
  return awaitedByMove(fleet, cluster, vip, (node) => wordOf(nodes.get(`${vip.cluster}/${node}`), nowMs))
}

/** RFC 3339; null unless it is quarantined. */
export const quarantineEndOf = (vip: VipState | undefined): string | null =>
  vip === undefined || vip.quarantineEndMs === null ? null : new Date(vip.quarantineEndMs).toISOString()

const named = (keys: ReadonlyArray<string>): VipView["holders"] =>
  keys.map((key) => {
    const [namespace = "", name = ""] = key.split("/")
    return { namespace, name }
  })
