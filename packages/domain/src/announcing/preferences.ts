import { type ClusterConfig, differingPreferences, type Finding, finding, type ServiceObject } from "../config/index.ts"
import type { ClusterMemory, Fleet } from "../fleet/fleet.ts"
import type { ServiceState } from "../fleet/stream.ts"
import type { AdvertisedRoute, VipIntent } from "./intent.ts"
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
      if (other.prefix !== route.prefix || node === undefined || peer === undefined) return []
      const [now, before] = [preferencesOf(route), preferencesOf(other)]
      return differingPreferences(now, before).map(({ name: preference, unset }) =>
        finding("LT0154", {
          object: { kind: "Service", namespace, name },
          field: "metadata.labels",
          expected: `one ${preference} for ${address} from ${node} to ${peer}`,
          found: `${before[preference] ?? unset} of advertisement ${other.advertisement} and ${now[preference] ?? unset} of ${route.advertisement}`
        })
      )
    })
  )

const preferencesOf = ({ localPref, med, prepend }: AdvertisedRoute): Parameters<typeof differingPreferences>[0] => ({
  ...(localPref === null ? {} : { localPref }),
  ...(med === undefined ? {} : { med }),
  ...(prepend === undefined ? {} : { asPathPrepend: prepend })
})

/** Those of all that a Service has. */
export const preferenceFindings = (fleet: Fleet, cluster: ClusterMemory, state: ServiceState): ReadonlyArray<Finding> =>
  addressesOf(cluster, state).flatMap((address) => {
    const vip = fleet.vip(cluster.network, address, cluster.name)
    return vip === undefined ? [] : preferenceClashes(state.service, resolveVip(fleet, cluster, vip, []))
  })

/** Whether any Service could have such a pair at all: seldom, and told at once. */
export const mayClash = ({ advertisements }: Pick<ClusterConfig, "advertisements">): boolean =>
  advertisements.some(({ serviceSelectors }) => serviceSelectors.length > 0) &&
  advertisements.some((each, index) => index > 0 && differingPreferences(each, advertisements[0] ?? each).length > 0)
