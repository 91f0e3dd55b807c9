import type { ServiceView } from "@lowtide/api/services"
import { formatPrefix, hostPrefix, parseIpAddress } from "@lowtide/net"
import type { LabError } from "@lowtide/testkit/lab/index"
import { Effect, Result } from "effect"
import { readClusterFacts } from "./plan.ts"
import type { ClusterSite, Site } from "./site.ts"

/** What a cluster's router should forward, what it does, and how they differ, in words. */
export interface RouterCheck {
  readonly cluster: string
  readonly router: string
  readonly expected: ReadonlyMap<string, ReadonlyArray<string>>
  readonly found: ReadonlyMap<string, ReadonlyArray<string>>
  readonly differences: ReadonlyArray<string>
  /** Services that the API does not yet say are announced by just the nodes that are to announce them. */
  readonly unheard: ReadonlyArray<string>
}

/**
 * Holds every router's own table against what should be there: a host route for each VIP of the API's answer, over just the
 * nodes that are to announce it. Which nodes serve is read from the manifests here, not asked of those who are checked.
 */
export const checkRouters = (
  site: Site,
  services: ReadonlyArray<ServiceView>
): Effect.Effect<ReadonlyArray<RouterCheck>, LabError> =>
  Effect.forEach(site.clusters, (cluster) =>
    Effect.map(cluster.router.nextHops, (found) => {
      const own = services.filter((service) => service.cluster === cluster.plan.name)
      const announcers = announcersOf(cluster)
      const expected = expectedRoutes(cluster, own, announcers)
      return {
        cluster: cluster.plan.name,
        router: cluster.router.kind,
        expected,
        found,
        differences: compare(expected, found),
        unheard: own.flatMap((service) =>
          service.addresses.length > 0 && announcers(service).join() !== [...service.announcing].sort().join()
            ? [`${service.namespace}/${service.name}`]
            : []
        )
      }
    })
  )

/** The nodes that are to announce a Service, sorted, by what the manifests say now. */
const announcersOf = (cluster: ClusterSite): ((service: ServiceView) => ReadonlyArray<string>) => {
  const { servingNodes } = readClusterFacts(cluster.plan.manifests)
  return ({ namespace, name, trafficPolicy, candidates }) => {
    const serving = servingNodes.get(`${namespace}/${name}`) ?? []
    return candidates.filter((node) => (trafficPolicy === "Local" ? serving.includes(node) : serving.length > 0)).sort()
  }
}

const expectedRoutes = (
  cluster: ClusterSite,
  services: ReadonlyArray<ServiceView>,
  announcers: (service: ServiceView) => ReadonlyArray<string>
): RouterCheck["expected"] => {
  const nodesOf = new Map<string, Set<string>>()
  for (const service of services) {
    for (const { address } of service.addresses) {
      const nodes = nodesOf.get(address) ?? new Set()
      for (const node of announcers(service)) nodes.add(node)
      nodesOf.set(address, nodes)
    }
  }
  return new Map(
    [...nodesOf].flatMap(([address, nodes]) => {
      if (nodes.size === 0) return []
      const prefix = formatPrefix(hostPrefix(Result.getOrThrow(parseIpAddress(address))))
      return [[prefix, nextHopsOf(cluster, nodes, address.includes(":"))] as const]
    })
  )
}

const nextHopsOf = (cluster: ClusterSite, nodes: ReadonlySet<string>, isIpv6: boolean): ReadonlyArray<string> =>
  cluster.nodes
    .filter(({ name }) => nodes.has(name))
    .flatMap(({ nextHops }) => nextHops.filter((address) => address.includes(":") === isIpv6).slice(0, 1))
    .sort()

const compare = (expected: RouterCheck["expected"], found: RouterCheck["found"]): ReadonlyArray<string> =>
  [...new Set([...expected.keys(), ...found.keys()])].sort().flatMap((prefix) => {
    const wanted = expected.get(prefix)?.join(", ") ?? "no route"
    const present = found.get(prefix)?.join(", ") ?? "no route"
    return wanted === present ? [] : [`${prefix}: expected ${wanted}, found ${present}`]
  })
