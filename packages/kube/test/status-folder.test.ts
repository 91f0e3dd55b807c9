import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type ObjectStatus, removeStatus, statusPath, writeStatus } from "../src/index.ts"

const inFolder = (test: (folder: string) => Effect.Effect<void, unknown>) =>
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "lowtide-status-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  ).pipe(Effect.flatMap(test), Effect.scoped)

const status = (ip: string): ObjectStatus => ({
  apiVersion: "v1",
  kind: "Service",
  namespace: "shop",
  name: "web",
  status: { loadBalancer: { ingress: [{ ip }] } }
})

describe("writeStatus", () => {
  it.effect("writes a manifest with the status alone, and leaves no draft", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        assert.isTrue(yield* writeStatus(folder, status("192.0.2.1")))
        assert.strictEqual(
          readFileSync(join(folder, "Service/shop/web.yaml"), "utf8"),
          "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  namespace: shop\nstatus:\n  loadBalancer:\n    ingress:\n      - ip: 192.0.2.1\n"
        )
        assert.deepStrictEqual(readdirSync(join(folder, "Service/shop")), ["web.yaml"])
      })
    )
  )

  it.effect("touches nothing when the file says so already, and replaces the file when not", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const path = statusPath(folder, status(""))
        yield* writeStatus(folder, status("192.0.2.1"))
        const { ino } = statSync(path)
        assert.isFalse(yield* writeStatus(folder, status("192.0.2.1")))
        assert.strictEqual(statSync(path).ino, ino)
        assert.isTrue(yield* writeStatus(folder, status("192.0.2.2")))
        assert.notStrictEqual(statSync(path).ino, ino, "renamed over, never written in place")
        assert.include(readFileSync(path, "utf8"), "192.0.2.2")
      })
    )
  )

  it.effect("writes what is wrong with a file that lies in a folder of its own", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const ofFile = { ...status("192.0.2.1"), kind: "File", namespace: "", name: "services/shop/web.yaml" }
        assert.isTrue(yield* writeStatus(folder, ofFile))
        assert.deepStrictEqual(readdirSync(join(folder, "File/services/shop")), ["web.yaml.yaml"])
      })
    )
  )

  it.effect("removes the status of an object that is gone, once", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        yield* writeStatus(folder, status("192.0.2.1"))
        assert.isTrue(yield* removeStatus(folder, status("")))
        assert.isFalse(yield* removeStatus(folder, status("")))
        assert.deepStrictEqual(readdirSync(join(folder, "Service/shop")), [])
      })
    )
  )

  it.effect("puts objects without a namespace beside those with, without collision", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        yield* writeStatus(folder, { ...status("192.0.2.1"), kind: "Node", namespace: "", name: "east-1" })
        assert.include(readFileSync(join(folder, "Node/east-1.yaml"), "utf8"), "metadata:\n  name: east-1\nstatus:")
      })
    )
  )

  it.effect("fails with the path, and leaves what is there, when it cannot write", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        mkdirSync(join(folder, "Service"))
        writeFileSync(join(folder, "Service/shop"), "a file where a folder must be")
        const failure = yield* Effect.flip(writeStatus(folder, status("192.0.2.1")))
        assert.strictEqual(failure._tag, "StatusUnwritable")
        assert.include(failure.message, join(folder, "Service/shop/web.yaml"))
        assert.strictEqual(readFileSync(join(folder, "Service/shop"), "utf8"), "a file where a folder must be")
      })
    )
  )
})
