import type { NodeStatus } from "@lowtide/bus/status"
import type { Fleet } from "@lowtide/domain"
import type { Fenced, Head, ProjectionConflict, Unavailable } from "@lowtide/ledger"
import { Context, type Effect } from "effect"

/** What readers may see: the fleet as it is committed, never a batch that may still fail. */
export interface CommittedView {
  readonly fleet: Fleet
  readonly head: Head
  /** When the newest event of a stream was recorded, ISO 8601; undefined for a stream that never was. */
  readonly recordedAt: (stream: string) => string | undefined
  /** Newest status of each node, by `cluster/node`. */
  readonly nodes: ReadonlyMap<string, HeardNode>
}

/** A node's status and when it came in. */
export interface HeardNode {
  readonly status: NodeStatus
  /** The allocator's clock, milliseconds since 1970. */
  readonly heardAtMs: number
  /** Put together from the wire journal for an earlier moment, which `heardAtMs` is. */
  readonly isReported?: true
}

/** The centre's state for its readers. `read` waits for a batch in flight, a few milliseconds, and runs in one turn. */
export class Centre extends Context.Service<
  Centre,
  {
    readonly read: <A>(look: (view: CommittedView) => A) => Effect.Effect<A, Unavailable>
    /** Fails when this allocator may not go on: another leads, or the database contradicts it. The process ends then. */
    readonly ended: Effect.Effect<never, Fenced | ProjectionConflict>
    /** Whether this allocator leads, and whether what it needs is there, for `/readyz` and people. */
    readonly health: Effect.Effect<CentreHealth>
  }
>()("@lowtide/allocator/Centre") {}

export interface CentreHealth {
  readonly role: "leader" | "waiting"
  readonly database: "up" | "down"
  readonly nats: "up" | "down"
  /** Messages committed and not yet stored in NATS. */
  readonly unpublished: number
}
