import { createServer, type Server } from "node:http"
import { createServer as createTlsServer } from "node:https"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { parseIpAddress } from "@lowtide/net"
import { type ListenAddress, parseListen, removeDeadSocket } from "@lowtide/ops"
import { ByteSize, Data, Effect, Layer, Result } from "effect"
import type { HttpServerError } from "effect/http"
import { type CertificateFiles, followCertificate, readCertificate } from "./certificate.ts"

/** Where the API cannot be served. */
export class InvalidListen extends Data.TaggedError("InvalidListen")<{
  readonly expected: string
  readonly found: string
}> {
  override get message() {
    return `listen address: expected ${this.expected}, found ${JSON.stringify(this.found)}`
  }
}

/** By what callers and the API know each other, which decides who may reach it. */
export interface ApiProtection {
  /** Callers are asked for a token. */
  readonly hasTokens: boolean
  /** With what the API speaks TLS; plain HTTP without. */
  readonly tls?: CertificateFiles | undefined
  /** Something in front of the API speaks TLS in its place. */
  readonly isBehindProxy?: boolean | undefined
}

/**
 * Reads `127.0.0.1:7070`, `[::1]:7070`, `localhost:7070` or `unix:/run/lowtide/api.sock`. Where callers are not asked who
 * they are, or would send their tokens in clear, other machines must not reach the API: anything but a loopback address is
 * refused.
 */
export const parseApiListen = (
  text: string,
  protection: ApiProtection
): Result.Result<ListenAddress, InvalidListen> => {
  const { hasTokens, tls, isBehindProxy = false } = protection
  const address = parseListen(text)
  if (Result.isFailure(address))
    return Result.fail(new InvalidListen({ expected: "HOST:PORT or unix:/PATH", found: text }))
  if (address.success._tag === "Tcp" && !hasTokens && !isLoopback(address.success.host)) {
    const expected = "a loopback address, since callers are not asked who they are without LOWTIDE_TOKENS_FILE"
    return Result.fail(new InvalidListen({ expected, found: text }))
  }
  if (address.success._tag === "Tcp" && tls === undefined && !isBehindProxy && !isLoopback(address.success.host)) {
    const expected =
      "a loopback address, since tokens would go over the network in clear without LOWTIDE_HTTP_CERT_FILE and LOWTIDE_HTTP_KEY_FILE"
    return Result.fail(new InvalidListen({ expected, found: text }))
  }
  if (address.success._tag === "UnixSocket" && tls !== undefined)
    return Result.fail(new InvalidListen({ expected: "HOST:PORT, since TLS is not for a socket", found: text }))
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

/** Larger than any order: an object has at most half a million characters. What is beyond it is not kept in memory. */
export const bodyMax = ByteSize.mebibytes(2)

/** How long a request may take to come in, milliseconds; answers take as long as their reader does. */
const incoming = { headersTimeout: 10_000, requestTimeout: 30_000 }

/** A server, with what serving files and bodies takes on Node. */
export type HttpServerServices = Layer.Success<ReturnType<typeof NodeHttpServer.layer>>

/** The HTTP server on `HOST:PORT` (port 0: any) or `unix:/PATH`; a socket that a dead process left is replaced. */
export const layerHttpServer = (
  listen: string,
  protection: ApiProtection
): Layer.Layer<HttpServerServices, InvalidListen | HttpServerError.ServeError> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const address = yield* Effect.fromResult(parseApiListen(listen, protection))
      if (address._tag === "UnixSocket") yield* removeDeadSocket(address.path)
      const options = address._tag === "Tcp" ? { host: address.host, port: address.port } : { path: address.path }
      const server = protection.tls === undefined ? createServer(incoming) : yield* tlsServer(protection.tls)
      return NodeHttpServer.layer(() => server, { ...options, gracefulShutdownTimeout: drainTimeout })
    })
  )

/** A server whose certificate is the one that the files have, also when they are exchanged while it runs. */
const tlsServer = Effect.fnUntraced(function* (files: CertificateFiles) {
  const certificate = readCertificate(files)
  if (Result.isFailure(certificate)) {
    return yield* new InvalidListen({ expected: "a certificate to listen with", found: certificate.failure })
  }
  const server = createTlsServer({ ...incoming, cert: certificate.success.cert, key: certificate.success.key })
  const follow = followCertificate(files, certificate.success, ({ cert, key }) =>
    server.setSecureContext({ cert, key })
  )
  yield* Effect.forkScoped(follow)
  return server as unknown as Server // what differs between the two is of no matter to who serves requests
})
