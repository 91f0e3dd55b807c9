import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import { LabError } from "./lab/lab-error.ts"

/** Who a server runs as. */
export interface Identity {
  readonly uid: number
  readonly gid: number
}

/** For a server that refuses root: the first of these users that exists, or undefined when this process is not root. */
export const unprivilegedIdentity = (candidates: ReadonlyArray<string>): Identity | undefined => {
  if (process.getuid?.() !== 0) return undefined
  const users = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"))
  const found = candidates.map((name) => users.find((user) => user[0] === name)).find((user) => user !== undefined)
  return found === undefined ? undefined : { uid: Number(found[2]), gid: Number(found[3]) }
}

/** The given folder, made when missing and kept afterwards, or a new one that goes with the scope. Mode 0700, owned by `identity`. */
export const serverFolder = (options: {
  readonly prefix: string
  readonly folder?: string | undefined
  readonly identity?: Identity | undefined
}): Effect.Effect<string, LabError, Scope.Scope> => {
  const attempt = Effect.try({
    try: () => {
      const folder = options.folder ?? mkdtempSync(join(tmpdir(), `${options.prefix}-`))
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      chmodSync(folder, 0o700)
      if (options.identity !== undefined) chownSync(folder, options.identity.uid, options.identity.gid)
      return folder
    },
    catch: (cause) => new LabError({ operation: `make the folder for ${options.prefix}`, detail: String(cause) })
  })
  return options.folder !== undefined
    ? attempt
    : Effect.acquireRelease(attempt, (folder) =>
        Effect.sync(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }))
      )
}

/** A TCP port that is free at this moment, when `wanted` is 0; another process may take it before it is used. */
export const freePort = (wanted: number, host = "127.0.0.1"): Effect.Effect<number, LabError> =>
  wanted !== 0
    ? Effect.succeed(wanted)
    : Effect.callback((resume) => {
        const server = createServer()
        server.once("error", (error) =>
          resume(Effect.fail(new LabError({ operation: `pick a port on ${host}`, detail: error.message })))
        )
        server.listen(0, host, () => {
          const address = server.address()
          const port = typeof address === "object" && address !== null ? address.port : 0
          server.close(() => resume(Effect.succeed(port)))
        })
      })
