import { Data, Result, Schema } from "effect"
import type { FindingCode } from "../config/index.ts"
import { quickIs } from "./quick-check.ts"

/** What there is to know of a type of event. */
export interface EventDefinition {
  /** `_tag` of the state of its stream, before and after it. */
  readonly state: string
  /** The fleet version that it came with, 1 unless said: it is not written before that one is finalised. */
  readonly since?: number
}

/** The first version of a state's shape. A field that came later without a new version is optional in it. */
export interface FirstShape {
  /** What every stored state of this version fulfils. */
  readonly schema: Schema.Top
}

/** A version after the first. Both ways are pure and total over what their schema lets through. */
export interface LaterShape extends FirstShape {
  /** The fleet version that it came with: states are written in the version before until that one is finalised. */
  readonly since: number
  /** From a state of the version before. */
  readonly up: (older: never) => unknown
  /** To a state of the version before, for as long as no newer one may be written: `up` gives back the same. */
  readonly down: (newer: never) => unknown
}

/** The versions of a state's shape, from 1 on. None is ever changed or taken away, since there are logs that hold it. */
export type StateShape = readonly [FirstShape, ...ReadonlyArray<LaterShape>]

/** What a row of the log that was written by another release needs for being read. */
export interface StoredPayload {
  readonly seq: number
  readonly stream: string
  readonly type: string
  readonly schema: number
  /** JSON text. */
  readonly data: string
}

/** A stream's newest state as it is stored. */
export interface StoredState {
  readonly seq: number
  readonly stream: string
  readonly schema: number
  /** JSON text; null when the stream has ended. */
  readonly state: string | null
}

/** Something in the log that this release cannot read: nothing may be decided on a part of what is so. */
export class Unreadable extends Data.TaggedError("Unreadable")<{
  /** LT0540: of a newer release. LT0541: not what a state of its version is. LT0542: of a newer fleet. */
  readonly code: Extract<FindingCode, "LT0540" | "LT0541" | "LT0542">
  readonly seq: number
  readonly detail: string
}> {
  override get message() {
    return `${this.code} ${this.detail}`
  }
}

/** A payload or a state in its newest version. */
export interface Change<State> {
  readonly before: State | null
  readonly after: State | null
}

/** Reading and writing by a table of events and one of states. */
export interface Stored<State> {
  /** The payload of an event, in the newest version of its state. */
  readonly readEvent: (event: StoredPayload) => Result.Result<Change<State>, Unreadable>
  /** A stream's state, in its newest version. */
  readonly readState: (row: StoredState) => Result.Result<State | null, Unreadable>
  /** The payload as it is to be stored while the fleet has this version. */
  readonly writeEvent: (change: Change<State>, fleet: number) => { readonly schema: number; readonly data: string }
  /**
   * A state as it is to be stored while the fleet has this version. Dies on one that could not be read again, before anything
   * is written.
   */
  readonly writeState: (state: State, fleet: number) => { readonly schema: number; readonly state: string }
  /** Whether a type of this version can be read. */
  readonly isKnown: (type: string, schema: number) => boolean
  /** Whether states are written in this version by a fleet of the newest version. */
  readonly isNewest: (tag: string, schema: number) => boolean
}

/**
 * Stored bytes never change: what an older release wrote is brought up, version by version, each time that it is read, and
 * whoever decides sees the newest shape alone. Checked states are handed on as they were parsed, so that fields of a newer
 * release that came without a new version are kept, in their order.
 */
export const makeStored = <State extends { readonly _tag: string }>(
  events: Readonly<Record<string, EventDefinition>>,
  states: Readonly<Record<string, StateShape>>
): Stored<State> => {
  const shapes = new Map(Object.entries(states).map(([tag, shape]) => [tag, shape.map(readable)]))

  const raise = (tag: string, schema: number, value: unknown): Result.Result<State, string> => {
    const versions = shapes.get(tag) ?? []
    const stored = versions[schema - 1]
    if (stored === undefined) return Result.fail(`expected a version of ${tag} from 1 on, found ${schema}`)
    if (!stored.is(value)) return Result.fail(`expected a ${tag} of version ${schema}: ${stored.why(value)}`)
    return Result.succeed(versions.slice(schema).reduce((older, { up }) => up(older), value) as State)
  }

  const isNewer = (tag: string, schema: number): boolean => schema > (shapes.get(tag)?.length ?? 0)

  const versionOf = (tag: string, fleet: number): number =>
    (states[tag] ?? []).findLastIndex((shape) => !("since" in shape) || shape.since <= fleet) + 1

  const lower = (state: State, schema: number): unknown =>
    (shapes.get(state._tag) ?? []).slice(schema).reduceRight<unknown>((newer, { down }) => down(newer), state)

  return {
    readEvent: (event) => {
      const { seq, stream, type, schema, data } = event
      const tag = Object.hasOwn(events, type) ? events[type]?.state : undefined
      if (tag === undefined || isNewer(tag, schema)) {
        return newer(seq, `event ${seq} of ${stream}`, `${type} of version ${schema}`)
      }
      const part = (value: unknown): Result.Result<State | null, string> =>
        value === null ? Result.succeed(null) : raise(tag, schema, value)
      return parseRecord(data).pipe(
        Result.flatMap(({ before, after }) =>
          Result.flatMap(part(before), (earlier) =>
            Result.map(part(after), (later): Change<State> => ({ before: earlier, after: later }))
          )
        ),
        Result.mapError((why) => damaged(seq, `event ${seq} of ${stream}, ${type} of version ${schema}`, why))
      )
    },
    readState: ({ seq, stream, schema, state }) => {
      if (state === null) return Result.succeed(null)
      const value = Result.map(parseRecord(state), (record) => ({ record, tag: String(record._tag) }))
      const name = `the state of ${stream} since event ${seq}`
      if (Result.isSuccess(value) && isNewer(value.success.tag, schema)) {
        return newer(seq, name, `${value.success.tag} of version ${schema}`)
      }
      return value.pipe(
        Result.flatMap(({ tag, record }) => raise(tag, schema, record)),
        Result.mapError((why) => damaged(seq, `${name}, of version ${schema}`, why))
      )
    },
    writeEvent: ({ before, after }, fleet) => {
      const schema = versionOf((after ?? before)?._tag ?? "", fleet) || 1
      const part = (state: State | null) => (state === null ? null : lower(state, schema))
      return { schema, data: JSON.stringify({ before: part(before), after: part(after) }) }
    },
    writeState: (state, fleet) => {
      const schema = versionOf(state._tag, fleet)
      const value = lower(state, schema)
      const text = JSON.stringify(value)
      const shape = shapes.get(state._tag)?.[schema - 1]
      // A field that is undefined is not in the text.
      if (shape?.is(value) !== true && shape?.is(JSON.parse(text)) !== true) {
        throw new TypeError(`expected a ${state._tag} of version ${schema} to write: ${shape?.why(JSON.parse(text))}`)
      }
      return { schema, state: text }
    },
    isKnown: (type, schema) => {
      const tag = Object.hasOwn(events, type) ? events[type]?.state : undefined
      return tag !== undefined && schema >= 1 && !isNewer(tag, schema)
    },
    isNewest: (tag, schema) => schema === shapes.get(tag)?.length
  }
}

/** A version with what reading needs made once. */
const readable = (shape: FirstShape | LaterShape) => {
  const schema = shape.schema as Schema.Codec<unknown>
  const decode = Schema.decodeUnknownResult(schema)
  return {
    is: quickIs(schema),
    /** Asked of what `is` refuses: the whole story costs more. */
    why: (value: unknown): string =>
      Result.match(decode(value), {
        onFailure: ({ message }) => message.replace(/\s*\n\s*/g, " "),
        onSuccess: () => ""
      }),
    up: ("up" in shape ? shape.up : same) as (older: unknown) => unknown,
    down: ("down" in shape ? shape.down : same) as (newer: unknown) => unknown
  }
}

const same = (value: unknown): unknown => value

const parseRecord = (text: string): Result.Result<Readonly<Record<string, unknown>>, string> => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? Result.succeed(value as Readonly<Record<string, unknown>>)
      : Result.fail("expected a JSON object")
  } catch {
    return Result.fail("expected a JSON object")
  }
}

const newer = (seq: number, name: string, found: string): Result.Result<never, Unreadable> =>
  Result.fail(
    new Unreadable({ code: "LT0540", seq, detail: `${name}: expected what this release knows, found ${found}` })
  )

const damaged = (seq: number, name: string, why: string): Unreadable =>
  new Unreadable({ code: "LT0541", seq, detail: `${name}: ${why}` })
