import type {
  Finding,
  FleetPool,
  Labels,
  NamespaceObject,
  NodeObject,
  ObjectRef,
  RawObject,
  ServiceObject,
  SharedAddress
} from "../config/index.ts"

/**
 * The log is split into streams, one for each thing that changes. An event states the whole new state of its stream, so
 * the newest event of every stream is the state of the fleet: loading it is no replay, and replaying gives the same.
 */
export type StreamState =
  | VipState
  | ServiceState
  | NodeState
  | NamespaceState
  | ManifestState
  | FindingsState
  | ClusterState
  | ReservationState
  | QuotaState
  | AddressPoolState
  | SharedAddressState
  | RecoveryState
  | ExportState
  | WireSealState
  | FleetVersionState
  | BrakeState
  | WireDropState
  | SegmentState
  | FleetSettingsState
  | ApprovalState
  | KeptState
  | RoutesTakenState

/** Who holds a VIP: one Service, or several that share it. */
export interface Holder {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  /** The sharing key, empty when the Service does not share. */
  readonly sharingKey: string
  /** `TCP/443` and so on: what two Services that share must not have in common. */
  readonly ports: ReadonlyArray<string>
  /** What must be equal between Services that share: `Local` and the selector under policy Local, empty under Cluster. */
  readonly backendKey: string
  /**
   * Taken over from what speakers or a status said after the log had lost history: its ports and key are not known until
   * the Service is seen again. While nobody sees it, it reserves the address.
   */
  readonly adopted?: true
  /** It has another address by now, and gives this one up as soon as routers have that. */
  readonly leaving?: true
}

/** The life of an address once it was given out. `free` remembers the last holder, who gets it back on return. */
export interface VipState {
  readonly _tag: "Vip"
  /** Set on the part that one cluster has in a shared address: a stream of its own beside those of the others. */
  readonly member?: true
  readonly network: string
  readonly address: string
  readonly pool: string
  readonly cluster: string
  readonly phase: "assigned" | "withdrawing" | "quarantined" | "free"
  readonly holders: ReadonlyArray<Holder>
  /** `namespace/name` of the Services that held it last. */
  readonly lastHolders: ReadonlyArray<string>
  /** Nodes that have to confirm the withdrawal before anyone else may have the address; empty unless withdrawing. */
  readonly obliged: ReadonlyArray<string>
  /**
   * How long it rests once it is withdrawn, as its pool had it at the release; absent while it is held or free, and where
   * the pool says nothing. Kept here, since the pool may be gone by then.
   */
  readonly quarantineMs?: number
  /** When the quarantine ends, in milliseconds since 1970 by the database's clock; null unless quarantined. */
  readonly quarantineEndMs: number | null
  /** When it was released by command, the database's clock, as long as the budget counts it; the last time. */
  readonly releasedAtMs?: number
  /** Its last holder is gone, and its withdrawal waits for a second person: who that was, and the order. */
  readonly heldRelease?: { readonly order: string; readonly service?: ServiceObject }
}

export interface ServiceState {
  readonly _tag: "Service"
  readonly cluster: string
  readonly service: ServiceObject
  /** Nodes with a serving endpoint of the Service, sorted. */
  readonly servingNodes: ReadonlyArray<string>
  /** Why it has no address, or not the one it asks for; null when it has what it asks for. */
  readonly refusal: Finding | null
}

export interface NodeState {
  readonly _tag: "Node"
  readonly cluster: string
  readonly node: NodeObject
  /** False once the Node object is gone: a vanished node confirms nothing. */
  readonly present: boolean
  /** A person said that it will not announce again what it announced; over when the Node object is back. */
  readonly retired?: true
}

export interface NamespaceState {
  readonly _tag: "Namespace"
  readonly cluster: string
  readonly namespace: NamespaceObject
}

/** A configuration object as its author wrote it, in the last version without errors; what it means is `judge`'s to say. */
export interface ManifestState {
  readonly _tag: "Manifest"
  readonly cluster: string
  readonly manifest: RawObject
  /** Counts the objects of a cluster as they first came: of two that contradict each other the older one stays. */
  readonly ordinal: number
  /** Set on a pool that was deleted while Services held addresses of it: it gives out none, until the last is released. */
  readonly retired?: true
}

/** What is wrong with one object; the stream ends when nothing is. */
export interface FindingsState {
  readonly _tag: "Findings"
  readonly cluster: string
  readonly object: ObjectRef
  /** The agent's own first, then what the centre found. */
  readonly findings: ReadonlyArray<Finding>
  /** How many of them are the agent's. */
  readonly reportedCount: number
  /** The version of a configuration object or Service that was not taken for its errors, for what else is wrong with it beside the others. */
  readonly refused?: RawObject
  /** The version that is held, since objects in effect would be invalid by it: it is made as soon as none would. */
  readonly held?: RawObject
}

export interface ClusterState {
  readonly _tag: "Cluster"
  readonly cluster: string
  readonly network: string
  /** Its own labels; missing where it has none. */
  readonly labels?: Labels
  /** Canonical prefixes; missing where its manifest sets no limit. */
  readonly allowedPrefixes?: ReadonlyArray<string>
  /** The one class of Services that is served; missing where its manifest names none. */
  readonly loadBalancerClass?: string
  /** The incarnation in which everything of the cluster was published last; missing while history was never lost. */
  readonly incarnation?: number
}

/** Since the log lost history: what is known of it, and whether all that remembers it has been asked. */
export interface RecoveryState {
  readonly _tag: "Recovery"
  /** The incarnation that the loss began. */
  readonly incarnation: number
  readonly phase: "recovering" | "recovered"
  /** What showed the loss. */
  readonly why: string
  /** Where the log ended when the loss was noticed: what others have from beyond is not in it. */
  readonly lostAfter: { readonly incarnation: number; readonly seq: number }
  /** When it is over: who was not heard, by a person's leave. */
  readonly without: ReadonlyArray<string>
  /** When it is over: addresses taken over from what others remembered. */
  readonly adoptedCount: number
}

/** An address kept for a Service by its name. */
export interface ReservationState {
  readonly _tag: "Reservation"
  /** The cluster of the Service that it is kept for. */
  readonly cluster: string
  readonly name: string
  readonly network: string
  readonly address: string
  /** The pool that had the address when it was reserved. */
  readonly pool: string
  readonly namespace: string
  readonly service: string
}

export interface QuotaState {
  readonly _tag: "Quota"
  /** Empty for a quota of every cluster. */
  readonly cluster: string
  readonly quota: {
    readonly name: string
    /** Null: every cluster, each counted by itself. */
    readonly cluster: string | null
    /** Null: the whole cluster. */
    readonly namespace: string | null
    readonly addresses: number
  }
}

/** A pool of the whole fleet. */
export interface AddressPoolState {
  readonly _tag: "AddressPool"
  /** Empty: it is of no one cluster. */
  readonly cluster: ""
  readonly pool: FleetPool
  /** Set when it was deleted while Services held addresses of it: it gives out none, until the last is released. */
  readonly retired?: true
}

/** An address that several clusters announce on purpose, each by the Service that is named. */
export interface SharedAddressState {
  readonly _tag: "SharedAddress"
  /** Empty: it is of no one cluster. */
  readonly cluster: ""
  readonly shared: SharedAddress
}

/** One reading of the log as a whole, or of what a filter keeps of it: the last there was. */
export interface ExportState {
  readonly _tag: "Export"
  /** What was asked for, by the names of the API; empty for the whole log. */
  readonly filter: Readonly<Record<string, string>>
  readonly format: "ndjson" | "csv"
  /** First and last seq that were looked at; ids, where the filter names the wire journal. */
  readonly sinceSeq: number
  readonly untilSeq: number
  /** Events that the filter kept; null where they were not counted. A whole export ends with the event that has this state. */
  readonly count: number | null
}

/** A stretch of the wire journal, sealed: what the journal had then. */
export interface WireSealState {
  readonly _tag: "WireSeal"
  /** Rows with `sinceId <= id <= untilId`; each seal goes on where the one before ended. */
  readonly sinceId: number
  readonly untilId: number
  readonly count: number
  /** RFC 6962 root over the rows in the order of their ids, 64 hexadecimal digits. */
  readonly root: string
  /** The end of the last hour that it closes, ISO 8601 by the database's clock. */
  readonly until: string
}

/** What may be written and sent: all that came up to this version of the fleet. */
export interface FleetVersionState {
  readonly _tag: "FleetVersion"
  readonly version: number
}

/** A person said that what the speakers' brakes hold back in a cluster is meant: the last time. */
export interface BrakeState {
  readonly _tag: "Brake"
  readonly cluster: string
  /** The one node that it was said to; null: all of the cluster. */
  readonly node: string | null
}

/** Up to where rows of the wire journal were removed, because they were old: whole seals only, whose roots stay. */
export interface WireDropState {
  readonly _tag: "WireDrop"
  readonly untilId: number
  /** What was recorded before it was old enough, ISO 8601 by the database's clock. */
  readonly before: string
}

/** A whole partition of the log that was written to a file, and where its events are since. */
export interface SegmentState {
  readonly _tag: "Segment"
  readonly fromSeq: number
  readonly toSeq: number
  /** `archived`: in the file as well; `dropped`: in the file alone; `restored`: back in the database. */
  readonly phase: "archived" | "dropped" | "restored"
  /** When its first and last event were recorded. */
  readonly firstAt: string
  readonly lastAt: string
  /** RFC 6962 root over the leaves of the segment alone, 64 hexadecimal digits. */
  readonly root: string
  /** SHA-256 over the leaves in runs of 4096, by which the database itself knows the segment again. */
  readonly leavesDigest: string
  /** The file's name, as it was given, and the SHA-256 of its octets. */
  readonly file: string
  readonly sha256: string
}

/** How much may be withdrawn in a period without a second person: VIPs, each one route. */
export interface BlastRadius extends WithdrawalShare {
  readonly perMs: number
  /** Of each cluster by itself, in the same period. */
  readonly cluster: WithdrawalShare
  /** Of clusters that are named, in place of that. */
  readonly clusters?: Readonly<Record<string, WithdrawalShare>>
}

/** A part of the addresses given out, nine at least, and a number at most. */
export interface WithdrawalShare {
  readonly maxWithdrawPercent: number
  readonly maxWithdrawRoutes: number
}

/** What a Fleet object says of the fleet as a whole. There is one of them, or none. */
export interface FleetSettingsState {
  readonly _tag: "FleetSettings"
  readonly name: string
  readonly blastRadius: BlastRadius
}

/** Withdrawals of one cluster beyond the budget, of one author: they wait for a second person. */
export interface ApprovalState {
  readonly _tag: "Approval"
  /** `w-1` and so on. */
  readonly id: string
  readonly cluster: string
  /** Who ordered them, or whose cluster's agent says that what had the addresses is gone. */
  readonly author: string
  readonly phase: "pending" | "approved" | "rejected"
  /** When the first came, milliseconds since 1970 by the database's clock. */
  readonly sinceMs: number
  /** Addresses that waited when this was written. */
  readonly count: number
}

/**
 * A version of a configuration object by which routes are announced still: the newer one, or the deletion, would take more
 * routes than the budget allows, and waits for a second person.
 */
export interface KeptState {
  readonly _tag: "Kept"
  readonly cluster: string
  readonly order: string
  readonly version: ManifestState | AddressPoolState
}

/** How many addresses of a cluster its configuration left without a route, as far as the budget counts it. */
export interface RoutesTakenState {
  readonly _tag: "RoutesTaken"
  readonly cluster: string
  /** One entry a command, the oldest first, by the database's clock; those of one period at most. */
  readonly taken: ReadonlyArray<{ readonly atMs: number; readonly addresses: number }>
}

/**
 * Names of streams. Kubernetes' names are free of `/`, so streams never collide; a file's path stands last, where it may
 * hold some.
 */
export const streamOf = {
  /** `member`: the cluster whose part in a shared address it is. */
  vip: (network: string, address: string, member?: string) =>
    `vip:${network}/${address}${member === undefined ? "" : `/${member}`}`,
  service: (cluster: string, namespace: string, name: string) => `service:${cluster}/${namespace}/${name}`,
  node: (cluster: string, name: string) => `node:${cluster}/${name}`,
  namespace: (cluster: string, name: string) => `namespace:${cluster}/${name}`,
  manifest: (cluster: string, kind: string, namespace: string, name: string) =>
    `manifest:${cluster}/${kind}/${namespace}/${name}`,
  findings: (cluster: string, kind: string, namespace: string, name: string) =>
    `findings:${cluster}/${kind}/${namespace}/${name}`,
  cluster: (cluster: string) => `cluster:${cluster}`,
  recovery: () => "recovery:fleet",
  reservation: (name: string) => `reservation:${name}`,
  quota: (name: string) => `quota:${name}`,
  addressPool: (name: string) => `addresspool:${name}`,
  sharedAddress: (name: string) => `sharedaddress:${name}`,
  exports: () => "audit:exports",
  wireSeals: () => "audit:wire-journal",
  fleetVersion: () => "fleet:version",
  brake: (cluster: string) => `brake:${cluster}`,
  wireDrops: () => "audit:wire-drops",
  segment: (fromSeq: number) => `segment:${fromSeq}`,
  settings: () => "fleet:settings",
  approval: (id: string) => `approval:${id}`,
  kept: (cluster: string, kind: string, namespace: string, name: string) =>
    `kept:${cluster}/${kind}/${namespace}/${name}`,
  routesTaken: (cluster: string) => `taken:${cluster}`
} as const

/** The stream that a VIP's state is of. */
export const streamOfVip = ({ network, address, cluster, member }: VipState): string =>
  streamOf.vip(network, address, member === true ? cluster : undefined)
