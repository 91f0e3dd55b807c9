import type { EventDefinition } from "./stored.ts"
import type { StreamState } from "./stream.ts"

/**
 * Every event there is, in the past tense, with what its stream holds. A type is never renamed or reused. The version of
 * an event's payload is that of the state it holds: `stateShapes`.
 */
export const eventTypes = {
  ClusterRegistered: { state: "Cluster" },
  ManifestApplied: { state: "Manifest" },
  ManifestDeleted: { state: "Manifest" },
  ManifestRetired: { state: "Manifest" },
  FindingsReported: { state: "Findings" },
  FindingsResolved: { state: "Findings" },
  NamespaceObserved: { state: "Namespace" },
  NamespaceGone: { state: "Namespace" },
  NodeObserved: { state: "Node" },
  NodeGone: { state: "Node" },
  NodeRetired: { state: "Node" },
  ServiceObserved: { state: "Service" },
  ServiceGone: { state: "Service" },
  ServingNodesChanged: { state: "Service" },
  AssignmentRefused: { state: "Service" },
  RefusalCleared: { state: "Service" },
  VipAssigned: { state: "Vip" },
  VipHoldersChanged: { state: "Vip" },
  VipReleased: { state: "Vip" },
  VipQuarantined: { state: "Vip" },
  VipFreed: { state: "Vip" },
  VipObligationLifted: { state: "Vip" },
  VipForceReleased: { state: "Vip" },
  AddressReserved: { state: "Reservation" },
  ReservationDeleted: { state: "Reservation" },
  QuotaApplied: { state: "Quota" },
  QuotaDeleted: { state: "Quota" },
  SharedAddressApplied: { state: "SharedAddress", since: 2 },
  SharedAddressDeleted: { state: "SharedAddress", since: 2 },
  VipMoving: { state: "Vip", since: 2 },
  AddressPoolApplied: { state: "AddressPool", since: 2 },
  AddressPoolRetired: { state: "AddressPool", since: 2 },
  AddressPoolDeleted: { state: "AddressPool", since: 2 },
  VipAdopted: { state: "Vip" },
  HistoryLost: { state: "Recovery" },
  HistoryRecovered: { state: "Recovery" },
  ClusterRepublished: { state: "Cluster" },
  AuditExported: { state: "Export" },
  WireJournalSealed: { state: "WireSeal" },
  FleetVersionFinalised: { state: "FleetVersion", since: 2 },
  BrakeReleased: { state: "Brake", since: 2 },
  WireRowsDropped: { state: "WireDrop", since: 2 },
  SegmentArchived: { state: "Segment", since: 2 },
  SegmentDropped: { state: "Segment", since: 2 },
  SegmentRestored: { state: "Segment", since: 2 },
  FleetApplied: { state: "FleetSettings", since: 2 },
  FleetDeleted: { state: "FleetSettings", since: 2 },
  VipReleaseHeld: { state: "Vip", since: 2 },
  WithdrawalsHeld: { state: "Approval", since: 2 },
  WithdrawalsApproved: { state: "Approval", since: 2 },
  WithdrawalsRejected: { state: "Approval", since: 2 },
  VersionKept: { state: "Kept", since: 2 },
  VersionDropped: { state: "Kept", since: 2 },
  RoutesTaken: { state: "RoutesTaken", since: 2 }
} as const satisfies Readonly<Record<string, EventDefinition>>

/** A type of event, as `eventTypes` lists it. */
export type EventType = keyof typeof eventTypes

/** Stable, documented reasons (docs/reference/events.md). */
export type ReasonCode =
  | "observed"
  | "gone"
  | "applied"
  | "deleted"
  | "still-needed"
  | "no-longer-needed"
  | "judged"
  | "requested-address"
  | "requested-pool"
  | "pool-selected"
  | "sticky"
  | "reserved"
  | "shared"
  | "shared-address"
  | "refused"
  | "service-gone"
  | "address-no-longer-wanted"
  | "moved"
  | "withdrawal-confirmed"
  | "quarantine-over"
  | "node-retired"
  | "force-released"
  | "history-lost"
  | "history-merged"
  | "speakers-hold"
  | "status-says"
  | "released-by-person"
  | "requested"
  | "hour-over"
  | "log-begun"
  | "brake-released"
  | "retention"
  | "over-budget"
  | "approved"
  | "rejected"

/**
 * A fact of the domain, before the ledger gives it a seq. `after` is the whole new state of the stream, null when the
 * stream ends.
 */
export interface DomainEvent {
  readonly stream: string
  readonly type: EventType
  readonly reason: ReasonCode
  readonly before: StreamState | null
  readonly after: StreamState | null
  readonly about: EventSubject
}

/** The columns by which events are searched. */
export interface EventSubject {
  readonly network?: string
  readonly address?: string
  readonly pool?: string
  readonly cluster?: string
  readonly namespace?: string
  readonly service?: string
  readonly serviceUid?: string
}
