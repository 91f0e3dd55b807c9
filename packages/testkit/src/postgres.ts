import { randomBytes } from "node:crypto"
import { chownSync, existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Option, Schedule, Scope } from "effect"
import { LabError } from "./lab/lab-error.ts"
import { type LabProcess, startProcess, waitUntilReady } from "./lab/processes.ts"
import {
  findPostgresBinaries,
  installPostgresHint,
  type PostgresBinaries,
  runnableBinaries
} from "./postgres-binaries.ts"
import { freePort, type Identity, serverFolder, unprivilegedIdentity } from "./scratch-folder.ts"

/** How to run a server of our own. */
export interface PostgresOptions {
  /** Data, socket and log live here and are kept; without it they go with the scope. */
  readonly folder?: string | undefined
  /** On 127.0.0.1; 0, the default, picks one that is free. */
  readonly port?: number | undefined
  /** False turns off fsync, synchronous commits and full page writes: for tests that lose nothing by it. Default true. */
  readonly durable?: boolean | undefined
  /** Instead of the first that `findPostgresBinaries` answers. */
  readonly binaries?: PostgresBinaries | undefined
  /**
   * Makes it a streaming standby of this one, which must run and be of the same binaries, with readers let in. Needs their
   * `pg_basebackup`. Data that is there already is kept as it is.
   */
  readonly standbyOf?: Pick<PostgresServer, "socketDirectory" | "port"> | undefined
}

/** A running PostgreSQL of ours. Superuser `postgres`, database `postgres`. */
export interface PostgresServer {
  /** Over TCP on 127.0.0.1, with the password. Secret: do not print it. */
  readonly url: string
  /** Over the Unix socket, reachable from every network namespace by this user (and root) only. */
  readonly socketUrl: string
  readonly socketDirectory: string
  readonly port: number
  readonly folder: string
  readonly logFile: string
  readonly major: number
  /** Of the postmaster that runs now, or ran last. */
  readonly pid: Effect.Effect<number>
  /** A fast shutdown: sessions are ended, everything is written. */
  readonly stop: Effect.Effect<void>
  /** SIGKILL of the postmaster. Its children notice and leave by themselves, a busy one after its statement. */
  readonly kill: Effect.Effect<void>
  /** Starts it again on the same folder and port, after `stop` or `kill`; waits for the former server's children to leave. */
  readonly restart: Effect.Effect<void, LabError>
}

/**
 * A database for the caller: the one at `databaseUrl` when given, which is then not ours to stop, else a server of our own.
 */
export const providePostgres = (
  options: PostgresOptions & { readonly databaseUrl?: string | undefined }
): Effect.Effect<{ readonly url: string; readonly server: Option.Option<PostgresServer> }, LabError, Scope.Scope> =>
  options.databaseUrl !== undefined && options.databaseUrl !== ""
    ? Effect.succeed({ url: options.databaseUrl, server: Option.none() })
    : Effect.map(startPostgres(options), (server) => ({ url: server.url, server: Option.some(server) }))

/**
 * Starts PostgreSQL and waits until it takes connections. Works as root (the server itself runs as user `postgres`, else
 * `nobody`) and as anyone else. The server ends with the scope, and with this process however that one ends.
 */
export const startPostgres = Effect.fn("startPostgres")(function* (options: PostgresOptions = {}) {
  const identity = unprivilegedIdentity(["postgres", "nobody"])
  const folder = yield* serverFolder({ prefix: "lowtide-postgres", folder: options.folder, identity })
  const found = yield* chooseBinaries(folder, options.binaries)
  const binaries = yield* runnableBinaries(found, identity, join(folder, "binaries"))
  const installation: Installation = { folder, binaries, identity }
  const password = yield* prepareData(
    installation,
    options.folder !== undefined && options.durable !== false,
    options.standbyOf
  )
  const port = yield* freePort(options.port ?? 0)
  const scope = yield* Scope.Scope
  const start = startPostmaster(installation, port, options.durable !== false).pipe(
    Effect.provideService(Scope.Scope, scope)
  )
  let postmaster = yield* start
  const restart = Effect.gen(function* () {
    if (yield* postmaster.isRunning) return
    postmaster = yield* start
  })
  const server: PostgresServer = {
    url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    socketUrl: `postgres://postgres@${encodeURIComponent(folder)}:${port}/postgres`,
    socketDirectory: folder,
    port,
    folder,
    logFile: logFileOf(folder),
    major: binaries.major,
    pid: Effect.sync(() => postmaster.pid),
    stop: Effect.suspend(() => Effect.asVoid(postmaster.stop)),
    kill: Effect.suspend(() => Effect.asVoid(postmaster.kill)),
    restart
  }
  return server
})

interface Installation {
  readonly folder: string
  readonly binaries: PostgresBinaries
  readonly identity: Identity | undefined
}

const dataOf = (folder: string) => join(folder, "data")
const logFileOf = (folder: string) => join(folder, "postgres.log")

/** Data of one major version can only be opened by binaries of the same. */
const chooseBinaries = (folder: string, wanted: PostgresBinaries | undefined) =>
  Effect.suspend(() => {
    const found = wanted === undefined ? findPostgresBinaries() : [wanted]
    const versionFile = join(dataOf(folder), "PG_VERSION")
    const major = existsSync(versionFile) ? Number(readFileSync(versionFile, "utf8")) : undefined
    const chosen = found.find((binaries) => major === undefined || binaries.major === major)
    if (chosen !== undefined) return Effect.succeed(chosen)
    const which = found.map((binaries) => `${binaries.major} in ${binaries.folder}`).join(", ") || "none"
    const expected = major === undefined ? "PostgreSQL" : `PostgreSQL ${major}, which made ${folder}`
    return Effect.fail(
      new LabError({
        operation: "find PostgreSQL",
        detail: `expected ${expected}, found ${which}; install postgresql: ${installPostgresHint}`
      })
    )
  })

/** Makes the data folder unless it is there, and answers the password for TCP. */
const prepareData = Effect.fnUntraced(function* (
  installation: Installation,
  sync: boolean,
  primary: PostgresOptions["standbyOf"]
) {
  const { folder, binaries, identity } = installation
  const passwordFile = join(folder, "password")
  if (!existsSync(passwordFile)) {
    const password =
      primary === undefined
        ? randomBytes(18).toString("hex")
        : readFileSync(join(primary.socketDirectory, "password"), "utf8")
    writeFileSync(passwordFile, password, { mode: 0o600 })
    if (identity !== undefined) chownSync(passwordFile, identity.uid, identity.gid)
  }
  const password = readFileSync(passwordFile, "utf8").trim()
  if (existsSync(join(dataOf(folder), "PG_VERSION"))) return password
  const authentication = ["--auth-local=trust", "--auth-host=scram-sha-256", `--pwfile=${passwordFile}`]
  const [program, args]: readonly [string, ReadonlyArray<string>] =
    primary === undefined
      ? [
          "initdb",
          [
            ...["-D", dataOf(folder), "-U", "postgres", "-E", "UTF8", "--locale=C"],
            ...authentication,
            ...(sync ? [] : ["--no-sync"])
          ]
        ]
      : [
          "pg_basebackup",
          [
            ...["-D", dataOf(folder), "-h", primary.socketDirectory, "-p", String(primary.port), "-U", "postgres"],
            ...["--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync"]
          ]
        ]
  const making = yield* startProcess({
    name: program,
    command: [join(binaries.folder, program), ...args],
    logFile: logFileOf(folder),
    cwd: folder,
    ...(identity === undefined ? {} : { identity })
  })
  const end = yield* making.ended
  if (end.code !== 0) {
    const tail = (yield* making.log).trimEnd().split("\n").slice(-5).join("\n")
    return yield* new LabError({
      operation: `${program} in ${folder}`,
      detail: tail || `exit ${end.code ?? end.signal}`
    })
  }
  return password
})

const unsafeSettings = ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]

/** After a SIGKILL the old server's children hold its shared memory until they have noticed. */
const formerServerRemains = (error: LabError) =>
  /pre-existing shared memory block|lock file "[^"]*" already exists/.test(error.detail)

const startPostmaster = (installation: Installation, port: number, durable: boolean) =>
  Effect.gen(function* () {
    const { folder, binaries, identity } = installation
    const postmaster = yield* startProcess({
      name: "postgres",
      command: [
        join(binaries.folder, "postgres"),
        ...["-D", dataOf(folder), "-p", String(port), "-c", "listen_addresses=127.0.0.1"],
        ...["-c", `unix_socket_directories=${folder}`, "-c", "max_wal_size=512MB"],
        ...(durable ? [] : unsafeSettings)
      ],
      logFile: logFileOf(folder),
      cwd: folder,
      stopSignal: "SIGINT",
      stopDeadlineMs: 15_000,
      ...(identity === undefined ? {} : { identity })
    })
    yield* waitUntilReady(postmaster, isReady(folder, postmaster), 60_000)
    return postmaster
  }).pipe(
    Effect.retry({
      while: formerServerRemains,
      schedule: Schedule.spaced("100 millis").pipe(Schedule.upTo({ times: 300 }))
    })
  )

/** The postmaster writes its state into the eighth line of its pid file, its pid into the first. */
const isReady = (folder: string, postmaster: LabProcess) =>
  Effect.sync(() => {
    const file = join(dataOf(folder), "postmaster.pid")
    if (!existsSync(file)) return false
    const lines = readFileSync(file, "utf8").split("\n")
    return Number(lines[0]) === postmaster.pid && lines[7]?.trim() === "ready"
  })
