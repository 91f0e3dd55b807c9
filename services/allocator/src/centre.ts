import type { Caller } from "@lowtide/api/access"
import type { FleetProcess } from "@lowtide/api/fleet-version"
import type { CommandReply } from "@lowtide/bus/commands"
import type { NodeStatus } from "@lowtide/bus/status"
import type { Command, Fleet, VipState } from "@lowtide/domain"
import type {
  Fenced,
  Head,
  ProjectionConflict,
  StoredAllocator,
  StoredCheckpoint,
  StoredWire,
  Unavailable
} from "@lowtide/ledger"
import { Context, type Effect } from "effect"
import type { RecoveryStanding } from "./recovery.ts"
import type { UnprovenStamp } from "./stamp-proofs.ts"

/** What readers may see: the fleet as it is committed, never a batch that may still fail. */
export interface CommittedView {
  readonly fleet: Fleet
  readonly head: Head
  /** When the newest event of a stream was recorded, ISO 8601; undefined for a stream that never was. */
  readonly recordedAt: (stream: string) => string | undefined
  /** Newest status of each node, by `cluster/node`. */
  readonly nodes: ReadonlyMap<string, HeardNode>
  /** The nodes that have yet to confirm that they withdrew a VIP. */
  readonly awaited: (vip: VipState) => ReadonlyArray<string>
  /**
   * Of an earlier time: from when on what nodes had told their routers is kept, ISO 8601; null where all of it is. Of the
   * present, which stands on the nodes' own words, it is missing.
   */
  readonly reportsSince?: string | null
  /** Nodes that lately said, and did not prove, that they hold what the log does not have; missing of an earlier time. */
  readonly unproven?: (nowMs: number) => ReadonlyArray<UnprovenStamp>
  /** Rows that stand for nodes' reports that could not be read, the newest first; missing where nobody asked. */
  readonly unread?: ReadonlyArray<StoredWire>
}

/** Whom a withdrawing VIP waits for as far as the log says: who of them has confirmed, the leader alone knows. */
export const obligedNodes: CommittedView["awaited"] = ({ phase, obliged }) => (phase === "withdrawing" ? obliged : [])

/** What a person, or a person's machine, orders. */
export interface Order {
  /** Made by whoever orders: sent again with it, the same order of the same caller is carried out once. */
  readonly commandId: string
  readonly caller: Caller["Service"]
  readonly words?: string
  readonly command: Command
}

/** A node's status and when it came in. */
export interface HeardNode {
  readonly status: NodeStatus
  /** The allocator's clock, milliseconds since 1970. */
  readonly heardAtMs: number
  /** Put together from the wire journal for an earlier moment, which `heardAtMs` is. */
  readonly isReported?: true
}

/**
 * The centre's state for its readers. `read` runs in one turn; in the leader it waits for a batch in flight, a few
 * milliseconds, in a follower it answers from as far as the log was read.
 */
export class Centre extends Context.Service<
  Centre,
  {
    readonly read: <A>(look: (view: CommittedView) => A) => Effect.Effect<A, Unavailable>
    /** Judges whether the caller may, decides and commits. */
    readonly order: (order: Order) => Effect.Effect<CommandReply>
    /** Seq of the last event that readers are answered from; undefined while there is nothing to answer from. */
    readonly position: Effect.Effect<number | undefined>
    /** The allocators on this database, as last seen. */
    readonly allocators: Effect.Effect<ReadonlyArray<StoredAllocator>>
    /** The processes of the fleet, and which of them hold the newest version back; agents as this one hears them. */
    readonly processes: Effect.Effect<ReadonlyArray<FleetProcess>, Unavailable>
    /** Has this leader recover as after a loss of history; the order outlives it. */
    readonly orderRecovery: (why: string) => Effect.Effect<void, Unavailable>
    /** Gives up the lead and does not want it again: for a process that is to end, so that another leads at once. */
    readonly resign: Effect.Effect<void>
    /** A signed checkpoint over at least so many events; undefined where none are signed. */
    readonly checkpointOver: (size: number) => Effect.Effect<StoredCheckpoint | undefined, Unavailable>
    /** Fails when this allocator may not go on: another leads, or the database contradicts it. The process ends then. */
    readonly ended: Effect.Effect<never, Fenced | ProjectionConflict>
    /** How many of the messages in effect each key has signed: a key of none can be retired. */
    readonly signedBy: Effect.Effect<ReadonlyMap<string, number>, Unavailable>
    /** Whether this allocator leads, and whether what it needs is there, for `/readyz` and people. */
    readonly health: Effect.Effect<CentreHealth>
  }
>()("@lowtide/allocator/Centre") {}

export interface CentreHealth {
  /** `waiting`: it has not read the log yet. */
  readonly role: "leader" | "follower" | "waiting"
  /** What of the log this release cannot read, with its code: it leads no more and answers nothing; null when there is none. */
  readonly unreadable: string | null
  /** Who leads, as last seen. */
  readonly leader: { readonly name: string; readonly url: string | null } | null
  /** How far a follower is behind the log's head: events as of its last look, and seconds since it was at the head. */
  readonly lagEvents: number
  readonly lagSeconds: number
  readonly database: "up" | "down"
  readonly nats: "up" | "down"
  /** Messages committed and not yet stored in NATS. */
  readonly unpublished: number
  /** How the leader's recovery from a loss of history stands; null when there never was one, and in a follower. */
  readonly recovery: RecoveryStanding | null
}
