import type {
  Finding,
  FleetKind,
  Labels,
  NamespaceObject,
  NodeObject,
  ObjectRef,
  RawObject,
  ServiceObject
} from "../config/index.ts"
import type { ExportState, SegmentState, WireDropState, WireSealState } from "./stream.ts"

/**
 * An order to the allocator. Reports of a cluster's agent say what is so there; carrying one out a second time decides
 * to nothing, so every command may be sent again.
 */
export type Command =
  | RegisterCluster
  | ApplyManifest
  | DeleteManifest
  | ReportFindings
  | ObserveNamespace
  | ForgetNamespace
  | ObserveNode
  | ForgetNode
  | ObserveService
  | ForgetService
  | ObserveServingNodes
  | ObserveInventory
  | ConfirmWithdrawals
  | ExpireQuarantines
  | FinishMoves
  | RetireNode
  | ForceRelease
  | ApplyFleetObject
  | DeleteFleetObject
  | BeginRecovery
  | AdoptVips
  | FinishRecovery
  | RepublishCluster
  | RepublishPart
  | ReleaseAdopted
  | RecordExport
  | SealWireJournal
  | FinaliseFleet
  | ReleaseBrake
  | RecordWireDrop
  | RecordSegment
  | ApproveWithdrawals
  | RejectWithdrawals

/** Names the cluster's network, the routing domain in which its addresses are unique, and what else its own object says. */
export interface RegisterCluster {
  readonly _tag: "RegisterCluster"
  readonly cluster: string
  readonly network: string
  readonly labels?: Labels
  /** Canonical prefixes. */
  readonly allowedPrefixes?: ReadonlyArray<string>
  /** The one class of Services that is served; without it those of no class and of Lowtide's own. */
  readonly loadBalancerClass?: string
}

export interface ApplyManifest {
  readonly _tag: "ApplyManifest"
  readonly cluster: string
  readonly manifest: RawObject
}

export interface DeleteManifest {
  readonly _tag: "DeleteManifest"
  readonly cluster: string
  readonly kind: string
  readonly namespace?: string
  readonly name: string
}

/** What the agent found wrong before the centre could see an object; an empty list says that all is well again. */
export interface ReportFindings {
  readonly _tag: "ReportFindings"
  readonly cluster: string
  readonly object: ObjectRef
  readonly findings: ReadonlyArray<Finding>
  /** What was not taken for these errors, of a configuration object or a Service: the centre says what else is wrong with it. */
  readonly refused?: RawObject
}

export interface ObserveNamespace {
  readonly _tag: "ObserveNamespace"
  readonly cluster: string
  readonly namespace: NamespaceObject
}

export interface ForgetNamespace {
  readonly _tag: "ForgetNamespace"
  readonly cluster: string
  readonly name: string
}

export interface ObserveNode {
  readonly _tag: "ObserveNode"
  readonly cluster: string
  readonly node: NodeObject
}

export interface ForgetNode {
  readonly _tag: "ForgetNode"
  readonly cluster: string
  readonly name: string
}

export interface ObserveService {
  readonly _tag: "ObserveService"
  readonly cluster: string
  readonly service: ServiceObject
  /**
   * What its status says that it has, canonical: it goes on having it when Lowtide does not know of anything that it has,
   * be it a Service that another load balancer served before, or that the log has lost.
   */
  readonly statusAddresses?: ReadonlyArray<string>
}

export interface ForgetService {
  readonly _tag: "ForgetService"
  readonly cluster: string
  readonly namespace: string
  readonly name: string
}

/** The nodes that have a serving endpoint of a Service, sorted; one command per change of the set. */
export interface ObserveServingNodes {
  readonly _tag: "ObserveServingNodes"
  readonly cluster: string
  readonly namespace: string
  readonly name: string
  readonly nodes: ReadonlyArray<string>
}

/** How far the log went: its last event, in the incarnation that it was of. */
export interface LogEnd {
  readonly incarnation: number
  readonly seq: number
}

/**
 * Everything that is there, by kind, after a complete read. What the log has beyond it is gone, unless it came later. An empty
 * list where the log has members deletes nothing: it raises a finding on the cluster (absence never withdraws).
 */
export interface ObserveInventory {
  readonly _tag: "ObserveInventory"
  readonly cluster: string
  /** How far the log went, at the least, before it was read (ADR 67). Not from a centre of an earlier release. */
  readonly asOf?: LogEnd
  /** `namespace/name` */
  readonly services: ReadonlyArray<string>
  readonly nodes: ReadonlyArray<string>
  readonly namespaces: ReadonlyArray<string>
  /** `kind/namespace/name` */
  readonly manifests: ReadonlyArray<string>
  /** Objects that have findings of the agent's own, `kind/namespace/name`. */
  readonly findings: ReadonlyArray<string>
}

/** A node has withdrawn, on every session, everything that intents up to and with `cseq` told it to withdraw. */
export interface ConfirmWithdrawals {
  readonly _tag: "ConfirmWithdrawals"
  readonly cluster: string
  readonly node: string
  readonly cseq: number
}

/** Frees the addresses whose quarantine ended at or before `nowMs` (the database's clock). */
export interface ExpireQuarantines {
  readonly _tag: "ExpireQuarantines"
}

/** Addresses that Services have given up, and what took their place is announced: nothing is broken by withdrawing them. */
export interface FinishMoves {
  readonly _tag: "FinishMoves"
  readonly cluster: string
  readonly moves: ReadonlyArray<{
    readonly namespace: string
    readonly name: string
    readonly address: string
    /** What took its place; absent where nothing of its IP version did. */
    readonly successor?: string
  }>
}

/** The log has lost history: a new incarnation begins, which decides nothing before it has asked who remembers. */
export interface BeginRecovery {
  readonly _tag: "BeginRecovery"
  readonly incarnation: number
  /** What shows the loss. */
  readonly why: string
  /** Where the log ends now. */
  readonly lostAfter: LogEnd
}

/** A VIP as somebody else remembers it, from an intent that the log has lost. */
export interface RememberedVip {
  readonly network: string
  readonly address: string
  readonly state: "announced" | "withdrawn"
  readonly services: ReadonlyArray<{ readonly namespace: string; readonly name: string; readonly uid: string }>
  /** Nodes that may have announced it. */
  readonly obliged: ReadonlyArray<string>
  /** Another cluster remembers the address as well, as its own: neither takes it from the other. */
  readonly beside?: boolean
}

/** Takes over what others remember of a cluster's VIPs. */
export interface AdoptVips {
  readonly _tag: "AdoptVips"
  readonly cluster: string
  readonly vips: ReadonlyArray<RememberedVip>
}

/** Everybody who remembers has been asked, or a person does without the rest: decisions go on. */
export interface FinishRecovery {
  readonly _tag: "FinishRecovery"
  /** Who was not heard. */
  readonly without: ReadonlyArray<string>
}

/** Publishes everything of a cluster anew, under the present incarnation, and settles its Services. */
export interface RepublishCluster {
  readonly _tag: "RepublishCluster"
  readonly cluster: string
  /** What its agent says that there is: the rest goes before anything is given out. */
  readonly inventory: ObserveInventory
}

/** Goes on with publishing anew a cluster that is too large for one batch; settles these Services, `NAMESPACE/NAME`. */
export interface RepublishPart {
  readonly _tag: "RepublishPart"
  readonly cluster: string
  readonly services: ReadonlyArray<string>
}

/** Lets an address go that a recovery reserved and no Service has come back for. */
export interface ReleaseAdopted {
  readonly _tag: "ReleaseAdopted"
  readonly network: string
  readonly address: string
}

/**
 * A person says that a node will never announce again what it announced until now: it is taken as confirmed for all of
 * it. Refused while its Node object is there. Should the node come back, it begins anew.
 */
export interface RetireNode {
  readonly _tag: "RetireNode"
  readonly cluster: string
  readonly node: string
}

/** A person answers for it that an address that is being withdrawn is announced nowhere, whoever has yet to confirm. */
export interface ForceRelease {
  readonly _tag: "ForceRelease"
  readonly network: string
  readonly address: string
}

/** Takes an object of the whole fleet, such as a Reservation. Unlike what an agent observes it is refused when it is wrong. */
export interface ApplyFleetObject {
  readonly _tag: "ApplyFleetObject"
  readonly manifest: RawObject
}

export interface DeleteFleetObject {
  readonly _tag: "DeleteFleetObject"
  readonly kind: FleetKind
  readonly name: string
}

/** Somebody is about to read the log, or a part of it, as a whole. Stored before the first event is handed out. */
export interface RecordExport extends Omit<ExportState, "_tag"> {
  readonly _tag: "RecordExport"
}

/** The wire journal's rows up to one are what they are: seals go on from each other, so one out of turn does nothing. */
export interface SealWireJournal extends Omit<WireSealState, "_tag"> {
  readonly _tag: "SealWireJournal"
}

/** Every process knows the version: from now on what came with it is written and sent, and no older release can lead. */
export interface FinaliseFleet {
  readonly _tag: "FinaliseFleet"
  readonly version: number
  /** Set where the log has just begun, so that nobody has to agree. */
  readonly isFirst?: true
}

/** A person says that what the speakers' brakes hold back is meant: everything of the cluster is said again, as ordered. */
export interface ReleaseBrake {
  readonly _tag: "ReleaseBrake"
  readonly cluster: string
  /** To this node alone. */
  readonly node?: string
}

/** Old rows of the wire journal are about to be removed. Stored before the first of them is. */
export interface RecordWireDrop extends Omit<WireDropState, "_tag"> {
  readonly _tag: "RecordWireDrop"
}

/** A segment of the log was archived, or is in its file alone, or is back. */
export interface RecordSegment extends Omit<SegmentState, "_tag"> {
  readonly _tag: "RecordSegment"
}

/** A second person says that withdrawals beyond the budget are meant. */
export interface ApproveWithdrawals {
  readonly _tag: "ApproveWithdrawals"
  readonly id: string
  /** How often the order had grown when the person looked. */
  readonly revision: number
}

/** A person says that they are not: what is announced stays announced. */
export interface RejectWithdrawals {
  readonly _tag: "RejectWithdrawals"
  readonly id: string
  readonly revision: number
}

/** Who sends a command and why; stored with each event that it causes. */
export interface CommandEnvelope {
  readonly commandId: string
  readonly correlationId: string
  readonly actor: string
  readonly actorKind: "agent" | "speaker" | "system" | "person" | "machine"
  /** Set where nobody checked that the actor is who it says. */
  readonly unauthenticated?: true
  /** The operator's own words, where a person gave any. */
  readonly words?: string
  /** The reporter's clock when the thing was seen, RFC 3339; it may lie. */
  readonly observedAt?: string
  readonly command: Command
}
