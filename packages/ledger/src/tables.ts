import type { Generated } from "kysely"
import type { IntentHeadRow, StoredIntent } from "./batch.ts"

/** The tables as the reads see them, after `database.ts` has turned wire values into ours. Columns: `migrations/schema.sql`. */
export interface LedgerTables {
  readonly events: EventsTable
  readonly event_type: EventTypeTable
  readonly log_head: LogHeadTable
  readonly vip_history: VipHistoryTable
  readonly intent: IntentTable
  readonly intent_head: Omit<IntentHeadRow, "begunCseq"> & { readonly begun_cseq: number | null }
  readonly command_result: CommandResultTable
  readonly wire_journal: WireJournalTable
  readonly audit_read: AuditReadTable
  readonly projection_checkpoint: ProjectionCheckpointTable
  readonly allocator: AllocatorTable
  readonly tree_node: TreeNodeTable
  readonly signed_checkpoint: SignedCheckpointTable
}

interface IntentTable extends StoredIntent {
  readonly summary: string | null
  readonly summary_cseq: number | null
}

interface EventsTable {
  readonly seq: number
  readonly epoch: number
  readonly commit_seq: number
  readonly event_id: string
  readonly stream: string
  readonly version: number
  readonly type: string
  readonly schema: number
  readonly recorded_at: string
  readonly observed_at: string | null
  readonly network: string | null
  readonly address: string | null
  readonly pool: string | null
  readonly cluster: string | null
  readonly namespace: string | null
  readonly service: string | null
  readonly service_uid: string | null
  readonly actor: string
  readonly actor_kind: string
  readonly command_id: string
  readonly correlation_id: string
  readonly causation_seq: number | null
  readonly reason_code: string
  readonly data: string
  readonly meta: string
  readonly leaf_hash: Uint8Array
}

interface EventTypeTable {
  readonly type: string
  readonly schema: number
  readonly first_seq: number
}

interface LogHeadTable {
  readonly incarnation: number
  readonly epoch: number
  readonly seq: number
  readonly commit_seq: number
  readonly recorded_at: string
}

interface VipHistoryTable {
  readonly network: string
  readonly address: string
  readonly from_seq: number
  readonly to_seq: number | null
  readonly valid_from: string
  readonly valid_to: string
  readonly state: string
  readonly pool: string
  readonly holders: string
  readonly reason_code: string
  readonly actor: string
  readonly member: string
}

interface CommandResultTable {
  readonly command_id: string
  readonly seq_from: number | null
  readonly seq_to: number | null
  readonly outcome: string
  readonly recorded_at: string
}

interface AuditReadTable {
  readonly id: Generated<number>
  readonly read_at: Generated<string>
  readonly actor: string
  readonly is_authenticated: boolean
  readonly question: string
  readonly position: number
}

interface WireJournalTable {
  readonly id: number
  readonly recorded_at: string
  readonly cluster: string
  readonly network: string | null
  readonly address: string | null
  readonly stamp_incarnation: number | null
  readonly stamp_epoch: number | null
  readonly stamp_seq: number | null
  readonly kind: string
  readonly node: string | null
  readonly peer: string | null
  readonly detail: string
}

interface ProjectionCheckpointTable {
  readonly name: string
  readonly version: number
  readonly position: number
}

interface AllocatorTable {
  readonly id: string
  readonly name: string
  readonly url: string | null
  readonly position: number
  readonly fleet_version: number
  readonly started_at: string
  readonly seen_at: string
}

interface TreeNodeTable {
  readonly level: number
  readonly index: number
  readonly hash: Uint8Array
}

interface SignedCheckpointTable {
  readonly incarnation: number
  readonly tree_size: number
  readonly note: string
}
