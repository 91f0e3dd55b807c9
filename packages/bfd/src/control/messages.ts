import * as Result from "effect/Result"
import type { DiscardReason } from "../packet/reception.ts"
import { readSessionOptions, type SessionOptions, type SessionRequest, shown } from "../session-options.ts"
import type { SessionChange, SessionStatus } from "../session-status.ts"

/**
 * What goes over the control socket: one JSON object a line, UTF-8. Each request has the version and an id that its answer
 * repeats; events come in between. What a later version adds is refused by this one, by name, rather than left undone.
 */
export const controlVersion = 1

/** Octets of a line. */
export const lineBytesMax = 16 * 1024

/** Characters of a session's or an owner's name. */
export const nameLengthMax = 200

/** What may be asked. Only the owner of the sessions, which is who said hello first, may change them. */
export type ControlRequest =
  /** Takes the sessions over: their state is answered, and changes follow as events. */
  | { readonly request: "hello"; readonly owner: string }
  | { readonly request: "set"; readonly name: string; readonly session: SessionOptions }
  | { readonly request: "remove"; readonly name: string }
  | { readonly request: "status" }

/** The answer to `hello` and `status`. */
export interface ControlState {
  readonly pid: number
  readonly startedUnixMs: number
  /** Sessions that a new owner does not set within this time are removed. */
  readonly claimMs: number
  readonly sessions: ReadonlyArray<SessionStatus>
  /** Packets that belonged to no session, by reason. */
  readonly discarded: Readonly<Partial<Record<DiscardReason, number>>>
}

/** What each request is answered with when it succeeds. */
export interface ControlResults {
  readonly hello: ControlState
  readonly status: ControlState
  readonly set: SessionStatus
  /** Whether there was such a session. */
  readonly remove: boolean
}

/** A line to a client. `answer` is undefined (null on the wire) for a line in which no id could be read. */
export type ControlLine =
  | { readonly version: number; readonly answer: number | null; readonly ok: true; readonly result: unknown }
  | { readonly version: number; readonly answer: number | null; readonly ok: false; readonly error: string }
  | ({ readonly version: number; readonly event: "changed" } & SessionChange)

/** A request as a program writes it. */
export type RequestBody =
  | Exclude<ControlRequest, { readonly request: "set" }>
  | { readonly request: "set"; readonly name: string; readonly session: SessionRequest }

const members = {
  hello: ["owner"],
  set: ["name", "session"],
  remove: ["name"],
  status: []
} as const satisfies Record<ControlRequest["request"], ReadonlyArray<string>>

/** What was read of a line, with its id as far as there is one, so that a refusal can be told to whom it concerns. */
export interface ReadRequest {
  readonly id: number | null
  readonly request: Result.Result<ControlRequest, string>
}

/** Reads a line. A failure says what was expected and what was found. */
export const readRequest = (line: string): ReadRequest => {
  const value = parsed(line)
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { id: null, request: Result.fail(`expected one JSON object a line, found ${line.slice(0, 80)}`) }
  }
  const fields = value as Readonly<Record<string, unknown>>
  const id = Number.isSafeInteger(fields.id) ? Number(fields.id) : null
  return { id, request: requestOf(fields) }
}

const parsed = (line: string): unknown => {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

const requestOf = (fields: Readonly<Record<string, unknown>>): Result.Result<ControlRequest, string> => {
  const { version, id, request } = fields
  if (version !== controlVersion) return Result.fail(`version: expected ${controlVersion}, found ${shown(version)}`)
  if (!Number.isSafeInteger(id)) return Result.fail(`id: expected a whole number, found ${shown(id)}`)
  if (typeof request !== "string" || !Object.hasOwn(members, request)) {
    return Result.fail(`request: expected ${Object.keys(members).join(", ")}, found ${shown(request)}`)
  }
  const kind = request as ControlRequest["request"]
  const allowed: ReadonlyArray<string> = ["version", "id", "request", ...members[kind]]
  const unknown = Object.keys(fields).find((field) => !allowed.includes(field))
  if (unknown !== undefined) return Result.fail(`${unknown} is no member of ${kind}: ${allowed.join(", ")}`)
  return memberOf(kind, fields)
}

const memberOf = (
  request: ControlRequest["request"],
  fields: Readonly<Record<string, unknown>>
): Result.Result<ControlRequest, string> => {
  if (request === "status") return Result.succeed({ request })
  const field = request === "hello" ? "owner" : "name"
  const name = fields[field]
  if (typeof name !== "string" || name.length === 0 || name.length > nameLengthMax) {
    return Result.fail(`${field}: expected a text of 1 to ${nameLengthMax} characters, found ${shown(name)}`)
  }
  if (request === "hello") return Result.succeed({ request, owner: name })
  if (request === "remove") return Result.succeed({ request, name })
  const session = readSessionOptions(fields.session)
  return Result.isFailure(session)
    ? Result.fail(`session ${name}: ${session.failure}`)
    : Result.succeed({ request, name, session: session.success })
}
