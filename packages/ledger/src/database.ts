import { Effect, type Scope } from "effect"
import { Kysely, PostgresDialect } from "kysely"
import pg from "pg"
import { Unavailable } from "./errors.ts"
import type { LedgerTables } from "./tables.ts"

/** Connections to one ledger database, each kind with the deadline its use allows. */
export interface Database {
  /** One connection: batches follow each other, and the prepared write statement stays warm. */
  readonly writer: pg.Pool
  /** One connection, so that a renewal never waits behind a query. */
  readonly lease: pg.Pool
  readonly readers: pg.Pool
  readonly kysely: Kysely<LedgerTables>
}

const writerDeadlineMs = 10_000
/**
 * The write statement is planned once, for good: its plan does not depend on its parameters, planning costs ten times
 * its execution, and rows are found by their keys however many there are.
 */
const writerSettings =
  "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off"
const leaseDeadlineMs = 2_000
const readerDeadlineMs = 30_000
const readerConnectionsMax = 6

/**
 * Opens pools; connects when first used and again after a loss, so it never fails. `url` is
 * `postgres://user:password@host:port/database`, or `postgres://user@%2Fsocket%2Ffolder:port/database` for a Unix socket.
 */
export const openDatabase = (url: string): Effect.Effect<Database, never, Scope.Scope> =>
  Effect.gen(function* () {
    const writer = yield* openPool(url, { max: 1, deadlineMs: writerDeadlineMs, settings: writerSettings })
    const lease = yield* openPool(url, { max: 1, deadlineMs: leaseDeadlineMs })
    const readers = yield* openPool(url, { max: readerConnectionsMax, deadlineMs: readerDeadlineMs })
    return {
      writer,
      lease,
      readers,
      kysely: new Kysely<LedgerTables>({ dialect: new PostgresDialect({ pool: readers }) })
    }
  })

/** How many connections, and when a statement on one of them is given up. */
export interface PoolOptions {
  readonly max: number
  readonly deadlineMs: number
  readonly settings?: string
}

/** A pool that survives its server. A statement ends at its deadline; one whose server is silent, a second later. */
export const openPool = (url: string, options: PoolOptions): Effect.Effect<pg.Pool, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => makePool(url, options)),
    (pool) => Effect.promise(() => pool.end().catch(() => undefined))
  )

/** The same pool, for whoever ends it. */
export const makePool = (url: string, options: PoolOptions): pg.Pool => {
  const pool = new pg.Pool({
    connectionString: url,
    max: options.max,
    application_name: "lowtide-ledger",
    idleTimeoutMillis: 0, // a command after a quiet minute should not pay for a new connection
    connectionTimeoutMillis: Math.min(options.deadlineMs, 3_000),
    statement_timeout: options.deadlineMs,
    query_timeout: options.deadlineMs + 1_000,
    idle_in_transaction_session_timeout: 30_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
    options: `-c timezone=UTC -c datestyle=ISO -c jit=off ${options.settings ?? ""}`,
    types: wireTypes
  })
  // A connection was lost: its query, if any, fails by itself, and the next one opens another. `end` answers before the
  // server has let go of the last of them, so it may happen after that as well.
  pool.on("error", () => undefined)
  pool.on("connect", (client) => client.on("error", () => undefined))
  return pool
}

/**
 * How values come back: `bigint` as number (a seq stays below 2^53), `timestamptz` as ISO 8601, `json` and `inet` as the
 * text they are. Everything else as pg has it.
 */
const wireTypes: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: "text" | "binary") => {
    switch (oid) {
      case pg.types.builtins.INT8:
        return Number
      case pg.types.builtins.TIMESTAMPTZ:
        return isoTime
      case pg.types.builtins.JSON:
        return String
      default:
        return pg.types.getTypeParser(oid, format as "text")
    }
  }) as typeof pg.types.getTypeParser
}

/** `2026-11-23 13:39:00.12+00` as `2026-11-23T13:39:00.120Z`; the session's zone is UTC and times are whole milliseconds. */
export const isoTime = (text: string): string =>
  text.endsWith("infinity")
    ? text
    : `${text.slice(0, 10)}T${text.slice(11, 19)}.${text.slice(20, -3).slice(0, 3).padEnd(3, "0")}Z`

/** Runs a query. What fails is `Unavailable`, with the SQLSTATE or the socket's code. */
export const ask = <A>(operation: string, query: () => Promise<A>): Effect.Effect<A, Unavailable> =>
  Effect.tryPromise({ try: query, catch: unavailable(operation) })

/** The same translation, for a failure at hand. */
export const unavailable =
  (operation: string) =>
  (cause: unknown): Unavailable =>
    new Unavailable({ operation, code: errorCode(cause), cause })

/** The SQLSTATE, or Node's code of a socket error. */
export const errorCode = (cause: unknown): string | undefined =>
  typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string"
    ? cause.code
    : undefined
