import { type ClusterConfig, type Finding, finding, localPrefUnset, type ServiceObject } from "../config/index.ts"
import type { ClusterMemory, Fleet } from "../fleet/fleet.ts"
import type { ServiceState } from "../fleet/stream.ts"
import type { VipIntent } from "./intent.ts"
import { addressesOf, resolveVip } from "./resolve.ts"

/** Pairs of routes to one peer from one node that ask for different preferences; `judge` leaves those to the Service. */
export const preferenceClashes = (
  { namespace, name }: Pick<ServiceObject, "namespace" | "name">,
  { address, routes }: Pick<VipIntent, "address" | "routes">
): ReadonlyArray<Finding> =>
  routes.flatMap((route, index) =>
    routes.slice(0, index).flatMap((other) => {
      const node = route.nodes.find((name) => other.nodes.includes(name))
      const peer = route.peers.find((name) => other.peers.includes(name))
      const [preference, before] = [route.localPref ?? localPrefUnset, other.localPref ?? localPrefUnset]
      if (other.prefix !== route.prefix || preference === before || node === undefined || peer === undefined) return []
      return finding("LT0154", {
        object: { kind: "Service", namespace, name },
        field: "metadata.labels",
        expected: `one localPref for ${address} from ${node} to ${peer}`,
        found: `${before} of advertisement ${other.advertisement} and ${preference} of ${route.advertisement}`
      })
    })
  )

/** Those of all that a Service has. */
export const preferenceFindings = (fleet: Fleet, cluster: ClusterMemory, state: ServiceState): ReadonlyArray<Finding> =>
  addressesOf(cluster, state).flatMap((address) => {
    const vip = fleet.vip(cluster.network, address, cluster.name)
    return vip === undefined ? [] : preferenceClashes(state.service, resolveVip(fleet, cluster, vip, []))
  })

/** Whether any Service could have such a pair at all: seldom, and told at once. */
export const mayClash = ({ advertisements }: Pick<ClusterConfig, "advertisements">): boolean =>
  advertisements.some(({ serviceSelectors }) => serviceSelectors.length > 0) &&
  new Set(advertisements.map(({ localPref = localPrefUnset }) => localPref)).size > 1
