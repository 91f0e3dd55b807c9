import { deepStrictEqual, strictEqual } from "node:assert"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Bus, type CommandReply, commandSubject, generateKey, layerBus, sendCommand } from "@lowtide/bus"
import { SetDigest } from "@lowtide/bus/digest"
import { readStored } from "@lowtide/bus/read-stream"
import { stateFilter, stateStream } from "@lowtide/bus/subjects"
import type { ClusterHead, Command, NumberedMessage } from "@lowtide/domain"
import { execute, type NatsServer, type PostgresServer, startNats, startPostgres } from "@lowtide/testkit"
import { type LabProcess, startProcess, waitFor, waitUntil } from "@lowtide/testkit/lab/index"
import { Context, Effect, Layer, type Scope } from "effect"
import { mainOf } from "../e2e/processes.ts"

/** A running allocator, as its process and its API. */
export interface RunningAllocator {
  readonly name: string
  readonly process: LabProcess
  readonly url: string
  readonly get: (path: string) => Effect.Effect<HttpAnswer>
  /** `role` of `/readyz`; undefined while it does not answer. */
  readonly role: Effect.Effect<string | undefined>
}

export interface HttpAnswer {
  /** 0 without an answer. */
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: each test knows what it asked for
  readonly body: any
}

/** PostgreSQL, NATS and as many allocators as a test starts, all of them real processes. */
export interface CentreLab {
  readonly folder: string
  readonly postgres: PostgresServer
  readonly nats: NatsServer
  readonly publicPem: string
  readonly privatePem: string
  /** Starts one; it need not lead. */
  readonly allocator: (
    name: string,
    env?: Readonly<Record<string, string>>
  ) => Effect.Effect<RunningAllocator, never, Scope.Scope>
  /** Sends a command of a cluster's agent until it is answered for good. */
  readonly send: (command: Command, id?: number) => Effect.Effect<CommandReply>
  /** Asks once; undefined without an answer in time. */
  readonly ask: (command: Command, id: number, attempt?: number) => Effect.Effect<CommandReply | undefined>
  readonly within: <A, E>(effect: Effect.Effect<A, E, Bus>) => Effect.Effect<A, E>
  // biome-ignore lint/suspicious/noExplicitAny: rows as the statement names them
  readonly sql: (text: string) => Effect.Effect<ReadonlyArray<any>>
}

export const uuid = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`

export const makeCentreLab: Effect.Effect<CentreLab, unknown, Scope.Scope> = Effect.suspend(() =>
  makeCentreLabIn(undefined)
)

/** With PostgreSQL's data in a folder of the caller's, such as a small disk. */
export const makeCentreLabIn: (postgresFolder: string | undefined) => Effect.Effect<CentreLab, unknown, Scope.Scope> =
  Effect.fnUntraced(function* (postgresFolder) {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "lowtide-faults-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
    )
    const postgres = yield* startPostgres({ folder: postgresFolder }) // durable: what is killed in here must lose nothing
    const nats = yield* startNats()
    const { privatePem, publicPem } = generateKey()
    const keyFile = join(folder, "signing.pem")
    writeFileSync(keyFile, privatePem, { mode: 0o600 })
    const bus = Context.get(yield* Layer.build(layerBus({ servers: [nats.url], name: "test" })), Bus)
    const within = <A, E>(effect: Effect.Effect<A, E, Bus>) => Effect.provideService(effect, Bus, bus)
    let runs = 0
    let ids = 0
    const allocator: CentreLab["allocator"] = (name, env = {}) =>
      Effect.gen(function* () {
        runs += 1
        const socket = join(folder, `${name}-${runs}.sock`)
        const process = yield* startProcess({
          name,
          command: [globalThis.process.execPath, mainOf("allocator")],
          logFile: join(folder, `${name}-${runs}.log`),
          env: {
            DATABASE_URL: postgres.url,
            LOWTIDE_NATS_URL: nats.url,
            LOWTIDE_SIGNING_KEY_FILE: keyFile,
            LOWTIDE_SIGNING_KEY_ID: "k1",
            LOWTIDE_HTTP_LISTEN: `unix:${socket}`,
            LOWTIDE_ALLOCATOR_NAME: name,
            ...env
          }
        }).pipe(Effect.orDie)
        const get = (path: string) => Effect.promise(() => getFrom(socket, path))
        const role = Effect.map(get("/readyz"), ({ status, body }) => (status === 0 ? undefined : body.role))
        return { name, process, url: `unix:${socket}`, get, role }
      })
    return {
      folder,
      postgres,
      nats,
      publicPem,
      privatePem,
      allocator,
      within,
      send: (command, id = ++ids) =>
        within(sendCommand("east", { commandId: uuid(id), correlationId: uuid(id), command: command as never })),
      ask: (command, id, attempt = 1) =>
        within(
          Effect.gen(function* () {
            const connection = yield* (yield* Bus).connection
            const text = JSON.stringify({ commandId: uuid(id), correlationId: uuid(id), attempt, command })
            const reply = yield* Effect.tryPromise(() =>
              connection.request(commandSubject("east"), text, { timeout: 2_000 })
            )
            return JSON.parse(reply.string()) as CommandReply
          }).pipe(Effect.orElseSucceed(() => undefined))
        ),
      sql: (text) => Effect.promise(() => execute(postgres.url, text))
    }
  })

/** Has the lease of a leader that died end now, not in its five seconds, for tests that are about what comes after. */
export const leaseEnds = (lab: CentreLab) => lab.sql("update lease set expires_at = clock_timestamp()")

/** Waits until this allocator leads, and answers after how many milliseconds. */
export const leads = (allocator: RunningAllocator, deadlineMs = 30_000) =>
  Effect.gen(function* () {
    const startMs = performance.now()
    yield* waitUntil(
      `${allocator.name} leads`,
      Effect.map(allocator.role, (role) => role === "leader"),
      { deadlineMs }
    )
    return performance.now() - startMs
  })

/** Waits until this allocator follows the log. */
export const follows = (allocator: RunningAllocator) =>
  waitUntil(
    `${allocator.name} follows`,
    Effect.map(allocator.role, (role) => role === "follower"),
    { deadlineMs: 30_000 }
  )

/** Waits until a GET answers what is expected of it. */
export const answers = (allocator: RunningAllocator, path: string, isSo: (answer: HttpAnswer) => boolean) =>
  waitFor(
    `${allocator.name} ${path}`,
    Effect.map(allocator.get(path), (answer) => (isSo(answer) ? answer : undefined)),
    { deadlineMs: 20_000 }
  )

const getFrom = (socketPath: string, path: string): Promise<HttpAnswer> =>
  new Promise((resolve) => {
    const asked = request({ socketPath, path, timeout: 5_000 }, (response) => {
      let text = ""
      response.setEncoding("utf8")
      response.on("data", (chunk: string) => {
        text += chunk
      })
      response.on("end", () => {
        const isJson = /json/.test(response.headers["content-type"] ?? "")
        resolve({ status: response.statusCode ?? 0, body: isJson ? JSON.parse(text) : text })
      })
    })
    asked.on("error", () => resolve({ status: 0, body: undefined }))
    asked.on("timeout", () => asked.destroy())
    asked.end()
  })

const payloadOf = (text: string) => JSON.parse(JSON.parse(text).payload) as NumberedMessage | ClusterHead

/** What a reader of NATS has of the cluster: its set, and whether its head vouches for all of it. */
export const published = (lab: CentreLab) =>
  lab.within(readStored(stateStream, stateFilter("east"))).pipe(
    Effect.map((stored) => {
      const digest = new SetDigest()
      let head: ClusterHead | undefined
      const vips = new Map<string, string>()
      for (const { subject, text } of stored) {
        const message = payloadOf(text)
        if (message._tag === "ClusterHead") head = message
        else digest.add(subject.split(".").slice(4).join("."), message.cseq)
        if (message._tag === "VipIntent") vips.set(message.address, message.services[0]?.name ?? "")
      }
      return { isWhole: head?.digest === digest.toString() && head.count === digest.count, vips }
    }),
    Effect.orElseSucceed(() => ({ isWhole: false, vips: new Map<string, string>() }))
  )

/** Every command that was answered is in the log once, and no seq is missing. */
export const isExact = Effect.fnUntraced(function* (lab: CentreLab, ids: ReadonlyArray<number>) {
  const rows = yield* lab.sql("select command_id, count(*)::int as n from events where type = 'VipAssigned' group by 1")
  deepStrictEqual(
    new Set(rows.map(({ command_id, n }) => `${command_id} ${n}`)),
    new Set(ids.map((id) => `${uuid(id)} 1`))
  )
  const [{ events, seq }] = yield* lab.sql(
    "select count(*)::int as events, (select seq::int from log_head) from events"
  )
  strictEqual(events, seq)
})
