import type { StreamState } from "./stream.ts"

/** Every event there is, in the past tense. A type is never renamed or reused. */
export type EventType =
  | "ClusterRegistered"
  | "ManifestApplied"
  | "ManifestDeleted"
  | "ManifestRetired"
  | "FindingsReported"
  | "FindingsResolved"
  | "NamespaceObserved"
  | "NamespaceGone"
  | "NodeObserved"
  | "NodeGone"
  | "NodeRetired"
  | "ServiceObserved"
  | "ServiceGone"
  | "ServingNodesChanged"
  | "AssignmentRefused"
  | "RefusalCleared"
  | "VipAssigned"
  | "VipHoldersChanged"
  | "VipReleased"
  | "VipQuarantined"
  | "VipFreed"
  | "VipObligationLifted"
  | "VipForceReleased"
  | "AddressReserved"
  | "ReservationDeleted"
  | "QuotaApplied"
  | "QuotaDeleted"
  | "VipAdopted"
  | "HistoryLost"
  | "HistoryRecovered"
  | "ClusterRepublished"
  | "AuditExported"
  | "WireJournalSealed"

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
  | "refused"
  | "service-gone"
  | "address-no-longer-wanted"
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
