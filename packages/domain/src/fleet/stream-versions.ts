import type { KeptStreams } from "./kept-streams.ts"

/** A stream's version as it was loaded, and the event that it is by: its seq, and when it was recorded, ISO 8601. */
export interface LoadedVersion {
  readonly version: number
  readonly seq: number
  readonly recordedAt: string
}

/**
 * The version of each stream that ever was: how many events it has. One that was loaded has its event beside it, in the
 * same place: a second map of as many streams would be a tenth of what a load costs.
 */
export class StreamVersions {
  readonly #entries = new Map<string, number | { version: number; seq: number; recordedAt: string }>()
  #kept: KeptStreams | undefined

  get isEmpty(): boolean {
    for (const _ of this) return false
    return true
  }

  get(stream: string): number | undefined {
    const entry = this.#entries.get(stream)
    if (entry !== undefined) return typeof entry === "object" ? entry.version : entry
    const row = this.#kept?.find(stream)
    return row === undefined ? undefined : this.#kept?.version(row)
  }

  has(stream: string): boolean {
    return this.get(stream) !== undefined
  }

  /** Has streams that were loaded, and have no entry of their own yet, looked for there. */
  keepIn(kept: KeptStreams): void {
    this.#kept = kept
  }

  set(stream: string, version: number): void {
    const entry = this.#entries.get(stream)
    if (typeof entry === "object") entry.version = version
    else this.#entries.set(stream, version)
  }

  setLoaded(stream: string, { version, seq, recordedAt }: LoadedVersion): void {
    const entry = this.#entries.get(stream)
    if (typeof entry === "object") {
      entry.version = version
      entry.seq = seq
      entry.recordedAt = recordedAt
    } else this.#entries.set(stream, { version, seq, recordedAt })
  }

  /** Seq of the event that was the newest of a stream when it was loaded, or followed. */
  seqOf(stream: string): number | undefined {
    const entry = this.#entries.get(stream)
    if (typeof entry === "object") return entry.seq
    const row = this.#kept?.find(stream)
    return row === undefined ? undefined : this.#kept?.seq(row)
  }

  /** When the event was recorded that was the newest of a stream when it was loaded, or followed. */
  recordedAt(stream: string): string | undefined {
    const entry = this.#entries.get(stream)
    if (typeof entry === "object") return entry.recordedAt
    const row = this.#kept?.find(stream)
    return row === undefined ? undefined : this.#kept?.recordedAt(row)
  }

  *[Symbol.iterator](): IterableIterator<readonly [stream: string, version: number]> {
    for (const [stream, entry] of this.#entries) yield [stream, typeof entry === "object" ? entry.version : entry]
    for (const stream of this.#kept?.streams() ?? []) {
      if (!this.#entries.has(stream)) yield [stream, this.get(stream) ?? 0]
    }
  }
}
