import { createServer } from "node:http"
import { NodeHttpServer } from "@effect/platform-node"
import { parseIpAddress } from "@lowtide/net"
import { type ListenAddress, parseListen, removeDeadSocket } from "@lowtide/ops"
import { Data, Effect, Layer, Result } from "effect"
import type { HttpServerError } from "effect/http"

/** Where the API cannot be served. */
export class InvalidListen extends Data.TaggedError("InvalidListen")<{
  readonly expected: string
  readonly found: string
}> {
  override get message() {
    return `listen address: expected ${this.expected}, found ${JSON.stringify(this.found)}`
  }
}

/**
 * Reads `127.0.0.1:7070`, `[::1]:7070`, `localhost:7070` or `unix:/run/lowtide/api.sock`. Where callers are not asked who
 * they are, other machines must not reach the API: anything but a loopback address is refused.
 */
export const parseApiListen = (text: string, hasTokens: boolean): Result.Result<ListenAddress, InvalidListen> => {
  const address = parseListen(text)
  if (Result.isFailure(address))
    return Result.fail(new InvalidListen({ expected: "HOST:PORT or unix:/PATH", found: text }))
  if (address.success._tag === "Tcp" && !hasTokens && !isLoopback(address.success.host)) {
    const expected = "a loopback address, since callers are not asked who they are without LOWTIDE_TOKENS_FILE"
    return Result.fail(new InvalidListen({ expected, found: text }))
  }
  return Result.succeed(address.success)
}

/** Whether only this machine reaches the host. */
export const isLoopback = (host: string): boolean => {
  if (host === "localhost") return true
  const address = Result.getOrUndefined(parseIpAddress(host))
  if (address === undefined) return false
  return address.family === 4 ? address.value >> 24n === 127n : address.value === 1n
}

/** How long requests in flight may take once the process is to end. */
const drainTimeout = "2 seconds"

/** A server, with what serving files and bodies takes on Node. */
export type HttpServerServices = Layer.Success<ReturnType<typeof NodeHttpServer.layer>>

/** The HTTP server on `HOST:PORT` (port 0: any) or `unix:/PATH`; a socket that a dead process left is replaced. */
export const layerHttpServer = (
  listen: string,
  hasTokens: boolean
): Layer.Layer<HttpServerServices, InvalidListen | HttpServerError.ServeError> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const address = yield* Effect.fromResult(parseApiListen(listen, hasTokens))
      if (address._tag === "UnixSocket") yield* removeDeadSocket(address.path)
      const options = address._tag === "Tcp" ? { host: address.host, port: address.port } : { path: address.path }
      return NodeHttpServer.layer(() => createServer(), { ...options, gracefulShutdownTimeout: drainTimeout })
    })
  )
