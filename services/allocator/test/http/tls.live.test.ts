import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connect } from "node:tls"
import { layerUndiciOptions } from "@effect/platform-node/NodeHttpClient"
import { assert, describe, it } from "@effect/vitest"
import { LowtideClient, layerClient } from "@lowtide/api"
import { makeCertificate } from "@lowtide/testkit/certificate"
import { memoryLedger } from "@lowtide/testkit/memory-ledger"
import { Effect, Layer, Metric } from "effect"
import { HttpClient, HttpServer } from "effect/http"
import { layerHttp } from "../../src/http/index.ts"
import { until } from "../live.ts"
import { commitSample, deafBus, fixedCentre, startMs } from "./sample.ts"

const folderOf = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "lowtide-tls-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
)

const gauge = (name: string) =>
  Effect.map(Metric.snapshot, (all) => {
    const found = all.find(({ id }) => id === name)
    return found?.type === "Gauge" ? Number(found.state.value) : undefined
  })

/** Which certificate a new connection is shown, by the digest of its octets. */
const shown = (port: number) =>
  Effect.callback<string>((resume) => {
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false }, () => {
      resume(Effect.succeed(socket.getPeerCertificate().fingerprint256))
      socket.destroy()
    })
  })

describe("the API over TLS", () => {
  it.live("answers who believes its authority, and shows a certificate that was exchanged while it runs", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf
      const one = yield* makeCertificate(join(folder, "one"), ["127.0.0.1"])
      const two = yield* makeCertificate(join(folder, "two"), ["127.0.0.1"])
      const files = { certificateFile: join(folder, "api.pem"), keyFile: join(folder, "api-key.pem") }
      const install = (from: typeof one) => {
        copyFileSync(from.keyFile, files.keyFile)
        copyFileSync(from.certificateFile, files.certificateFile)
      }
      install(one)
      const clock = { nowMs: startMs }
      const ledger = memoryLedger({ nowMs: () => clock.nowMs })
      const centre = Layer.unwrap(Effect.map(commitSample(clock), (view) => fixedCentre(view, {})))
      const services = yield* Layer.build(
        layerHttp("127.0.0.1:0", undefined, { tls: files }).pipe(
          Layer.provide([centre, deafBus]),
          Layer.provideMerge(ledger)
        )
      )
      const { address } = yield* Effect.provideContext(HttpServer.HttpServer, services)
      const port = address._tag === "InetAddressV4" ? address.port : 0
      const ask = (url: string, authorities?: string) =>
        LowtideClient.use((api) => api.fleet.services({ query: {} })).pipe(
          Effect.provide(layerClient({ _tag: "Url", url }, { authorities })),
          Effect.result,
          Effect.map(({ _tag }) => _tag)
        )
      const [first, second] = [one, two].map(({ certificateFile }) => readFileSync(certificateFile, "utf8"))
      const url = `https://127.0.0.1:${port}`
      assert.strictEqual(yield* ask(url, first), "Success")
      assert.strictEqual(yield* ask(url, second), "Failure", "another authority")
      assert.strictEqual(yield* ask(url), "Failure", "the system's authorities")
      assert.strictEqual(yield* ask(`https://localhost:${port}`, first), "Failure", "another name")
      assert.strictEqual(yield* ask(`http://127.0.0.1:${port}`), "Failure", "plain HTTP")
      const health = yield* HttpClient.get(`${url}/healthz`).pipe(
        Effect.provide(layerUndiciOptions({ connect: { ca: first ?? "" } }))
      )
      assert.strictEqual(health.status, 200)
      const before = yield* shown(port)

      copyFileSync(two.certificateFile, files.certificateFile) // its key is still the first one's
      yield* until(
        "the alarm",
        Effect.map(gauge("lowtide_certificate_stale"), (value) => value === 1)
      )
      assert.strictEqual(yield* shown(port), before)
      assert.strictEqual(yield* ask(url, first), "Success", "the one before stays in use")
      install(two)
      yield* until(
        "the alarm ends",
        Effect.map(gauge("lowtide_certificate_stale"), (value) => value === 0)
      )
      assert.notStrictEqual(yield* shown(port), before)
      assert.strictEqual(yield* ask(url, second), "Success")
      assert.isAbove((yield* gauge("lowtide_certificate_not_after_seconds")) ?? 0, Date.now() / 1000)
      writeFileSync(files.certificateFile, "")
      const refused = yield* Effect.flip(
        Effect.scoped(Layer.build(layerHttp("127.0.0.1:0", undefined, { tls: files }))).pipe(
          Effect.provideContext(services as never)
        )
      )
      assert.include(String(refused), "expected a certificate")
    }).pipe(Effect.scoped)
  )
})
