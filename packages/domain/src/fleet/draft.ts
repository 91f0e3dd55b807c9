import type { ClusterConfig, Finding } from "../config/index.ts"
import type { DomainEvent } from "./event.ts"
import type { ClusterMemory, Fleet } from "./fleet.ts"
import { sinceOfEvent } from "./fleet-version.ts"
import type { AddressPoolState, ManifestState, VipState } from "./stream.ts"

/** What a decision may know beside the fleet: all of it comes in, so that the same input decides the same. */
export interface DecisionContext {
  /** The database's clock, milliseconds since 1970. */
  readonly nowMs: number
  /** When the newest event of a stream was written, by the same clock; undefined where the log does not say. */
  readonly recordedAtMs?: (stream: string) => number | undefined
  /** Where the log is. Without it everything in it counts as old. */
  readonly log?: {
    readonly incarnation: number
    /** Seq of a stream's newest event; undefined of one that is decided and not written yet. */
    readonly seqOf: (stream: string) => number | undefined
  }
  /** Who orders it, where it matters who else does. */
  readonly actor?: string
  /** Nodes that may have announced the VIP since its last confirmed withdrawal. */
  readonly obligedOf: (cluster: string, address: string) => ReadonlyArray<string>
  /** Whether the node has confirmed the VIP's withdrawal. */
  readonly hasConfirmed: (cluster: string, node: string, address: string) => boolean
}

/** The nodes that have yet to confirm that they withdrew the VIP. */
export const awaitedNodes = (context: Pick<DecisionContext, "hasConfirmed">, vip: VipState): ReadonlyArray<string> =>
  vip.phase === "withdrawing" ? vip.obliged.filter((node) => !context.hasConfirmed(vip.cluster, node, vip.address)) : []

/** The clusters whose routes an event may take by configuration. A new object takes none, but may cover what others do. */
const reconfigured = (fleet: Fleet, { before, after }: DomainEvent): ReadonlyArray<ClusterMemory> => {
  if (before?._tag === "AddressPool" || after?._tag === "AddressPool") {
    const { name } = ((after ?? before) as AddressPoolState).pool
    return [...fleet.clusters.values()].filter(({ heldOf }) => heldOf.has(name))
  }
  if (before?._tag !== "Manifest" && after?._tag !== "Manifest") return []
  const cluster = fleet.cluster(((after ?? before) as ManifestState).cluster)
  return before === null && cluster.kept.size === 0 ? [] : [cluster]
}

/** One command being decided: every event is applied at once, so that what follows sees it. */
export class Draft {
  readonly events: Array<DomainEvent> = []
  /** Why the command is not carried out; nothing was emitted then. */
  rejection: Finding | undefined
  /** The orders that withdrawals of this command joined, by cluster: they wait for a second person. */
  readonly held = new Map<string, string>()
  /** By which configuration the routes of a cluster went before the command's first change of it. */
  readonly announcedBefore = new Map<string, ClusterConfig>()
  readonly fleet: Fleet
  readonly context: DecisionContext

  constructor(fleet: Fleet, context: DecisionContext) {
    this.fleet = fleet
    this.context = context
  }

  /** What came with a version that is not finalised is asked for before: an event of it is a defect of ours. */
  emit(event: DomainEvent): void {
    for (const cluster of reconfigured(this.fleet, event)) {
      if (!this.announcedBefore.has(cluster.name)) this.announcedBefore.set(cluster.name, this.fleet.announced(cluster))
    }
    this.fleet.apply(event)
    const since = sinceOfEvent(event.type)
    if (since > this.fleet.fleetVersion) {
      throw new Error(
        `expected no ${event.type} before fleet version ${since}, found version ${this.fleet.fleetVersion}`
      )
    }
    this.events.push(event)
  }

  /** Says no to the whole command. Only before its first event: what was emitted is applied. */
  refuse(rejection: Finding): void {
    if (this.events.length > 0) throw new Error(`expected a refusal before any event, found ${this.events.length}`)
    this.rejection = rejection
  }

  /** Whether history was lost and nothing may be given or taken anywhere yet. */
  isFrozen(): boolean {
    return this.fleet.recovery?.phase === "recovering"
  }

  /** The cluster, which a command may be the first to name. */
  cluster(name: string): ClusterMemory {
    return this.fleet.cluster(name)
  }
}
