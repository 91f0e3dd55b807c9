/** What a speaker told a router, or lost to it. Rows of a session carry no VIP and no stamp. */
export interface WireRow {
  readonly cluster: string
  readonly network?: string | undefined
  readonly address?: string | undefined
  readonly stampIncarnation?: number | undefined
  readonly stampEpoch?: number | undefined
  readonly stampSeq?: number | undefined
  /** `session-up`, `session-down`, `applied`, ... */
  readonly kind: string
  readonly node?: string | undefined
  readonly peer?: string | undefined
  /** JSON text. */
  readonly detail: string
}

/** A row of the wire journal; `id` rises with time and may have gaps. */
export interface StoredWire extends WireRow {
  readonly id: number
  readonly recordedAt: string
}

/** Which rows of the wire journal to read; all given fields must match. */
export interface WireFilter {
  readonly network?: string | undefined
  readonly address?: string | undefined
  /** Addresses of a prefix, `192.0.2.0/28`; with its network, which the index begins with. */
  readonly prefix?: string | undefined
  readonly cluster?: string | undefined
  readonly node?: string | undefined
  readonly peer?: string | undefined
  readonly kind?: string | undefined
  /** Rows after this id. */
  readonly sinceId?: number | undefined
  /** Rows before this id. */
  readonly beforeId?: number | undefined
  /** Rows written at or before this moment, ISO 8601. */
  readonly untilAt?: string | undefined
  readonly limit: number
  /** By id. */
  readonly order: "asc" | "desc"
}

/** What of the wire journal is asked for at a moment. */
export interface WireAt {
  /** ISO 8601, the database's clock. */
  readonly at: string
  /** Rows of kind `applied` are read of these. */
  readonly vips: ReadonlyArray<{ readonly network: string; readonly address: string }>
  /** Rows of kind `session` are read of these. */
  readonly sessions: ReadonlyArray<{ readonly cluster: string; readonly node: string; readonly peer: string }>
  /** Rows that are read of one VIP or session at most, the newest. */
  readonly rowsEachMax: number
}

/** A checkpoint and the place from which it moves on: it is moved only from there, and what it comes with is written only then. */
export interface CheckpointMove extends Checkpoint {
  /** The position before; 0 when there was none. */
  readonly after: number
}

/** How far one version of a reader has come. */
export interface Checkpoint {
  readonly name: string
  readonly version: number
  readonly position: number
}
