import { existsSync, unlinkSync } from "node:fs"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { connect } from "node:net"
import { Data, Effect, type Scope } from "effect"
import { PrometheusMetrics } from "effect/observability"
import type { ListenAddress } from "./settings.ts"

/** The endpoints could not be opened. */
export class ListenFailed extends Data.TaggedError("ListenFailed")<{
  readonly address: string
  readonly cause: unknown
}> {
  override get message() {
    return `cannot listen on ${this.address}: ${this.cause instanceof Error ? this.cause.message : String(this.cause)}`
  }
}

/** What a process says of itself. */
export interface Operations {
  /** Why it is not ready; empty when it is. */
  readonly notReady: Effect.Effect<ReadonlyArray<string>>
  /** Metrics beside those of Effect's registry, in the text format of Prometheus. */
  readonly moreMetrics?: Effect.Effect<string>
}

/**
 * Serves `/metrics` (Prometheus text format), `/healthz` (the process answers) and `/readyz` (503 with the reasons while
 * it is not ready) until the scope closes.
 */
export const serveOperations = (
  address: ListenAddress,
  operations: Operations
): Effect.Effect<void, ListenFailed, Scope.Scope> =>
  Effect.gen(function* () {
    if (address._tag === "UnixSocket") yield* removeDeadSocket(address.path)
    const server = createServer((request, response) => {
      Effect.runFork(answer(request, response, operations))
    })
    yield* Effect.acquireRelease(listen(server, address), () => close(server))
  })

const answer = (request: IncomingMessage, response: ServerResponse, operations: Operations): Effect.Effect<void> =>
  Effect.gen(function* () {
    switch (new URL(request.url ?? "/", "http://localhost").pathname) {
      case "/healthz":
        return end(response, 200, "ok\n")
      case "/readyz": {
        const reasons = yield* operations.notReady
        return reasons.length === 0 ? end(response, 200, "ready\n") : end(response, 503, `${reasons.join("\n")}\n`)
      }
      case "/metrics": {
        const counted = yield* PrometheusMetrics.format()
        const more = operations.moreMetrics === undefined ? "" : yield* operations.moreMetrics
        return end(response, 200, [counted, more].filter((text) => text !== "").join("\n"))
      }
      default:
        return end(response, 404, "expected /metrics, /healthz or /readyz\n")
    }
  })

const end = (response: ServerResponse, status: number, text: string): void => {
  response.writeHead(status, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }).end(text)
}

const listen = (server: Server, address: ListenAddress): Effect.Effect<Server, ListenFailed> =>
  Effect.callback((resume) => {
    const name = address._tag === "Tcp" ? `${address.host}:${address.port}` : `unix:${address.path}`
    server.once("error", (cause) => resume(Effect.fail(new ListenFailed({ address: name, cause }))))
    const done = () => resume(Effect.succeed(server))
    if (address._tag === "Tcp") server.listen({ host: address.host, port: address.port }, done)
    else server.listen(address.path, done)
  })

const close = (server: Server): Effect.Effect<void> =>
  Effect.callback((resume) => {
    server.close(() => resume(Effect.void))
    server.closeAllConnections()
  })

/** A socket in the file system outlives its process and would be in the way of the next; a living one is left alone. */
export const removeDeadSocket = (path: string): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (!existsSync(path)) return resume(Effect.void)
    const probe = connect(path)
    probe.on("connect", () => {
      probe.destroy()
      resume(Effect.void)
    })
    probe.on("error", ({ code }: NodeJS.ErrnoException) => {
      if (code === "ECONNREFUSED") unlinkSync(path)
      resume(Effect.void)
    })
  })
