import { copyFileSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { makeCertificate, startNats } from "@lowtide/testkit"
import { serverFolder } from "@lowtide/testkit/scratch-folder"
import { connect } from "@nats-io/transport-node"
import { Effect, Result, SubscriptionRef } from "effect"
import {
  Bus,
  type BusOptions,
  connectionOptions,
  layerBus,
  natsUsersText,
  newNatsKey,
  readNatsSettings
} from "../src/index.ts"
import { until } from "./live-bus.ts"

/** What one try to connect led to. */
const tryOnce = (options: BusOptions) =>
  Effect.tryPromise({
    try: () => connect({ ...connectionOptions(options), maxReconnectAttempts: 0, waitOnFirstConnect: false }),
    catch: (cause) => (cause instanceof Error ? cause.message : String(cause))
  }).pipe(
    Effect.flatMap((nats) => Effect.promise(() => nats.close())),
    Effect.match({ onSuccess: () => "connected", onFailure: (message) => message })
  )

describe("a connection over TLS", () => {
  it.live("is made to the server that was meant, and to no other", () =>
    Effect.gen(function* () {
      const folder = yield* serverFolder({ prefix: "lowtide-tls" })
      const { certificateFile, keyFile } = yield* makeCertificate(folder, ["127.0.0.1"])
      const other = yield* makeCertificate(join(folder, "other"), ["127.0.0.1"])
      const elsewhere = yield* makeCertificate(join(folder, "elsewhere"), ["localhost"])
      const serverWith = (certificate: string, key: string) =>
        startNats({
          tls: true,
          configuration: `tls { cert_file: ${JSON.stringify(certificate)}, key_file: ${JSON.stringify(key)} }`
        })
      const server = yield* serverWith(certificateFile, keyFile)
      const plain = yield* startNats()
      const to = (url: string, caFile?: string) => tryOnce({ servers: [url], name: "test", caFile })
      assert.match(server.url, /^tls:\/\/127\.0\.0\.1:/)
      assert.strictEqual(yield* to(server.url, certificateFile), "connected")
      assert.strictEqual(yield* to(server.url.replace("tls:", "nats:"), certificateFile), "connected")
      assert.notStrictEqual(yield* to(server.url, other.certificateFile), "connected", "signed by another authority")
      assert.notStrictEqual(yield* to(server.url), "connected", "signed by none that the system knows")
      assert.include(yield* to(plain.url, certificateFile), "tls", "a server without TLS")
      assert.include(yield* to(plain.url.replace("nats:", "tls:")), "tls", "a server without TLS")
      const misnamed = yield* serverWith(elsewhere.certificateFile, elsewhere.keyFile)
      assert.include(yield* to(misnamed.url, elsewhere.certificateFile), "127.0.0.1", "a certificate of another host")
    }).pipe(Effect.scoped)
  )
})

describe("a user's key", () => {
  it.live("is exchanged without a restart, and the old one is then refused", () =>
    Effect.gen(function* () {
      const [old, next] = [newNatsKey(), newNatsKey()]
      const user = { role: "speaker", cluster: "east" } as const
      const folder = yield* serverFolder({ prefix: "lowtide-nkey" })
      const usersFile = join(folder, "nats-users.conf")
      const setUsers = (...publicKeys: ReadonlyArray<string>) =>
        Effect.sync(() => writeFileSync(usersFile, natsUsersText([{ user, publicKeys }])))
      yield* setUsers(old.publicKey)
      const server = yield* startNats({ folder, configuration: 'include "nats-users.conf"' })
      const reload = Effect.flatMap(server.pid, (pid) => Effect.sync(() => process.kill(pid, "SIGHUP")))
      const said = (text: string) =>
        until(
          text,
          Effect.sync(() => readFileSync(server.logFile, "utf8").includes(text))
        )
      const nkeyFile = join(folder, "speaker.nk")
      const oldFile = join(folder, "old.nk")
      writeFileSync(nkeyFile, `${old.seed}\n`)
      copyFileSync(nkeyFile, oldFile)
      const options = { servers: [server.url], name: "test", user }
      yield* Effect.gen(function* () {
        const { connection, connected } = yield* Bus
        const session = yield* connection
        const isUp = (wanted: number) =>
          until(
            `connection ${wanted}`,
            Effect.map(SubscriptionRef.get(connected), ({ up, times }) => up && times === wanted)
          )
        yield* isUp(1)
        yield* setUsers(next.publicKey, old.publicKey)
        yield* reload
        yield* said("Reloaded server configuration")
        yield* Effect.promise(() => session.flush())
        yield* isUp(1) // who is still in the file stays connected
        writeFileSync(nkeyFile, `${next.seed}\n`)
        yield* setUsers(next.publicKey)
        yield* reload // ends the session that the old key opened; the process comes back with the new one
        yield* isUp(2)
        assert.include(yield* tryOnce({ ...options, nkeyFile: oldFile }), "Authorization")
        assert.strictEqual(yield* tryOnce({ ...options, nkeyFile }), "connected")
      }).pipe(Effect.provide(layerBus({ ...options, nkeyFile })))
    }).pipe(Effect.scoped)
  )
})

describe("the settings of NATS", () => {
  const faultsOf = (url: string, nkeyFile?: string, caFile?: string) => {
    const read = readNatsSettings({ url, nkeyFile, caFile })
    return Result.isFailure(read) ? read.failure : []
  }

  it.live("are refused with a line for each that is wrong", () =>
    Effect.gen(function* () {
      const folder = yield* serverFolder({ prefix: "lowtide-settings" })
      const file = (name: string, text: string) => {
        writeFileSync(join(folder, name), text)
        return join(folder, name)
      }
      const seed = file("good.nk", `${newNatsKey().seed}\n`)
      const noSeed = file("bad.nk", "SUSECRET")
      assert.deepStrictEqual(faultsOf("nats://192.0.2.1:4222, tls://[2001:db8::1]:4222", seed), [])
      assert.deepStrictEqual(faultsOf("192.0.2.1:4222"), [
        'LOWTIDE_NATS_URL: expected nats://HOST:PORT or tls://HOST:PORT, found "192.0.2.1:4222"'
      ])
      const faults = faultsOf("nats://u:pw@192.0.2.1", noSeed, seed)
      assert.deepStrictEqual(
        faults.map((fault) => fault.split(":")[0]),
        ["LOWTIDE_NATS_URL", "LOWTIDE_NATS_NKEY_FILE", "LOWTIDE_NATS_CA_FILE"]
      )
      assert.notInclude(faults.join(), "SUSECRET")
      assert.notInclude(faults.join(), "pw@")
      assert.include(faultsOf("nats://192.0.2.1", join(folder, "none")).join(), "ENOENT")
    }).pipe(Effect.scoped)
  )
})
