import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Scope } from "effect"
import { systemPath } from "./lab/execute.ts"
import { LabError } from "./lab/lab-error.ts"
import { startProcess, waitUntilReady } from "./lab/processes.ts"
import { freePort, serverFolder } from "./scratch-folder.ts"

/** How to run a NATS server with JetStream. */
export interface NatsOptions {
  /** JetStream's store, configuration and log live here and are kept; without it they go with the scope. */
  readonly folder?: string | undefined
  /** Default 127.0.0.1. */
  readonly host?: string | undefined
  /** The full name of a network namespace to run in; `host` and `port` are then to be given. */
  readonly namespace?: string | undefined
  /** 0, the default, picks one that is free. */
  readonly port?: number | undefined
  /** More of the server's configuration, in its own language: `authorization { ... }`, `accounts { ... }`, `tls { ... }`. */
  readonly configuration?: string | undefined
  /** `configuration` asks for TLS, so the URL says so. */
  readonly tls?: boolean | undefined
}

/** A running nats-server of ours. */
export interface NatsServer {
  /** Without credentials; whoever connects adds its own. */
  readonly url: string
  readonly host: string
  readonly port: number
  readonly folder: string
  readonly storeFolder: string
  readonly logFile: string
  /** Of the server that runs now, or ran last. */
  readonly pid: Effect.Effect<number>
  readonly stop: Effect.Effect<void>
  /** SIGKILL. What JetStream had not synced to disk survives, since the kernel has it. */
  readonly kill: Effect.Effect<void>
  /** Starts it again on the same store and port, after `stop` or `kill`. */
  readonly restart: Effect.Effect<void, LabError>
  /** Removes JetStream's store: streams, messages and consumers. The server must be stopped. */
  readonly wipe: Effect.Effect<void, LabError>
}

/** Starts nats-server from PATH, with JetStream, and waits until it is ready. It ends with the scope and with this process. */
export const startNats = Effect.fn("startNats")(function* (options: NatsOptions = {}) {
  yield* requireNatsServer
  const folder = yield* serverFolder({ prefix: "lowtide-nats", folder: options.folder })
  const host = options.host ?? "127.0.0.1"
  const port = options.namespace === undefined ? yield* freePort(options.port ?? 0, host) : (options.port ?? 4222)
  const storeFolder = join(folder, "store")
  const logFile = join(folder, "nats-server.log")
  const configurationFile = join(folder, "nats-server.conf")
  yield* Effect.sync(() => {
    mkdirSync(storeFolder, { recursive: true })
    writeFileSync(configurationFile, configurationText({ host, port, storeFolder, more: options.configuration ?? "" }))
    chmodSync(configurationFile, 0o600) // users' passwords stand in it
  })
  const scope = yield* Scope.Scope
  const start = launch({ folder, configurationFile, logFile, namespace: options.namespace }).pipe(
    Effect.provideService(Scope.Scope, scope)
  )
  let child = yield* start
  const server: NatsServer = {
    url: `${options.tls === true ? "tls" : "nats"}://${host.includes(":") ? `[${host}]` : host}:${port}`,
    host,
    port,
    folder,
    storeFolder,
    logFile,
    pid: Effect.sync(() => child.pid),
    stop: Effect.suspend(() => Effect.asVoid(child.stop)),
    kill: Effect.suspend(() => Effect.asVoid(child.kill)),
    restart: Effect.gen(function* () {
      if (yield* child.isRunning) return
      child = yield* start
    }),
    wipe: Effect.gen(function* () {
      if (yield* child.isRunning) {
        return yield* new LabError({ operation: `wipe ${storeFolder}`, detail: "expected a stopped server" })
      }
      rmSync(storeFolder, { recursive: true, force: true })
      mkdirSync(storeFolder)
    })
  }
  return server
})

const requireNatsServer = Effect.suspend(() =>
  systemPath.split(":").some((folder) => existsSync(join(folder, "nats-server")))
    ? Effect.void
    : Effect.fail(
        new LabError({
          operation: "find nats-server",
          detail: `expected it on ${systemPath}, found none; install nats-server: apt-get install nats-server`
        })
      )
)

const configurationText = (settings: {
  readonly host: string
  readonly port: number
  readonly storeFolder: string
  readonly more: string
}) =>
  `listen: ${JSON.stringify(`${settings.host.includes(":") ? `[${settings.host}]` : settings.host}:${settings.port}`)}
jetstream { store_dir: ${JSON.stringify(settings.storeFolder)} }
${settings.more}
`

/** The log is appended to over restarts, so only what this start wrote counts. */
const launch = Effect.fnUntraced(function* (plan: {
  readonly folder: string
  readonly configurationFile: string
  readonly logFile: string
  readonly namespace: string | undefined
}) {
  const { folder, configurationFile, logFile, namespace } = plan
  const from = existsSync(logFile) ? statSync(logFile).size : 0
  const child = yield* startProcess({
    name: "nats-server",
    command: ["nats-server", "-c", configurationFile],
    logFile,
    cwd: folder,
    ...(namespace === undefined ? {} : { namespace })
  })
  const isReady = Effect.sync(() => readFileSync(logFile).subarray(from).includes("Server is ready"))
  yield* waitUntilReady(child, isReady, 30_000)
  return child
})
