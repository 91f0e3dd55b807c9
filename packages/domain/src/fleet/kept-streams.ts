import type { StoredState } from "./stored.ts"

/** A stored state that is there. */
export interface WaitingRow extends StoredState {
  readonly state: string
}

/**
 * Rows of a load that are left where they came from, by their numbers, until somebody asks: 200,000 streams as entries of maps are
 * most of what a load costs.
 */
export interface KeptStreams {
  /** The number of a stream's row; undefined of a stream that is not among them. */
  readonly find: (stream: string) => number | undefined
  readonly version: (row: number) => number
  /** When the event was recorded that the row is by, ISO 8601. */
  readonly recordedAt: (row: number) => string
  readonly seq: (row: number) => number
  readonly state: (row: number) => WaitingRow
  readonly streams: () => Iterable<string>
}

/** Where a row that is being taken may be kept. */
export interface RowKeeper {
  readonly streams: KeptStreams
  /** Keeps it, and answers its number. */
  readonly keep: () => number
}
