import { AddressSet } from "../allocation/address-set.ts"
import type { RouteLoss } from "../announcing/routeless.ts"
import type { ClusterConfig, Labels } from "../config/index.ts"
import { ReleaseTimes } from "./release-times.ts"
import type {
  ClusterState,
  FindingsState,
  KeptState,
  ManifestState,
  NamespaceState,
  NodeState,
  ReservationState,
  RoutesTakenState,
  ServiceState,
  SharedAddressState
} from "./stream.ts"
import { WaitingStates } from "./waiting-states.ts"

/** One cluster as the log knows it. */
export interface ClusterMemory {
  readonly name: string
  network: string
  labels: Labels
  /** Canonical prefixes; empty when there is no limit. */
  allowedPrefixes: ReadonlyArray<string>
  loadBalancerClass: string | undefined
  /** In which everything of it was published last; 0 while history was never lost. */
  incarnation: number
  readonly services: WaitingStates<ServiceState>
  readonly nodes: Map<string, NodeState>
  readonly namespaces: Map<string, NamespaceState>
  readonly manifests: Map<string, ManifestState>
  /** Those of them that are retired pools. */
  readonly retired: Set<string>
  /** By their objects: versions that stay in effect for routes, since what came instead waits for a second person. */
  readonly kept: Map<string, KeptState>
  readonly findings: Map<string, FindingsState>
  /** Those of them whose objects have a change that is held. */
  readonly waiting: Set<string>
  /** Addresses by holder, `namespace/name`, in the order in which they were given. */
  readonly addressesOf: Map<string, Array<string>>
  /** The same of those that they give up, and that are announced until others are in their place. */
  readonly movingOf: Map<string, Array<string>>
  /** Streams of the VIPs that are not free, whatever their phase. */
  readonly vips: Set<string>
  /**
   * Has these three filled, an entry a turn, when one of them is first asked about: a load has a hundred thousand VIPs, and few
   * are asked about.
   */
  readonly fillLater: (fill: (indexes: HolderIndexes) => Iterator<void>) => void
  /** Takes up to so many turns of that before anybody asks. Answers whether any are left. */
  readonly fillSome: (turns: number) => boolean
  /** How many of them are assigned. */
  assignedCount: number
  /** Releases that the budget counts. */
  readonly releases: ReleaseTimes
  /** What configuration has taken of the budget; undefined while it never took any. */
  routesTaken: RoutesTakenState | undefined
  /** Streams of assigned VIPs by sharing key. */
  readonly sharing: Map<string, Set<string>>
  /** What `Fleet.heldIn` was asked for: of the whole cluster under "", and by namespace. */
  readonly heldIn: Map<string, Map<string, number>>
  /** How many addresses its Services hold of each pool, by the pool that is recorded with the address. */
  readonly heldOf: Map<string, number>
  /** Reservations for its Services, by their names. */
  readonly reservations: Map<string, ReservationState>
  /** Services that want an address they do not have. */
  readonly unserved: Set<string>
  /** Services that would take an address of the other IP version as well, whether they have it or not. */
  readonly preferring: Set<string>
  /** The judged configuration; dropped by every change of a manifest or a node and judged again when asked for. */
  config: ClusterConfig | undefined
  /** The same as far as routes go by it, while that is something else. */
  announced: ClusterConfig | undefined
  /**
   * By order, the addresses that would have no route without the versions it lets go: kept by who decides, from one command to
   * the next, for as long as the configuration is the same.
   */
  routeless: Map<string, { readonly loss: RouteLoss; readonly streams: Set<string> }> | undefined
}

export type HolderIndexes = Pick<ClusterMemory, "addressesOf" | "movingOf" | "vips">

/** What addresses of one network may not be given out, and which ones somebody may want back. */
export interface NetworkMemory {
  /** Assigned, withdrawing, quarantined or reserved. */
  readonly taken: AddressSet
  /** All of those, and the free ones that remember a last holder: new holders are given others while there are any. */
  readonly remembered: AddressSet
  /** The free address that a Service held last, by `cluster/namespace/name` and family. */
  readonly lastHeld: Map<string, Set<string>>
  /** Shared addresses by their addresses. */
  readonly shared: Map<string, SharedAddressState>
  /** Streams of the parts that clusters have, or had, in shared addresses, by address. */
  readonly memberStreams: Map<string, Set<string>>
  /** Reservations by their addresses. */
  readonly reserved: Map<string, ReservationState>
}

/** A cluster of which nothing is known but its name. */
export const emptyCluster = (name: string): ClusterMemory => {
  const indexes: HolderIndexes = { addressesOf: new Map(), movingOf: new Map(), vips: new Set() }
  let waiting: ((indexes: HolderIndexes) => Iterator<void>) | undefined
  let filling: Iterator<void> | undefined
  const fillSome = (turns: number): boolean => {
    filling ??= waiting?.(indexes)
    waiting = undefined
    if (filling === undefined) return false
    for (let turn = 0; turn < turns; turn++) {
      if (filling.next().done !== true) continue
      filling = undefined
      return false
    }
    return true
  }
  const filled = (): HolderIndexes => {
    fillSome(Number.POSITIVE_INFINITY)
    return indexes
  }
  return {
    name,
    network: "default",
    labels: {},
    allowedPrefixes: [],
    loadBalancerClass: undefined,
    incarnation: 0,
    services: new WaitingStates(`service:${name}/`),
    nodes: new Map(),
    namespaces: new Map(),
    manifests: new Map(),
    retired: new Set(),
    kept: new Map(),
    findings: new Map(),
    waiting: new Set(),
    get addressesOf() {
      return filled().addressesOf
    },
    get movingOf() {
      return filled().movingOf
    },
    get vips() {
      return filled().vips
    },
    fillLater: (fill) => {
      filled()
      waiting = fill
    },
    fillSome,
    assignedCount: 0,
    releases: new ReleaseTimes(),
    routesTaken: undefined,
    sharing: new Map(),
    heldIn: new Map(),
    heldOf: new Map(),
    reservations: new Map(),
    unserved: new Set(),
    preferring: new Set(),
    config: undefined,
    announced: undefined,
    routeless: undefined
  }
}

/** A network of which no address is known. */
export const emptyNetwork = (): NetworkMemory => ({
  taken: new AddressSet(),
  remembered: new AddressSet(),
  lastHeld: new Map(),
  shared: new Map(),
  memberStreams: new Map(),
  reserved: new Map()
})

/** What the log has of a cluster itself; labels in the order of their names, so that equal ones are equal texts. */
export const clusterState = ({
  name,
  network,
  labels,
  allowedPrefixes,
  loadBalancerClass,
  incarnation
}: Pick<
  ClusterMemory,
  "name" | "network" | "labels" | "allowedPrefixes" | "loadBalancerClass" | "incarnation"
>): ClusterState => ({
  ...{ _tag: "Cluster", cluster: name, network },
  ...(Object.keys(labels).length === 0 ? {} : { labels: Object.fromEntries(Object.entries(labels).sort()) }),
  ...(allowedPrefixes.length === 0 ? {} : { allowedPrefixes }),
  ...(loadBalancerClass === undefined ? {} : { loadBalancerClass }),
  ...(incarnation === 0 ? {} : { incarnation })
})

/** Takes into memory what the log has of the cluster itself. */
export const putCluster = (cluster: ClusterMemory, state: ClusterState): void => {
  cluster.network = state.network
  cluster.labels = state.labels ?? {}
  cluster.allowedPrefixes = state.allowedPrefixes ?? []
  cluster.loadBalancerClass = state.loadBalancerClass
  cluster.incarnation = state.incarnation ?? 0
  forgetJudged(cluster)
}

/** Its objects, or what they are judged by, are others: they are judged again when asked for. */
export const forgetJudged = (cluster: ClusterMemory): void => {
  cluster.config = undefined
  cluster.announced = undefined
  cluster.routeless = undefined
}
