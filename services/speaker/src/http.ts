import { rmSync } from "node:fs"
import { createServer, type RequestListener } from "node:http"
import { connect, type ListenOptions } from "node:net"
import { Effect, Result, Schema, type Scope } from "effect"
import { renderMetrics } from "./metrics.ts"
import type { Speaker } from "./speaker.ts"

/** The address that health and metrics are to be served on is not to be had. */
export class HttpListenFailed extends Schema.TaggedError<HttpListenFailed>()("HttpListenFailed", {
  listen: Schema.String,
  cause: Schema.Defect()
}) {
  override get message() {
    return `expected to serve HTTP on ${this.listen}: ${String(this.cause)}`
  }
}

/** Reads `host:port`, `[2001:db8::1]:port` or `unix:/path`. */
export const parseListen = (text: string): Result.Result<ListenOptions, string> => {
  if (text.startsWith("unix:/")) return Result.succeed({ path: text.slice("unix:".length) })
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 0xffff) {
    return Result.fail(`expected host:port or unix:/path, found ${JSON.stringify(text)}`)
  }
  return Result.succeed({ host: match[1] ?? match[2] ?? "", port })
}

/** Serves /metrics, /healthz (the process lives) and /readyz (its state is loaded and its sessions are configured). */
export const serveHttp = (
  speaker: Speaker,
  listen: ListenOptions,
  monotonicMs: () => number
): Effect.Effect<void, HttpListenFailed, Scope.Scope> => {
  const server = createServer(handle(speaker, monotonicMs))
  const failed = (cause: unknown) =>
    new HttpListenFailed({ listen: listen.path ?? `${listen.host}:${listen.port}`, cause })
  return Effect.acquireRelease(
    Effect.tryPromise({
      try: async () => {
        if (listen.path !== undefined) await removeUnused(listen.path)
        await new Promise<void>((resolve, reject) => server.once("error", reject).listen(listen, resolve))
      },
      catch: failed
    }),
    () =>
      Effect.sync(() => {
        server.close()
        server.closeAllConnections()
      })
  )
}

/** A socket that a killed process left is in the way of listening; one that somebody answers on stays. */
const removeUnused = (path: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const probe = connect(path)
    probe.once("connect", () => {
      probe.destroy()
      reject(new Error("another process listens there"))
    })
    probe.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED") rmSync(path, { force: true })
      resolve()
    })
  })

const handle =
  (speaker: Speaker, monotonicMs: () => number): RequestListener =>
  (request, response) => {
    const answer = (status: number, text: string, type = "text/plain; charset=utf-8") =>
      response.writeHead(status, { "content-type": type }).end(text)
    switch (request.url?.split("?")[0]) {
      case "/metrics":
        answer(200, renderMetrics(speaker, monotonicMs()), "text/plain; version=0.0.4; charset=utf-8")
        return
      case "/healthz":
        answer(200, "ok\n")
        return
      case "/readyz":
        if (speaker.isReady) answer(200, "ok\n")
        else answer(503, "no sessions are configured yet, or saved state waits to be vouched for\n")
        return
      default:
        answer(404, "expected /metrics, /healthz or /readyz\n")
    }
  }
