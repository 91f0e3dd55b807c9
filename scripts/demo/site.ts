import { join } from "node:path"
import { type CollectedRoute, findAttribute, startCollector } from "@lowtide/bgp"
import { formatIpAddress, formatPrefix } from "@lowtide/net"
import {
  kernelRoutes,
  LabError,
  makeFleetNetwork,
  makeLab,
  type Router,
  startBird,
  startFrr,
  startServiceEndpoint
} from "@lowtide/testkit/lab/index"
import { Effect, type Scope } from "effect"
import { type ClusterFacts, type ClusterPlan, routerNeighbors } from "./plan.ts"

/** Where one node's speaker runs, and by which addresses it is known to its router. */
export interface NodeSite {
  readonly name: string
  readonly namespace?: string
  readonly nextHops: ReadonlyArray<string>
  /** Where its sessions come from, where the kernel is not to choose. */
  readonly localAddress?: string
}

/** A cluster's router as it is read: what it would forward to, from its kernel where it has one. */
export interface RouterView {
  readonly kind: string
  readonly nextHops: Effect.Effect<ReadonlyMap<string, ReadonlyArray<string>>, LabError>
  /** UPDATEs (BIRD: routes in them) received since its sessions came up, by neighbour. */
  readonly updates: Effect.Effect<number, LabError>
  /** The real router, where there is one. */
  readonly router?: Router
}

export interface ClusterSite {
  readonly plan: ClusterPlan
  readonly facts: ClusterFacts
  readonly nodes: ReadonlyArray<NodeSite>
  readonly router: RouterView
  /** The namespace from which clients reach VIPs through the router, where there is one. */
  readonly client?: string
  readonly routerNamespace?: string
}

/** The ground that the fleet stands on. */
export interface Site {
  readonly kind: "namespaces" | "loopback"
  readonly folder: string
  /** Where NATS, Postgres, allocator and agents run. */
  readonly centreNamespace?: string
  /** Where they listen, as seen from the nodes. */
  readonly centreAddress: string
  readonly clusters: ReadonlyArray<ClusterSite>
}

export interface SiteCluster {
  readonly plan: ClusterPlan
  readonly facts: ClusterFacts
}

/** Every node, router and client in a network namespace of its own; the routers fill their kernels' tables. */
export const makeNamespaceSite = (
  folder: string,
  clusters: ReadonlyArray<SiteCluster>
): Effect.Effect<Site, LabError, Scope.Scope> =>
  Effect.gen(function* () {
    const lab = yield* makeLab({ folder })
    const network = yield* makeFleetNetwork(
      lab,
      clusters.map(({ plan, facts }) => ({
        name: plan.name,
        subnet4: plan.subnet4,
        subnet6: plan.subnet6,
        nodes: facts.nodes.map(({ name }) => name)
      }))
    )
    const sites = yield* Effect.forEach(
      clusters,
      ({ plan, facts }, index) =>
        Effect.gen(function* () {
          const made = network.clusters[index]
          if (made === undefined)
            return yield* new LabError({ operation: "make the site", detail: `no network ${plan.name}` })
          const routerPlan = {
            folder: join(folder, `${plan.name}-router`),
            namespace: made.router.namespace,
            asn: facts.routerAsn,
            address: made.router.ipv4,
            neighbors: routerNeighbors(facts, [made.router.ipv4, made.router.ipv6])
          }
          const router = yield* plan.router === "bird" ? startBird(routerPlan) : startFrr(routerPlan)
          yield* Effect.forEach(made.nodes, (node) =>
            startServiceEndpoint({
              namespace: node.namespace,
              name: node.name,
              ports: facts.tcpPorts,
              prefixes: facts.allowedPrefixes,
              logFolder: folder
            })
          )
          return {
            plan,
            facts,
            nodes: made.nodes.map(({ name, namespace, ipv4, ipv6 }) => ({ name, namespace, nextHops: [ipv4, ipv6] })),
            router: kernelView(router, made.router.namespace),
            client: made.client,
            routerNamespace: made.router.namespace
          } satisfies ClusterSite
        }),
      { concurrency: 2 }
    )
    return {
      kind: "namespaces",
      folder,
      centreNamespace: network.centre.namespace,
      centreAddress: network.centre.address,
      clusters: sites
    } satisfies Site
  })

/** What the kernel of the router's namespace forwards to, as far as the router's daemon put it there. */
const kernelView = (router: Router, namespace: string): RouterView => ({
  kind: router.kind,
  router,
  nextHops: kernelRoutes(namespace).pipe(
    Effect.map(
      (routes) =>
        new Map(
          routes
            .filter(({ protocol }) => protocol === "bird" || protocol === "bgp")
            .map(({ prefix, nextHops }) => [prefix, [...new Set(nextHops.map(({ address }) => address))].sort()])
        )
    )
  ),
  updates: totalUpdates(router)
})

const totalUpdates = (router: Router): Effect.Effect<number, LabError> =>
  Effect.map(router.updateCounts, (counts) => counts.reduce((sum, { updates }) => sum + updates, 0))

/** The first high port that routers of the loopback site listen on. */
const loopbackBgpPort = 17_900

/** Addresses of the loopback site: cluster n (from 1) has 127.n.0.0/24, its router .1 and its nodes from .11 on. */
export const loopbackAddress = (clusterIndex: number, host: number): string => `127.${clusterIndex + 1}.0.${host}`

/** No namespaces: speakers and routers on loopback addresses and high ports, as any user; nothing reaches the kernel's tables. */
export const makeLoopbackSite = (
  folder: string,
  clusters: ReadonlyArray<SiteCluster>,
  hasBird: boolean
): Effect.Effect<Site, LabError, Scope.Scope> =>
  Effect.gen(function* () {
    const sites = yield* Effect.forEach(clusters, ({ plan, facts }, index) =>
      Effect.gen(function* () {
        const nodes = facts.nodes.map(({ name, addresses }, position) => {
          const localAddress = loopbackAddress(index, 11 + position)
          return {
            name,
            localAddress,
            nextHops: [localAddress, ...addresses.filter((address) => address.includes(":"))]
          }
        })
        const address = loopbackAddress(index, 1)
        const neighbors = nodes.map(({ localAddress }) => ({
          address: localAddress,
          asn: facts.peers[0]?.myAsn ?? 64496,
          families: ["ipv4", "ipv6"] as const,
          passive: true
        }))
        const port = loopbackBgpPort + index
        const router = hasBird
          ? tableView(
              yield* startBird({
                folder: join(folder, `${plan.name}-router`),
                asn: facts.routerAsn,
                address,
                neighbors,
                port
              })
            )
          : yield* collectorView(address, port, facts.routerAsn)
        return { plan, facts, nodes, router } satisfies ClusterSite
      })
    )
    return { kind: "loopback", folder, centreAddress: "127.0.0.1", clusters: sites } satisfies Site
  })

/** The manifests of a cluster as the loopback site needs them: its router elsewhere, over IPv4 alone, and without BFD. */
export const loopbackManifest = (text: string, clusterIndex: number): string =>
  text
    .split(/^---\n/m)
    .map((document) =>
      document.replace(/^( *)peerAddress: \d+\.\d+\.\d+\.\d+$/m, (_line, indent: string) =>
        [
          `${indent}peerAddress: ${loopbackAddress(clusterIndex, 1)}`,
          `${indent}peerPort: ${loopbackBgpPort + clusterIndex}`
        ].join("\n")
      )
    )
    .map((document) => document.replace(/^ *bfdProfile: .*\n/m, "")) // one network namespace has one BFD, and one node
    .filter((document) => !/^ *peerAddress: .*:/m.test(document))
    .join("---\n")

/** What the router's BGP table has for best, where it fills no kernel's. */
const tableView = (router: Router): RouterView => ({
  kind: `${router.kind} (its BGP table)`,
  router,
  nextHops: Effect.map(
    router.routes,
    (routes) =>
      new Map(routes.map(({ prefix, paths }) => [prefix, [...new Set(paths.map(({ nextHop }) => nextHop))].sort()]))
  ),
  updates: totalUpdates(router)
})

/** A BGP listener of our own for a machine without any router: it shows what it learned and forwards nothing. */
const collectorView = (host: string, port: number, localAsn: number) =>
  Effect.gen(function* () {
    const collector = yield* startCollector({
      host,
      port,
      localAsn,
      routerId: host,
      holdTimeSeconds: 90,
      families: [4, 6]
    }).pipe(Effect.mapError((error) => new LabError({ operation: "start the BGP listener", detail: error.message })))
    const nextHops = Effect.sync(() => {
      const found = new Map<string, Set<string>>()
      for (const peer of collector.peers()) {
        for (const route of peer.routes.values()) {
          const text = formatPrefix(route.prefix)
          found.set(text, (found.get(text) ?? new Set()).add(nextHopOf(route)))
        }
      }
      return new Map([...found].map(([prefix, hops]) => [prefix, [...hops].sort()]))
    })
    const updates = Effect.sync(() => collector.peers().reduce((sum, { received }) => sum + (received.Update ?? 0), 0))
    return { kind: "listener", nextHops, updates } satisfies RouterView
  })

/** The next hop that came with a route: NEXT_HOP for IPv4 (RFC 4271 §5.1.3), else that of MP_REACH_NLRI (RFC 4760 §3). */
const nextHopOf = ({ prefix, attributes }: CollectedRoute): string => {
  const plain = findAttribute(attributes, "NextHop")
  if (prefix.address.family === 4 && plain !== undefined) return formatIpAddress(plain.address)
  const reach = findAttribute(attributes, "MpReachNlri")
  return reach === undefined || reach.family === "other" ? "none" : formatIpAddress(reach.nextHop)
}
