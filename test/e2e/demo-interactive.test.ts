import { spawn } from "node:child_process"
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { createConnection } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, it } from "@effect/vitest"
import { namespacesOf, waitUntil } from "@lowtide/testkit/lab/index"
import { Effect } from "effect"

const root = fileURLToPath(new URL("../..", import.meta.url))

const manifest = `
apiVersion: v1
kind: Service
metadata: {name: edited, namespace: shop}
spec: {type: LoadBalancer, selector: {app: edited}, ports: [{port: 80, protocol: TCP}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: edited-1, namespace: shop, labels: {kubernetes.io/service-name: edited}}
addressType: IPv4
endpoints: [{addresses: [10.1.1.99], nodeName: east-1, conditions: {ready: true}}]
ports: [{port: 80}]
`

it.live("the demo stays up, shows the effect of an edit, and Ctrl-C leaves nothing behind", () =>
  Effect.gen(function* () {
    const parent = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "lowtide-interactive-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
    )
    const folder = join(parent, "seen")
    const temporary = join(parent, "tmp")
    mkdirSync(temporary)
    for (const path of [parent, temporary]) chmodSync(path, 0o711) // the routers' and the database's users pass through
    const child = spawn(process.execPath, ["scripts/demo/main.ts", "--folder", folder, "--api-port", "0"], {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, TMPDIR: temporary }
    })
    yield* Effect.addFinalizer(() => Effect.sync(() => child.kill("SIGTERM")))
    let stdout = ""
    let stderr = ""
    child.stdout.on("data", (chunk) => {
      stdout += chunk
    })
    child.stderr.on("data", (chunk) => {
      stderr += chunk
    })
    const has = (text: string) => Effect.sync(() => stdout.includes(text) || stderr.includes(text))
    yield* waitUntil("the demo presents itself", has("Ctrl-C ends it all."), { deadlineMs: 120_000 })
    assert.include(stdout, "NEXT HOPS IN THE ROUTER")
    assert.include(stdout, "every router has just what it should", stdout)
    const port = Number(/http:\/\/127\.0\.0\.1:(\d+)/.exec(stdout)?.[1])
    const prefix = /ip -n (lt[0-9a-f]+)-\S+ route/.exec(stdout)?.[1] ?? "no namespace is told"
    assert.isNotEmpty(namespacesOf(prefix))
    assert.lengthOf(readdirSync(temporary), 1)

    writeFileSync(join(folder, "manifests/east/edited.yaml"), manifest)
    yield* waitUntil("the effect of the edit is told", has("no route -> 10.1.0.11 10.1.0.12 10.1.0.13"))

    child.kill("SIGINT")
    const ended = Effect.sync(() => child.exitCode !== null || child.signalCode !== null)
    yield* waitUntil("the demo has ended", ended, { deadlineMs: 20_000 })
    assert.strictEqual(child.exitCode, 0)
    assert.deepStrictEqual(namespacesOf(prefix), [])
    assert.deepStrictEqual(readdirSync(temporary), [])
    assert.isFalse(yield* Effect.promise(() => answers(port)))
    assert.isTrue(existsSync(join(folder, "statuses/east/Service/shop/edited.yaml")), "what people look at is kept")
  }).pipe(Effect.scoped)
)

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createConnection({ host: "127.0.0.1", port })
    socket.on("connect", () => {
      socket.destroy()
      resolve(true)
    })
    socket.on("error", () => resolve(false))
  })
