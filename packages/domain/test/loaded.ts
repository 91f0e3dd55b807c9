import type { Fleet, KeptStreams, Unreadable } from "../src/index.ts"

export type Row = Parameters<Fleet["restoreStored"]>[0]

/** What a fleet leaves of a load where it came from. */
export class Kept implements KeptStreams {
  readonly rows: Array<Row> = []
  /** How often a row's state was asked for. */
  readonly asked = new Map<string, number>()

  find(stream: string): number | undefined {
    const row = this.rows.findIndex((other) => other.stream === stream)
    return row === -1 ? undefined : row
  }

  version(row: number): number {
    return this.#row(row).version
  }

  seq(row: number): number {
    return this.#row(row).seq
  }

  recordedAt(row: number): string {
    return this.#row(row).recordedAt
  }

  state(place: number) {
    const { stream, seq, schema, state } = this.#row(place)
    this.asked.set(stream, (this.asked.get(stream) ?? 0) + 1)
    return { stream, seq, schema, state: state ?? "" }
  }

  streams(): Iterable<string> {
    return this.rows.map(({ stream }) => stream)
  }

  #row(place: number): Row {
    const row = this.rows[place]
    if (row === undefined) throw new Error(`expected one of ${this.rows.length} rows, found ${place}`)
    return row
  }
}

/** Has a fleet load rows, in the order in which they come; what of them it cannot read. */
export const load = (fleet: Fleet, rows: Iterable<Row>, kept = new Kept()): Unreadable | undefined => {
  const rest = [...rows].filter((row) => !fleet.keepStored(row, { streams: kept, keep: () => kept.rows.push(row) - 1 }))
  return rest.map((row) => fleet.restoreStored(row)).find((unreadable) => unreadable !== undefined)
}
