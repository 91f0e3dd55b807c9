import { createHash } from "node:crypto"
import { type DomainEvent, Fleet, readEvent, readState, type StreamState } from "@lowtide/domain"
import { type EventRecord, readEventRecord, toEventRecord } from "@lowtide/ledger/proofs/event-record"
import { Result } from "effect"
import { filesOf, type GoldenFile, type MissingFile } from "./corpus.ts"
import { writeHistory } from "./history.ts"

/**
 * A whole log with the state that it came to when it was written: `logs/log-ID.v1.1.txt` and `logs/state-ID.v1.1.txt`. The
 * id is of what it says, so that branches which add one each do not meet.
 */
export interface GoldenLog {
  readonly path: string
  readonly events: ReadonlyArray<EventRecord>
  /** Rows of the table of current states. */
  readonly rows: ReadonlyArray<StateRow>
}

interface StateRow {
  readonly stream: string
  readonly version: number
  readonly seq: number
  readonly schema: number
  readonly state: string | null
}

const linesOf = ({ text }: GoldenFile) => text.split("\n").filter(Boolean)

export const goldenLogs = (): ReadonlyArray<GoldenLog> => {
  const files = filesOf("logs")
  return files
    .filter(({ name }) => name.startsWith("log-"))
    .map((log) => {
      const state = files.find(({ name }) => name === log.name.replace("log-", "state-"))
      return {
        path: log.path,
        events: linesOf(log).map((line) => readEventRecord(line) ?? fail(log.path)),
        rows: state === undefined ? fail(log.path) : linesOf(state).map((line) => JSON.parse(line) as StateRow)
      }
    })
}

const fail = (path: string): never => {
  throw new Error(`${path}: expected a log and its state`)
}

/** Types and versions that are written today and that no golden log has: a new log with its state. */
export const missingLogs = async (logs: ReadonlyArray<GoldenLog>): Promise<ReadonlyArray<MissingFile>> => {
  const { events, current } = await writeHistory()
  const known = new Set(logs.flatMap(({ events }) => events.map(({ type, schema }) => `${type} ${schema}`)))
  const news = new Set(events.map(({ type, schema }) => `${type} ${schema}`).filter((each) => !known.has(each)))
  if (news.size === 0) return []
  const why = `no log with ${[...news].join(", ")}`
  const rows = [...current].sort((left, right) => left.seq - right.seq)
  const lines = (each: ReadonlyArray<unknown>) => each.map((row) => `${JSON.stringify(row)}\n`).join("")
  const text = lines(events.map(toEventRecord))
  const id = createHash("sha256").update(text).digest("hex").slice(0, 8)
  return [
    { path: `logs/log-${id}.v1.1.txt`, text, why },
    {
      path: `logs/state-${id}.v1.1.txt`,
      text: lines(rows.map(({ stream, version, seq, schema, state }) => ({ stream, version, seq, schema, state }))),
      why
    }
  ]
}

/** The state that the events amount to, one line a stream: by applying each of them, as a follower does. */
export const foldEvents = (events: ReadonlyArray<EventRecord>): ReadonlyArray<string> => {
  const fleet = new Fleet()
  const states = new Map<string, StreamState | null>()
  for (const event of events) {
    const change = Result.getOrThrow(readEvent(event))
    fleet.apply({ stream: event.stream, ...change } as DomainEvent)
    states.set(event.stream, change.after)
  }
  return [...states].map(([stream, state]) => line(stream, fleet.versions.get(stream) ?? 0, state)).sort()
}

/** The same from the table of current states, as a leader loads it. */
export const loadRows = (rows: ReadonlyArray<StateRow>): ReadonlyArray<string> =>
  rows.map((row) => line(row.stream, row.version, Result.getOrThrow(readState(row)))).sort()

/** What a fleet holds, as text: indexes as well, so that two of them are alike or are not. */
export const fleetText = (fleet: Fleet): string =>
  JSON.stringify({ ...fleet }, (_, value) =>
    value instanceof Map
      ? [...value].sort(([left], [right]) => (String(left) < String(right) ? -1 : 1))
      : value instanceof Set
        ? [...value].map(String).sort()
        : value
  )

/** Fleets that events and rows lead to. */
export const fleetsOf = ({ events, rows }: GoldenLog): readonly [applied: Fleet, restored: Fleet] => {
  const applied = new Fleet()
  for (const event of events) {
    applied.apply({ stream: event.stream, ...Result.getOrThrow(readEvent(event)) } as DomainEvent)
  }
  const restored = new Fleet()
  for (const row of rows) restored.restore(row.stream, row.version, Result.getOrThrow(readState(row)))
  return [applied, restored]
}

const line = (stream: string, version: number, state: StreamState | null): string =>
  `${stream} ${version} ${JSON.stringify(state)}`
