import { Result } from "effect"
import type { ClusterConfig, SharedMember } from "../config/index.ts"
import type { DomainEvent, EventType } from "./event.ts"
import { type Feature, featuresSince, newestFleetVersion } from "./fleet-version.ts"
import { judgeAnnounced, judgeCluster } from "./judged.ts"
import type { RowKeeper, WaitingRow } from "./kept-streams.ts"
import { type LoadedVip, LoadedVips } from "./loaded-vips.ts"
import {
  type ClusterMemory,
  emptyCluster,
  emptyNetwork,
  forgetJudged,
  type NetworkMemory,
  putCluster
} from "./memory.ts"
import { indexChangedVip, indexLoadedVip, putReservation, putSharedAddress } from "./occupied.ts"
import { isKnown, readEvent, readState } from "./state-shapes.ts"
import type { StoredPayload, Unreadable } from "./stored.ts"
import type {
  AddressPoolState,
  ApprovalState,
  BrakeState,
  ExportState,
  FindingsState,
  FleetSettingsState,
  Holder,
  KeptState,
  ManifestState,
  NamespaceState,
  NodeState,
  QuotaState,
  RecoveryState,
  ReservationState,
  RoutesTakenState,
  SegmentState,
  ServiceState,
  SharedAddressState,
  StreamState,
  VipState,
  WireDropState,
  WireSealState
} from "./stream.ts"
import { streamOf } from "./stream.ts"
import { type LoadedVersion, StreamVersions } from "./stream-versions.ts"
import { countHeldIn } from "./vip-index.ts"
import {
  type IndexedVip,
  indexedOf,
  indexedPart,
  type LoadedState,
  mayWait,
  mayWaitAfter,
  WaitingStates,
  waitingVip
} from "./waiting-states.ts"

export type { ClusterMemory, NetworkMemory } from "./memory.ts"

/** An event of the log, as far as it changes the state: of either its state after or its data the text, JSON, and the other null. */
export interface LoggedEvent extends Omit<StoredPayload, "data">, LoadedVersion {
  readonly after: string | null
  readonly data: string | null
}

/**
 * The fleet in memory: the newest state of every stream, and indexes over them. It belongs to one writer; `apply` is the
 * only way in, used alike for an event just decided and for a row loaded at start.
 */
export class Fleet {
  /** What may be written and sent: the version that was finalised last. A fleet that begins has the newest. */
  fleetVersion: number = newestFleetVersion
  readonly clusters = new Map<string, ClusterMemory>()
  readonly networks = new Map<string, NetworkMemory>()
  readonly vips = new WaitingStates<VipState>()
  /** By their names. */
  readonly reservations = new Map<string, ReservationState>()
  readonly quotas = new Map<string, QuotaState>()
  /** The fleet's own pools, by their names. */
  readonly addressPools = new Map<string, AddressPoolState>()
  /** Addresses of several clusters, by the names of the objects that say so. */
  readonly sharedAddresses = new Map<string, SharedAddressState>()
  /** The same by their members, `cluster/namespace/name`. */
  readonly sharedOf = new Map<string, Set<SharedAddressState>>()
  readonly versions = new StreamVersions()
  /** VIPs whose withdrawal is not confirmed by all, and VIPs in quarantine, by stream. */
  readonly withdrawing = new Set<string>()
  readonly quarantined = new Set<string>()
  readonly #loaded = new LoadedVips()
  /** The last loss of history; undefined when there never was one. */
  recovery: RecoveryState | undefined
  /** The last reading of the log as a whole, and the last seal of the wire journal. */
  lastExport: ExportState | null = null
  wireSeal: WireSealState | null = null
  /** The last release of the speakers' brakes, by cluster. */
  readonly brakes = new Map<string, BrakeState>()
  /** The last removal of old rows of the wire journal. */
  wireDrop: WireDropState | null = null
  /** Segments of the log that were archived, by their first seq. */
  readonly segments = new Map<number, SegmentState>()
  /** What a Fleet object says. */
  settings: FleetSettingsState | undefined
  /** Withdrawals beyond the budget, by their orders' ids, carried out or not. */
  readonly approvals = new Map<string, ApprovalState>()
  /** Streams of the VIPs that an order would withdraw, of orders that would withdraw any. */
  readonly heldBy = new Map<string, Set<string>>()

  cluster(name: string): ClusterMemory {
    let cluster = this.clusters.get(name)
    if (cluster === undefined) {
      cluster = emptyCluster(name)
      this.clusters.set(name, cluster)
    }
    return cluster
  }

  /** Clusters by their names: what is left goes to the first that waits, whoever was loaded first. */
  get clustersByName(): ReadonlyArray<ClusterMemory> {
    return [...this.clusters.values()].sort((left, right) => (left.name < right.name ? -1 : 1))
  }

  network(name: string): NetworkMemory {
    let network = this.networks.get(name)
    if (network === undefined) {
      network = emptyNetwork()
      this.networks.set(name, network)
    }
    return network
  }

  /**
   * An address of the network, as a cluster sees it where one is named: of a shared address its own part, or that which it had
   * before it was shared.
   */
  vip(network: string, address: string, cluster?: string): VipState | undefined {
    const plain = this.vips.get(streamOf.vip(network, address))
    if (cluster === undefined) return plain
    const own = this.vips.get(streamOf.vip(network, address, cluster))
    if (own !== undefined && own.phase !== "free") return own
    if (plain !== undefined && plain.phase !== "free" && plain.cluster === cluster) return plain
    return this.memberOf(network, address, cluster) === undefined ? plain : own
  }

  /** What is indexed of a VIP: for who goes through many of them, since of most that is read from a text. */
  indexedVip(stream: string): IndexedVip | undefined {
    const text = this.vips.textOf(stream)
    return (text === undefined ? undefined : indexedOf(text)) ?? this.vips.get(stream)
  }

  /** Everything that is known of an address of the network: more than one only of what is, or was, shared by clusters. */
  vipsAt(network: string, address: string): ReadonlyArray<VipState> {
    const members = this.networks.get(network)?.memberStreams.get(address) ?? []
    return [streamOf.vip(network, address), ...members].flatMap((stream) => this.vips.get(stream) ?? [])
  }

  /** The cluster's member of a shared address. */
  memberOf(network: string, address: string, cluster: string): SharedMember | undefined {
    return this.networks
      .get(network)
      ?.shared.get(address)
      ?.shared.members.find((member) => member.cluster === cluster)
  }

  /**
   * Whether nothing may be given, taken or published in the cluster, since history was lost and what remembers it has not
   * been asked: until all of the fleet was, and until the cluster itself was published anew.
   */
  isFrozen(cluster: ClusterMemory): boolean {
    const { recovery } = this
    return recovery !== undefined && (recovery.phase === "recovering" || cluster.incarnation < recovery.incarnation)
  }

  /** The cluster's VIPs whose holders have this sharing key. */
  sharedVips(cluster: ClusterMemory, sharingKey: string): ReadonlyArray<VipState> {
    return [...(cluster.sharing.get(sharingKey) ?? [])].flatMap((stream) => this.vips.get(stream) ?? [])
  }

  /** The cluster's configuration as judged across all its manifests. */
  config(cluster: ClusterMemory): ClusterConfig {
    cluster.config ??= judgeCluster(this, cluster).config
    return cluster.config
  }

  /** The configuration by which routes are announced: with the versions that stay until somebody approves what came instead. */
  announced(cluster: ClusterMemory): ClusterConfig {
    if (cluster.kept.size === 0) return this.config(cluster)
    cluster.announced ??= judgeAnnounced(this, cluster, cluster.kept).config
    return cluster.announced
  }

  /** Whether a feature is on. */
  allows(feature: Feature): boolean {
    return featuresSince[feature] <= this.fleetVersion
  }

  /**
   * An event just decided, or read from the log. Never fails: what an event says is so. What was before is known, and is looked
   * at only where nothing comes after.
   */
  apply(event: DomainEvent): void {
    this.versions.set(event.stream, (this.versions.get(event.stream) ?? 0) + 1)
    this.#put(event.stream, event.before, event.after)
  }

  /**
   * An event of the log, as it is stored; what of it cannot be read. A state after it that its text says enough of is parsed when
   * it is asked for.
   */
  applyStored(event: LoggedEvent): Unreadable | undefined {
    const { stream, seq, type, schema, after } = event
    const tag = after === null || !isKnown(type, schema) ? undefined : mayWaitAfter(type as EventType, schema, after)
    if (after === null || tag === undefined) {
      const change = readEvent({ ...event, data: event.data ?? `{"before":null,"after":${after}}` })
      if (Result.isFailure(change)) return change.failure
      this.#put(stream, change.success.before, change.success.after)
    } else if (tag === "Vip") this.#putPlainVip(stream, { seq, stream, schema, state: after })
    else this.#putServed(stream, { seq, stream, schema, state: after })
    this.versions.setLoaded(stream, event)
    return undefined
  }

  /**
   * A loaded row that is kept where it is: a Service that is served, or a VIP that one Service has, whose state is parsed when it
   * is asked for. False of any other, which `restoreStored` is for.
   */
  keepStored(row: LoadedState & LoadedVersion, { streams, keep }: RowKeeper): boolean {
    const { stream } = row
    if (mayWait(row)) {
      this.cluster(clusterOf(stream)).services.keep(streams, keep())
    } else {
      const vip = waitingVip(row)
      if (vip === undefined) return false
      const place = keep()
      this.vips.keep(streams, place)
      this.#indexLoaded(stream, vip, { streams, row: place })
    }
    this.versions.keepIn(streams)
    return true
  }

  /** A stream's newest state, as it is stored; what of it cannot be read. */
  restoreStored(row: LoadedState & LoadedVersion): Unreadable | undefined {
    const { stream, seq, version, recordedAt } = row
    const read = readState(row)
    if (Result.isFailure(read)) return read.failure
    const state = read.success
    if (state?._tag === "Vip") {
      this.vips.set(stream, state)
      this.#indexLoaded(stream, state, { seq, stream, vip: state })
    } else if (state !== null) this.#put(stream, null, state)
    this.versions.setLoaded(stream, { version, seq, recordedAt })
    return undefined
  }

  /**
   * Addresses that Services of the cluster, or of one namespace of it, hold, with how many hold each. Counted when a quota first
   * asks, and kept from then on.
   */
  heldIn(cluster: ClusterMemory, namespace: string | null): ReadonlyMap<string, number> {
    const counts = cluster.heldIn.get(namespace ?? "")
    return counts ?? countHeldIn(this, cluster, namespace ?? "")
  }

  /** A stream's newest state. */
  restore(stream: string, version: number, state: StreamState | null): void {
    this.versions.set(stream, version)
    if (state !== null) this.#put(stream, null, state)
  }

  #put(stream: string, before: StreamState | null, after: StreamState | null): void {
    const state = after ?? before
    if (state === null) return
    switch (state._tag) {
      case "Vip":
        return this.#putVip(stream, after === null ? undefined : (after as VipState))
      case "Service":
        return this.#putService(state.cluster, stream, after as ServiceState | null)
      case "Node":
        forgetJudged(this.cluster(state.cluster))
        return put(this.cluster(state.cluster).nodes, nameOf(stream), after as NodeState | null)
      case "Namespace":
        return put(this.cluster(state.cluster).namespaces, nameOf(stream), after as NamespaceState | null)
      case "Manifest":
        return this.#putManifest(this.cluster(state.cluster), nameOf(stream), after as ManifestState | null)
      case "Findings":
        return putFindings(this.cluster(state.cluster), nameOf(stream), after as FindingsState | null)
      case "Cluster":
        return putCluster(this.cluster(state.cluster), state)
      case "Recovery":
        this.recovery = after as RecoveryState
        return
      case "Reservation":
        return putReservation(this, this.reservations.get(state.name), after as ReservationState | null)
      case "Quota":
        return put(this.quotas, state.quota.name, after as QuotaState | null)
      case "AddressPool":
        for (const cluster of this.clusters.values()) forgetJudged(cluster)
        return put(this.addressPools, state.pool.name, after as AddressPoolState | null)
      case "SharedAddress":
        return putSharedAddress(this, this.sharedAddresses.get(state.shared.name), after as SharedAddressState | null)
      case "Export":
        this.lastExport = state
        return
      case "WireSeal":
        this.wireSeal = state
        return
      case "FleetVersion":
        this.fleetVersion = state.version
        return
      case "Brake":
        return put(this.brakes, state.cluster, after as BrakeState | null)
      case "WireDrop":
        this.wireDrop = state
        return
      case "Segment":
        this.segments.set(state.fromSeq, state)
        return
      case "FleetSettings":
        this.settings = (after as FleetSettingsState | null) ?? undefined
        return
      case "Approval":
        return put(this.approvals, state.id, after as ApprovalState | null)
      case "Kept":
        forgetJudged(this.cluster(state.cluster))
        return put(this.cluster(state.cluster).kept, nameOf(stream), after as KeptState | null)
      case "RoutesTaken":
        this.cluster(state.cluster).routesTaken = (after as RoutesTakenState | null) ?? undefined
        return
    }
  }

  #putManifest(cluster: ClusterMemory, key: string, after: ManifestState | null): void {
    forgetJudged(cluster)
    put(cluster.manifests, key, after)
    if (after?.retired === true) cluster.retired.add(key)
    else cluster.retired.delete(key)
  }

  #putService(clusterName: string, stream: string, after: ServiceState | null): void {
    const cluster = this.cluster(clusterName)
    const key = nameOf(stream)
    put(cluster.services, key, after)
    if (after !== null && after.refusal !== null) cluster.unserved.add(key)
    else cluster.unserved.delete(key)
    if (after?.service.ipFamilyPolicy === "PreferDualStack") cluster.preferring.add(key)
    else cluster.preferring.delete(key)
  }

  /** A Service that has what it asks for, and asks for nothing else. */
  #putServed(stream: string, row: WaitingRow): void {
    const cluster = this.cluster(clusterOf(stream))
    const key = nameOf(stream)
    cluster.services.setLater(key, row)
    cluster.unserved.delete(key)
    cluster.preferring.delete(key)
  }

  /** A VIP of which nothing was known. */
  #indexLoaded(stream: string, vip: IndexedVip, loaded: LoadedVip): void {
    indexLoadedVip(this, stream, vip)
    this.#loaded.add(this.cluster(vip.cluster), loaded)
  }

  #putVip(stream: string, after: VipState | undefined): void {
    const before = this.indexedVip(stream)
    if (after === undefined) this.vips.delete(stream)
    else this.vips.set(stream, after)
    indexChangedVip(this, stream, before, after)
  }

  /** One that a Service has, and nothing else to say of it. Mostly what is indexed of it is what it was before. */
  #putPlainVip(stream: string, row: WaitingRow): void {
    const text = this.vips.textOf(stream)
    const isSame = text !== undefined && indexedPart(text) === indexedPart(row.state)
    const before = isSame ? undefined : this.indexedVip(stream)
    this.vips.setLater(stream, row)
    if (!isSame) indexChangedVip(this, stream, before, indexedOf(row.state))
  }
}

/** Whether a holder was taken over after a loss of history and nobody has seen its Service since. */
export const isUnseen = (
  { services }: Pick<ClusterMemory, "services">,
  { namespace, name, adopted }: Pick<Holder, "namespace" | "name" | "adopted">
): boolean => adopted === true && !services.has(`${namespace}/${name}`)

/** Whether a VIP is kept, and left as speakers hold it, for a Service that nobody has seen since a loss of history. */
export const isReserved = (cluster: Pick<ClusterMemory, "services">, { holders }: Pick<VipState, "holders">): boolean =>
  holders.some((holder) => isUnseen(cluster, holder))

/** The name part of a stream: what follows the cluster. */
const clusterOf = (stream: string): string => stream.slice(stream.indexOf(":") + 1, stream.indexOf("/"))

const nameOf = (stream: string): string => stream.slice(stream.indexOf("/") + 1)

const putFindings = (cluster: ClusterMemory, key: string, after: FindingsState | null): void => {
  put(cluster.findings, key, after)
  if (after?.held === undefined) cluster.waiting.delete(key)
  else cluster.waiting.add(key)
}

const put = <State>(map: Map<string, State>, key: string, state: State | null): void => {
  if (state === null) map.delete(key)
  else map.set(key, state)
}
