import { chmodSync } from "node:fs"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { userHeader } from "@lowtide/api/user-header"
import { removeDeadSocket } from "@lowtide/ops"
import { Effect, Result, Schema, type Scope } from "effect"
import {
  answerFlaps,
  answerPeers,
  answerRoutes,
  answerTruth,
  type ControlPort,
  carryOut,
  type Problem
} from "./answers.ts"

/** `sun_path` of unix(7) has 108 octets, the null octet at its end among them. */
const socketPathBytesMax = 107

/** The speaker's own socket cannot be made: nobody could take anything away by hand. */
export class ControlFailed extends Schema.TaggedError<ControlFailed>()("ControlFailed", {
  path: Schema.String,
  found: Schema.String
}) {
  override get message() {
    return `socket ${this.path}: expected to listen there for a person at the node, found ${this.found}; set LOWTIDE_CONTROL_SOCKET to a path of at most ${socketPathBytesMax} octets in a folder of this speaker's`
  }
}

/** Larger than any order. */
const bodyBytesMax = 65_536

/**
 * Answers who may open a socket of the speaker's own: root, and its user. It needs neither centre nor NATS, and there is no port
 * for it on any network.
 */
export const serveControl = (path: string, port: ControlPort): Effect.Effect<void, ControlFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const lengthBytes = Buffer.byteLength(path)
    if (lengthBytes > socketPathBytesMax)
      return yield* new ControlFailed({ path, found: `a path of ${lengthBytes} octets` })
    yield* removeDeadSocket(path)
    const server = createServer((request, response) => {
      void answer(port, request, response).catch((cause: unknown) => problem(response, 500, { detail: String(cause) }))
    })
    yield* Effect.acquireRelease(listen(server, path), () => close(server))
  })

/** Nobody else may open it, from the moment it is there. */
const listen = (server: Server, path: string): Effect.Effect<Server, ControlFailed> =>
  Effect.callback((resume) => {
    server.once("error", (cause: NodeJS.ErrnoException) =>
      resume(new ControlFailed({ path, found: cause.code ?? cause.message }))
    )
    const before = process.umask(0o177)
    try {
      server.listen(path, () => {
        chmodSync(path, 0o600)
        resume(Effect.succeed(server))
      })
    } finally {
      process.umask(before)
    }
  })

const close = (server: Server): Effect.Effect<void> =>
  Effect.callback((resume) => {
    server.close(() => resume(Effect.void))
    server.closeAllConnections()
  })

const answer = async (port: ControlPort, request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const url = new URL(request.url ?? "/", "http://localhost")
  const given = Object.fromEntries(url.searchParams)
  switch (`${request.method} ${url.pathname}`) {
    case "GET /v1/bgp/peers":
      return send(response, answerPeers(port, given))
    case "GET /v1/bgp/routes":
      return send(response, answerRoutes(port, given))
    case "GET /v1/bgp/flaps":
      return send(response, answerFlaps(port, given))
    case "GET /v1/node":
      return send(response, Result.succeed(answerTruth(port)))
    case "POST /v1/node/withdraw":
      return send(response, await carryOut(port, "withdraw", await orderOf(request)))
    case "POST /v1/node/restore":
      return send(response, await carryOut(port, "restore", await orderOf(request)))
    default:
      problem(response, 404, { detail: `path: expected one of a speaker's, found ${request.method} ${url.pathname}` })
  }
}

/** Who asks is who says so: the socket itself lets in nobody but root and the speaker's user. */
const orderOf = async (request: IncomingMessage): Promise<{ readonly body: string; readonly actor: string }> => {
  const chunks: Array<Buffer> = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes <= bodyBytesMax) chunks.push(chunk)
  }
  const user = request.headers[userHeader]
  const name = typeof user === "string" && /^[\x21-\x7e]{1,64}$/.test(user) ? user : "unknown"
  return { body: bytes > bodyBytesMax ? "" : Buffer.concat(chunks).toString("utf8"), actor: `local:${name}` }
}

const send = (response: ServerResponse, result: Result.Result<unknown, Problem>): void => {
  if (Result.isFailure(result)) {
    const { kind, field, detail } = result.failure
    return problem(response, kind === "not-found" ? 404 : 400, { kind, field, detail })
  }
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(result.success))
}

/** Problem details (RFC 9457), as the allocator answers them. */
const problem = (
  response: ServerResponse,
  status: number,
  { kind, field, detail }: Partial<Problem> & { readonly detail: string }
): void => {
  const title = status === 404 ? "Not Found" : status === 400 ? "Invalid Query" : "Internal Server Error"
  const type = kind === undefined ? "about:blank" : `https://lowtide.dev/problems/${kind}`
  const body = { type, title, status, detail, ...(kind === "invalid-query" && { field }) }
  response.writeHead(status, { "content-type": "application/problem+json" }).end(JSON.stringify(body))
}
