import { execFile } from "node:child_process"
import { createPublicKey, randomUUID } from "node:crypto"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Bus, commandSubject, generateKey, layerBus, readLast, sendCommand } from "@lowtide/bus"
import { auditStream, checkpointSubject } from "@lowtide/bus/subjects"
import { withClient } from "@lowtide/ledger/client"
import { verifierKey } from "@lowtide/ledger/proofs/checkpoint"
import { execute, startNats, startPostgres } from "@lowtide/testkit"
import { startProcess } from "@lowtide/testkit/lab/index"
import { waitUntil } from "@lowtide/testkit/lab/wait"
import { freePort, serverFolder } from "@lowtide/testkit/scratch-folder"
import { Effect, Layer } from "effect"
import { mainOf } from "./processes.ts"

export const root = fileURLToPath(new URL("../..", import.meta.url))

/** How a command ended, and what it printed. */
export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export const run = (...command: ReadonlyArray<string>): Effect.Effect<Ran> =>
  Effect.callback((resume) => {
    execFile(process.execPath, [...command], { maxBuffer: 1 << 28 }, (error, stdout, stderr) =>
      resume(Effect.succeed({ code: error === null ? 0 : Number(error.code), stdout, stderr }))
    )
  })

/** Of an allocator that compares nothing: what a test changes behind its back is for the proofs to find. */
export const uncompared = { LOWTIDE_REPLAY_CHECK_SECONDS: "0" } as const

/** A centre without speakers: its allocator can be ended and started again, its ledger changed behind its back. */
export const startCentre = Effect.fnUntraced(function* (settings: Readonly<Record<string, string>> = {}) {
  const folder = yield* serverFolder({ prefix: "lowtide-audit" })
  const postgres = yield* startPostgres()
  const nats = yield* startNats()
  const intents = generateKey()
  const checkpoints = generateKey()
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  const keys = file("keys.txt", `${verifierKey("lowtide-test", createPublicKey(checkpoints.publicPem))}\n`)
  const port = yield* freePort(0)
  const env = {
    DATABASE_URL: postgres.url,
    LOWTIDE_NATS_URL: nats.url,
    LOWTIDE_SIGNING_KEY_FILE: file("signing.pem", intents.privatePem),
    LOWTIDE_SIGNING_KEY_ID: "k1",
    LOWTIDE_CHECKPOINT_KEY_FILE: file("checkpoint.pem", checkpoints.privatePem),
    LOWTIDE_CHECKPOINT_KEY_ID: "lowtide-test",
    LOWTIDE_CHECKPOINT_DIR: join(folder, "checkpoints"),
    LOWTIDE_CHECKPOINT_SECONDS: "1",
    LOWTIDE_HTTP_LISTEN: `127.0.0.1:${port}`,
    ...settings
  }
  const allocate = Effect.gen(function* () {
    const child = yield* startProcess({
      name: "allocator",
      command: [process.execPath, mainOf("allocator")],
      logFile: join(folder, "allocator.log"),
      env
    })
    yield* waitUntil(
      "a leader",
      Effect.promise(() =>
        fetch(`http://127.0.0.1:${port}/readyz`).then(
          ({ ok }) => ok,
          () => false
        )
      ),
      { deadlineMs: 30_000 }
    )
    return child
  })
  const query = (text: string) => execute(postgres.url, text)
  const bus = yield* Layer.build(layerBus({ servers: [nats.url], name: "test" }))
  const within = Effect.provideContext(bus)
  const lowtide = (...args: ReadonlyArray<string>) =>
    run(mainOf("cli"), ...args, "--server", `http://127.0.0.1:${port}`)
  let nodes = 0
  return {
    ...{ folder, keys, postgres, nats, allocate, lowtide },
    server: `http://127.0.0.1:${port}`,
    query,
    rows: (text: string) => Effect.promise(() => query(text)),
    path: (name: string) => join(folder, name),
    checkpoints: join(folder, "checkpoints"),
    verifyServer: lowtide("audit", "verify", "--key", keys),
    /** So many new events, each of a node that is seen. */
    grow: (count: number) =>
      within(
        Effect.forEach(
          Array.from({ length: count }, () => ++nodes),
          (index) => {
            const node = { name: `n-${index}`, labels: { é: "ü" }, networkUnavailable: false, addresses: [] }
            const id = { commandId: randomUUID(), correlationId: randomUUID() }
            return sendCommand("east", { ...id, command: { _tag: "ObserveNode", cluster: "east", node } })
          },
          { concurrency: 64, discard: true }
        )
      ),
    /** What one command is answered, without trying again. */
    askOnce: within(
      Effect.gen(function* () {
        const connection = yield* (yield* Bus).connection
        const node = { name: "one", labels: {}, networkUnavailable: false, addresses: [] }
        const command = { _tag: "ObserveNode", cluster: "east", node }
        const text = JSON.stringify({ commandId: randomUUID(), correlationId: randomUUID(), command })
        return yield* Effect.promise(() =>
          connection.request(commandSubject("east"), text, { timeout: 10_000 }).then(
            (reply) => reply.string(),
            () => "nobody answers" // between two leaderships
          )
        )
      })
    ),
    inStream: within(readLast(auditStream, checkpointSubject)),
    /** As a superuser does it who wants no trace. */
    behindTheBack: (...statements: ReadonlyArray<string>) =>
      Effect.promise(() =>
        withClient(postgres.url, async (client) => {
          await client.query("set session_replication_role = replica")
          for (const statement of statements) await client.query(statement)
        })
      )
  }
})
