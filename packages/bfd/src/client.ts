import { connect, type Socket } from "node:net"
import { Effect, Result, Schema, type Scope } from "effect"
import { makeLineReader } from "./control/lines.ts"
import {
  type ControlLine,
  type ControlResults,
  type ControlState,
  controlVersion,
  type RequestBody
} from "./control/messages.ts"
import type { SessionRequest } from "./session-options.ts"
import type { SessionChange, SessionStatus } from "./session-status.ts"

/** What a speaker hears of the BFD process. */
export type BfdEvent =
  /** The sessions are ours, as they are now; events follow. What was set before is set again by itself. */
  | { readonly _tag: "BfdConnected"; readonly state: ControlState }
  /**
   * Sessions go on without us, or the process hangs, and it is tried again; nothing is known of them until then. One that hangs
   * watches nothing meanwhile.
   */
  | { readonly _tag: "BfdDisconnected"; readonly reason: string; readonly isHanging: boolean }
  | ({ readonly _tag: "BfdSessionChanged" } & SessionChange)
  /** A session could not be made; it is tried again as long as it is wanted. Told once for each reason. */
  | { readonly _tag: "BfdSessionRefused"; readonly name: string; readonly reason: string }

/** The speaker's end of the control socket. */
export interface BfdClient {
  /** Wants a session of this name, as it is said now. */
  readonly set: (name: string, session: SessionRequest) => void
  /** Wants it no more: its peer is told that it is out of use. */
  readonly remove: (name: string) => void
  /** The sessions as they were last heard of; empty while there is no connection. */
  readonly sessions: () => ReadonlyMap<string, SessionStatus>
  readonly isConnected: () => boolean
  /** All as it is now, with the counters. */
  readonly status: Effect.Effect<ControlState, BfdUnavailable>
}

/** There is no connection to the BFD process, or none any more. */
export class BfdUnavailable extends Schema.TaggedError<BfdUnavailable>()("BfdUnavailable", { detail: Schema.String }) {
  override get message() {
    return `BFD does not answer: ${this.detail}`
  }
}

export interface BfdClientOptions {
  readonly socketPath: string
  /** Who takes the sessions over, for messages. */
  readonly owner: string
}

const retryMs = { reconnect: 500, refused: 2_000 } as const

/**
 * A process that hangs keeps its connections. It is asked so often for its status, and hangs once it has not answered for so many
 * times: times rather than a clock, since after a pause of our own its answer is read only after the timer.
 */
const pulse = { everyMs: 2_000, missedMax: 2 } as const

type Answer = Extract<ControlLine, { readonly ok: boolean }>

/** A line with all sessions of a node is longer than any that we send. */
const answerBytesMax = 4 * 1024 * 1024

/**
 * Connects to the BFD process of the node, and again whenever the connection ends, until the scope closes. The sessions stay
 * up then, for whoever comes next.
 */
export const connectBfd = (
  options: BfdClientOptions,
  onEvent: (event: BfdEvent) => void
): Effect.Effect<BfdClient, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => openClient(options, onEvent)),
      ({ close }) => Effect.sync(close)
    ),
    ({ client }) => client
  )

const openClient = ({ socketPath, owner }: BfdClientOptions, onEvent: (event: BfdEvent) => void) => {
  const wanted = new Map<string, SessionRequest>()
  const unwanted = new Set<string>()
  const refusals = new Map<string, string>()
  const known = new Map<string, SessionStatus>()
  let current: { readonly socket: Socket; readonly waiting: Map<number, (answer: Answer) => void> } | undefined
  let isOwner = false
  /** It does not answer; with the first word from it all begins anew. */
  let isHanging = false
  let lastReason: string | undefined
  let ids = 0
  let retry: NodeJS.Timeout | undefined
  let isClosed = false

  const ask = <Kind extends RequestBody["request"]>(
    body: Extract<RequestBody, { readonly request: Kind }>,
    onAnswer: (answer: { readonly result: ControlResults[Kind] } | { readonly error: string }) => void
  ): void => {
    if (current === undefined) return
    const id = ids++
    current.waiting.set(id, (answer) =>
      onAnswer(answer.ok ? { result: answer.result as ControlResults[Kind] } : { error: answer.error })
    )
    current.socket.write(`${JSON.stringify({ version: controlVersion, id, ...body })}\n`)
  }

  const note = (session: SessionStatus): void => {
    if (!session.isLeaving) known.set(session.name, session)
    else if (known.get(session.name)?.localDiscriminator === session.localDiscriminator) known.delete(session.name)
  }

  const tell = (name: string): void => {
    const session = wanted.get(name)
    if (session === undefined || !isOwner) return
    ask({ request: "set", name, session }, (answer) => {
      if ("result" in answer) {
        refusals.delete(name)
        return note(answer.result)
      }
      if (!isOwner || !wanted.has(name)) return // what was not answered is set again with the next connection
      if (refusals.get(name) !== answer.error) {
        onEvent({ _tag: "BfdSessionRefused", name, reason: answer.error })
      }
      refusals.set(name, answer.error)
      clearTimeout(retries.get(name))
      retries.set(
        name,
        setTimeout(() => {
          retries.delete(name)
          if (refusals.has(name)) tell(name)
        }, retryMs.refused)
      )
    })
  }
  /** One for each name, however often it was refused. */
  const retries = new Map<string, NodeJS.Timeout>()

  const takeOver = (): void =>
    ask({ request: "hello", owner }, (answer) => {
      if ("error" in answer) return void current?.socket.destroy(new Error(answer.error))
      isOwner = true
      lastReason = undefined
      for (const session of answer.result.sessions) note(session)
      onEvent({ _tag: "BfdConnected", state: answer.result })
      for (const name of unwanted) ask({ request: "remove", name }, () => undefined)
      unwanted.clear()
      for (const name of wanted.keys()) tell(name)
    })

  const lose = (reason: string): void => {
    isOwner = false
    known.clear()
    if (reason !== lastReason) onEvent({ _tag: "BfdDisconnected", reason, isHanging })
    lastReason = reason
  }

  const onLine = (line: ControlLine): void => {
    if (isHanging) return void current?.socket.destroy() // it goes on: what it says now may be old
    if ("event" in line) {
      const { from, cause, isPathFailure, session } = line
      note(session)
      onEvent({ _tag: "BfdSessionChanged", from, cause, isPathFailure, session })
      return
    }
    if (line.answer === null) return void (line.ok || current?.socket.destroy(new Error(line.error)))
    current?.waiting.get(line.answer)?.(line)
    current?.waiting.delete(line.answer)
  }

  const open = (): void => {
    const socket = connect(socketPath)
    const reader = makeLineReader(answerBytesMax)
    let reason = "the BFD process has closed the connection"
    let missed = 0
    const beat = setInterval(() => {
      if (current === undefined || isHanging) return
      if (missed === 0) ask({ request: "status" }, () => (missed = 0))
      if (missed++ < pulse.missedMax) return
      isHanging = true
      lose("the BFD process has the connection open and answers nothing")
    }, pulse.everyMs)
    socket.on("connect", () => {
      current = { socket, waiting: new Map() }
      takeOver()
    })
    socket.on("data", (octets: Buffer) => {
      for (const text of reader.push(octets)) {
        const line = Result.try(() => JSON.parse(text) as ControlLine)
        if (Result.isSuccess(line)) onLine(line.success)
        else socket.destroy(new Error(`expected JSON from the BFD process, found ${text.slice(0, 80)}`))
      }
    })
    socket.on("error", (error) => {
      reason = error.message
    })
    socket.on("close", () => {
      clearInterval(beat)
      const unanswered = [...(current?.waiting.values() ?? [])]
      current = undefined
      isOwner = false
      known.clear()
      for (const answer of unanswered) answer({ version: controlVersion, answer: null, ok: false, error: reason })
      if (isClosed) return
      // One that hung goes on: that it closed the connection, as we asked, is no news.
      if (!isHanging) lose(reason)
      isHanging = false
      retry = setTimeout(open, retryMs.reconnect)
    })
    closeSocket = () => socket.destroy()
  }
  let closeSocket = (): unknown => undefined

  open()
  const client: BfdClient = {
    set: (name, session) => {
      wanted.set(name, session)
      unwanted.delete(name)
      tell(name)
    },
    remove: (name) => {
      wanted.delete(name)
      refusals.delete(name)
      if (isOwner) ask({ request: "remove", name }, () => known.delete(name))
      else unwanted.add(name)
    },
    sessions: () => known,
    isConnected: () => isOwner,
    status: Effect.callback((resume) => {
      const fail = (detail: string) => resume(Effect.fail(new BfdUnavailable({ detail })))
      if (current === undefined) return fail("there is no connection")
      ask({ request: "status" }, (answer) =>
        "result" in answer ? resume(Effect.succeed(answer.result)) : fail(answer.error)
      )
    })
  }
  const close = () => {
    isClosed = true
    clearTimeout(retry)
    for (const timer of retries.values()) clearTimeout(timer)
    closeSocket()
  }
  return { client, close }
}
