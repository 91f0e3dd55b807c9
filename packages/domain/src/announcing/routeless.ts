import type { Advertisement, ClusterConfig } from "../config/index.ts"
import type { ClusterMemory, Fleet } from "../fleet/fleet.ts"
import type { NodeState, ServiceState } from "../fleet/stream.ts"
import { carries, coveredServices, coversPool, peersOf, presentNodes, servicesOf } from "./resolve.ts"

/** A configuration of a cluster and one that takes its place. */
export interface ConfigChange {
  readonly before: ClusterConfig
  readonly after: ClusterConfig
}

/**
 * What some node announces to some peer by one configuration and none by the next, the nodes being as they are; what nodes
 * would announce that are away just now included, since what a change takes is not less for that. It is asked of what
 * distinguishes addresses, pool and labels, and not of each by itself; and of none where as much is covered as before.
 */
export class RouteLoss {
  readonly #steps: ReadonlyArray<{ readonly before: Coverage; readonly after: Coverage }>
  readonly #isByLabels: boolean
  readonly #isLostOf = new Map<string, boolean>()

  constructor(cluster: ClusterMemory, change: ConfigChange) {
    this.#steps = nodeSets(cluster)
      .map((nodes) => ({ before: new Coverage(change.before, nodes), after: new Coverage(change.after, nodes) }))
      .filter(({ before, after }) => !after.includes(before))
    this.#isByLabels = this.#steps.some(({ before, after }) => before.isByLabels || after.isByLabels)
  }

  /**
   * Streams of the addresses of a cluster of which a Service loses its last route by it: another one's may be announced only
   * while that one serves. Of some of them, where some are given.
   */
  streams(fleet: Fleet, cluster: ClusterMemory, some: Iterable<string> = cluster.vips): ReadonlyArray<string> {
    if (this.#steps.length === 0) return []
    return [...some].filter((stream) => {
      const vip = fleet.vips.get(stream)
      return vip?.phase === "assigned" && this.#loses(vip.pool, servicesOf(cluster, vip))
    })
  }

  #loses(pool: string, services: ReadonlyArray<ServiceState>): boolean {
    if (services.length === 0) return false
    const kind = this.#isByLabels ? JSON.stringify([pool, services.map(({ service }) => service.labels)]) : pool
    const known = this.#isLostOf.get(kind)
    if (known !== undefined) return known
    const isLost = this.#steps.some(({ before, after }) =>
      services.some((service) => before.covers(pool, service) && !after.covers(pool, service))
    )
    this.#isLostOf.set(kind, isLost)
    return isLost
  }
}

/** The nodes that are there; and, where some are away that nobody has retired, all of them. */
const nodeSets = (cluster: ClusterMemory): ReadonlyArray<ReadonlyArray<NodeState>> => {
  const present = presentNodes(cluster)
  const known = [...cluster.nodes.values()].filter(({ present, retired }) => present || retired !== true)
  return known.length === present.length ? [present] : [present, known]
}

/** What a configuration has announced: by Advertisements that some node can carry to some peer. */
class Coverage {
  readonly #advertisements: ReadonlyArray<Advertisement>
  readonly #labelsOf: ReadonlyMap<string, Readonly<Record<string, string>>>
  readonly #scopes: ReadonlySet<string>

  constructor(config: ClusterConfig, nodes: ReadonlyArray<NodeState>) {
    this.#advertisements = config.advertisements.filter((advertisement) => {
      const peers = peersOf(config, advertisement)
      return nodes.some(({ node }) => carries(node, { advertisement, peers }))
    })
    this.#labelsOf = new Map(config.pools.map(({ name, labels }) => [name, labels]))
    this.#scopes = new Set(this.#advertisements.map(scopeOf))
  }

  /** Whether what a Service's labels are makes a difference. */
  get isByLabels(): boolean {
    return this.#advertisements.some(({ serviceSelectors }) => serviceSelectors.length > 0)
  }

  covers(pool: string, service: ServiceState): boolean {
    const labels = this.#labelsOf.get(pool) ?? {}
    return this.#advertisements.some(
      (advertisement) => coversPool(advertisement, pool, labels) && coveredServices(advertisement, [service]).length > 0
    )
  }

  /** Whether all of the other's scopes are among its own, of pools with the same labels; there may be more that it covers. */
  includes(other: Coverage): boolean {
    const areSame = [...other.#labelsOf].every(
      ([pool, labels]) => JSON.stringify(labels) === JSON.stringify(this.#labelsOf.get(pool))
    )
    return areSame && [...other.#scopes].every((scope) => this.#scopes.has(scope))
  }
}

/** What of an Advertisement says which addresses it is for. */
const scopeOf = ({ pools, poolSelectors, serviceSelectors }: Advertisement): string =>
  JSON.stringify([pools, poolSelectors, serviceSelectors])
