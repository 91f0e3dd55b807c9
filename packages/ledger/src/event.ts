/**
 * One event as the leader hands it over. Times are ISO 8601 in UTC; `commandId` and `correlationId` are UUIDs in their
 * lower-case text. No text may hold U+0000, which PostgreSQL cannot store.
 */
export interface NewEvent {
  /** What it happened to: `vip:<network>/<address>`, `pool:<name>`, `service:<cluster>/<namespace>/<name>`. */
  readonly stream: string
  /** Version of the stream after this event, from 1, without gaps. */
  readonly version: number
  readonly type: string
  /** Version of the payload's shape; older ones are upcast on read. */
  readonly schema: number
  /** The reporter's clock, which may lie; the ledger's own time is `recordedAt`. */
  readonly observedAt?: string | undefined
  readonly network?: string | undefined
  readonly address?: string | undefined
  readonly pool?: string | undefined
  readonly cluster?: string | undefined
  readonly namespace?: string | undefined
  readonly service?: string | undefined
  /** Opaque, as the Kubernetes API defines uids. */
  readonly serviceUid?: string | undefined
  readonly actor: string
  readonly actorKind: string
  readonly commandId: string
  readonly correlationId: string
  readonly causationSeq?: number | undefined
  /** A stable, documented code: `pool-selected`, `requested-address`, `sticky`. */
  readonly reasonCode: string
  /** JSON text; its bytes are stored and given back unchanged. */
  readonly data: string
  /** JSON text beside the payload: the operator's words, candidates and why each lost. Bytes kept as well. */
  readonly meta: string
}

/** An event as the log holds it. */
export interface StoredEvent extends NewEvent {
  /** Place in the one order of everything; from 1, gapless. */
  readonly seq: number
  /** Which leader wrote it. */
  readonly epoch: number
  /** Which batch it was committed in; from 1, gapless. */
  readonly commitSeq: number
  /** UUID version 7 made by the database from `recordedAt`. */
  readonly eventId: string
  /** The database's clock, whole milliseconds, one value a batch; never goes back. */
  readonly recordedAt: string
  /** The event's leaf in the Merkle tree, as it was stored: 64 hexadecimal digits. */
  readonly leafHash: string
}

/** A type and version of events that the log holds. */
export interface StoredEventType {
  readonly type: string
  readonly schema: number
  /** The first event that is one. */
  readonly firstSeq: number
}

/** What of an event changes the state: all that a follower needs, at a fraction of the price. Either `after` or `data` is null. */
export interface StoredChange
  extends Pick<StoredEvent, "seq" | "epoch" | "commitSeq" | "stream" | "version" | "type" | "schema" | "recordedAt"> {
  /** The state after it, JSON text, of a VIP or a Service that has one: what they were before, a follower knows. */
  readonly after: string | null
  readonly data: string | null
}

/** Which events are meant. All given fields must match; seqs are inclusive. */
export interface EventSelection {
  readonly address?: string | undefined
  /** Addresses of a prefix, `192.0.2.0/28`; no host bits. */
  readonly prefix?: string | undefined
  readonly network?: string | undefined
  readonly cluster?: string | undefined
  readonly namespace?: string | undefined
  readonly service?: string | undefined
  readonly pool?: string | undefined
  readonly stream?: string | undefined
  readonly correlationId?: string | undefined
  readonly actor?: string | undefined
  readonly type?: string | undefined
  readonly sinceSeq?: number | undefined
  readonly untilSeq?: number | undefined
}

/** Which events to read, and how many of them at most. */
export interface EventFilter extends EventSelection {
  readonly limit: number
  /** By seq. */
  readonly order: "asc" | "desc"
}
