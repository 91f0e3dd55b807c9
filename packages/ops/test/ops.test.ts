import { mkdtempSync, rmSync } from "node:fs"
import { request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Result } from "effect"
import { parseListen, readSettings, serveOperations } from "../src/index.ts"

const environment = (values: Readonly<Record<string, string>>) =>
  ConfigProvider.layer(ConfigProvider.fromUnknown(values))

describe("readSettings", () => {
  const settings = {
    cluster: Config.String("CLUSTER"),
    port: Config.Int("PORT"),
    size: Config.Int("SIZE").pipe(Config.withDefault(4))
  }

  it.effect("reads all, with defaults", () =>
    Effect.gen(function* () {
      const read = yield* readSettings(settings).pipe(Effect.provide(environment({ CLUSTER: "east", PORT: "7" })))
      assert.deepStrictEqual(read, { cluster: "east", port: 7, size: 4 })
    })
  )

  it.effect("tells every fault at once, by the name of its setting", () =>
    Effect.gen(function* () {
      const fault = yield* Effect.flip(readSettings(settings)).pipe(Effect.provide(environment({ PORT: "x" })))
      assert.deepStrictEqual(fault.faults, [
        "CLUSTER: expected a value, found nothing; docs/reference/settings.md says what it is",
        'PORT: expected a finite number, found "x"'
      ])
    })
  )
})

describe("parseListen", () => {
  const rows: ReadonlyArray<readonly [string, object | undefined]> = [
    ["127.0.0.1:9100", { _tag: "Tcp", host: "127.0.0.1", port: 9100 }],
    ["[2001:db8::1]:0", { _tag: "Tcp", host: "2001:db8::1", port: 0 }],
    ["unix:/run/speaker.sock", { _tag: "UnixSocket", path: "/run/speaker.sock" }],
    ["9100", undefined],
    ["host:70000", undefined],
    ["2001:db8::1:9100", undefined],
    ["unix:relative", undefined]
  ]
  it.each(rows)("%s", (text, expected) => assert.deepStrictEqual(Result.getOrUndefined(parseListen(text)), expected))
})

const get = (socketPath: string, path: string): Promise<{ readonly status: number; readonly text: string }> =>
  new Promise((resolve, reject) => {
    const sent = request({ socketPath, path }, (response) => {
      let text = ""
      response.on("data", (chunk) => {
        text += chunk
      })
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }))
    })
    sent.on("error", reject).end()
  })

describe("serveOperations", () => {
  it.live("answers health, readiness with reasons, and metrics; refuses a second server on its socket", () =>
    Effect.gen(function* () {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "lowtide-ops-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
      )
      const path = join(folder, "ops.sock")
      let reasons: ReadonlyArray<string> = ["NATS is away"]
      const serve = serveOperations(
        { _tag: "UnixSocket", path },
        { notReady: Effect.sync(() => reasons), moreMetrics: Effect.succeed("lowtide_up 1\n") }
      )
      yield* serve
      const ask = (asked: string) => Effect.promise(() => get(path, asked))
      assert.deepStrictEqual(yield* ask("/healthz"), { status: 200, text: "ok\n" })
      assert.deepStrictEqual(yield* ask("/readyz"), { status: 503, text: "NATS is away\n" })
      reasons = []
      assert.strictEqual((yield* ask("/readyz")).status, 200)
      assert.include((yield* ask("/metrics")).text, "lowtide_up 1")
      assert.strictEqual((yield* ask("/else")).status, 404)
      const second = yield* Effect.flip(Effect.scoped(serve))
      assert.include(second.message, path)
    }).pipe(Effect.scoped)
  )
})
