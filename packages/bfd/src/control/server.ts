import { createServer, type Socket } from "node:net"
import * as Result from "effect/Result"
import type { SessionChange } from "../session-status.ts"
import { makeSessions } from "../sessions.ts"
import { makeLineReader } from "./lines.ts"
import {
  type ControlLine,
  type ControlRequest,
  type ControlState,
  controlVersion,
  lineBytesMax,
  readRequest
} from "./messages.ts"
import { makeOwnership } from "./ownership.ts"

/** Connections at once: the speaker's and those of people who look. */
export const connectionsMax = 16

/** Octets that may wait for a client that does not read; it is then cut off, and finds all states when it comes back. */
const unreadBytesMax = 4 * 1024 * 1024

/** A running BFD. */
export interface BfdServer {
  /** Puts every session out of use, tells the peers, and answers when they were told. */
  readonly stop: () => Promise<void>
}

export interface BfdServerOptions {
  /** Where the control socket is made. Nothing may be there. */
  readonly socketPath: string
  /** How long after its hello a speaker has time to set the sessions that are to stay. */
  readonly claimMs: number
  readonly log: (level: "INFO" | "WARN", message: string) => void
}

/** Serves the control socket and runs the sessions that are set over it. Fails when it cannot listen. */
export const startBfdServer = ({ socketPath, claimMs, log }: BfdServerOptions): Promise<BfdServer> => {
  const startedUnixMs = Date.now()
  const connections = new Set<Socket>()
  let owner: { readonly socket: Socket; readonly name: string } | undefined

  const send = (socket: Socket, line: ControlLine): void => {
    if (!socket.writable) return
    socket.write(`${JSON.stringify(line)}\n`)
    if (socket.writableLength > unreadBytesMax) socket.destroy()
  }

  const onChange = (change: SessionChange): void => {
    log("INFO", sentence(change))
    if (owner !== undefined) send(owner.socket, { version: controlVersion, event: "changed", ...change })
  }
  const sessions = makeSessions(onChange)
  const ownership = makeOwnership(sessions, {
    claimMs,
    onUnclaimed: (name) => log("INFO", `session ${name} was not asked for again and is removed`)
  })

  const state = (): ControlState => ({
    pid: process.pid,
    startedUnixMs,
    claimMs,
    sessions: sessions.status(),
    discarded: sessions.discarded()
  })

  const perform = (socket: Socket, request: ControlRequest): Result.Result<unknown, string> => {
    if (request.request === "status") return Result.succeed(state())
    if (request.request === "hello") {
      if (owner !== undefined && owner.socket !== socket) {
        return Result.fail(`${owner.name} has the sessions; expected one owner at a time, so end that one first`)
      }
      owner = { socket, name: request.owner }
      ownership.end()
      ownership.begin()
      log("INFO", `${request.owner} has taken over ${sessions.names().length} sessions`)
      return Result.succeed(state())
    }
    if (owner?.socket !== socket) return Result.fail(`${request.request}: expected a hello on this connection before`)
    if (request.request === "remove") return Result.succeed(sessions.remove(request.name))
    const set = sessions.set(request.name, request.session)
    if (Result.isFailure(set)) return Result.fail(`session ${request.name}: ${set.failure}`)
    ownership.claim(request.name)
    return set
  }

  const take = (socket: Socket, line: string): void => {
    const { id, request } = readRequest(line)
    const result = Result.isFailure(request) ? Result.fail(request.failure) : perform(socket, request.success)
    const head = { version: controlVersion, answer: id }
    send(
      socket,
      Result.isFailure(result)
        ? { ...head, ok: false, error: result.failure }
        : { ...head, ok: true, result: result.success }
    )
  }

  const refuse = (socket: Socket, error: string): void => {
    send(socket, { version: controlVersion, answer: null, ok: false, error })
    socket.end()
  }

  const onConnection = (socket: Socket): void => {
    socket.on("error", () => socket.destroy())
    if (connections.size >= connectionsMax)
      return refuse(socket, `there are ${connectionsMax} connections, which is the most`)
    connections.add(socket)
    const reader = makeLineReader(lineBytesMax)
    socket.on("data", (octets: Buffer) => {
      if (reader.isTooLong()) return
      for (const line of reader.push(octets)) take(socket, line)
      if (reader.isTooLong()) refuse(socket, `expected lines of at most ${lineBytesMax} octets, found a longer one`)
    })
    socket.on("close", () => {
      connections.delete(socket)
      if (owner?.socket !== socket) return
      log("INFO", `${owner.name} is gone; ${sessions.names().length} sessions go on`)
      owner = undefined
      ownership.end()
    })
  }

  return new Promise((resolve, reject) => {
    const server = createServer(onConnection)
    server.once("error", reject)
    server.listen(socketPath, () =>
      resolve({
        stop: async () => {
          await sessions.stop()
          server.close()
          for (const socket of connections) socket.destroy()
          ownership.end()
        }
      })
    )
  })
}

const sentence = ({ from, cause, session }: SessionChange): string =>
  cause === undefined
    ? `session ${session.name} with ${session.peerAddress}: ${session.state}, the peer is ${session.remote?.state ?? "not heard"}`
    : `session ${session.name} with ${session.peerAddress}: ${from} to ${session.state}, ${cause}`
