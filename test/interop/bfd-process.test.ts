import { statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { type Lab, makeLab, startProcess, startReady, waitUntil } from "@lowtide/testkit/lab/index"
import { Effect } from "effect"
import { makeBfdLab, sessionsOfLab, startBfd, startBirdBfd, startOwner } from "./bfd-lab.ts"

const specOf = (lab: Lab, namespace: string, name: string, args: ReadonlyArray<string>) => ({
  name,
  namespace,
  command: ["node", "packages/bfd/src/main.ts", ...args],
  logFile: join(lab.folder, `${name}.log`)
})

const begin = Effect.fnUntraced(function* () {
  const lab = yield* makeLab()
  const namespace = yield* lab.addNamespace("node")
  const socketPath = join(lab.folder, "bfd.sock")
  writeFileSync(socketPath, "left by a process before")
  const bfd = yield* startReady(specOf(lab, namespace, "first", ["--socket", socketPath]), (child) =>
    Effect.map(child.log, (log) => log.includes("listens on"))
  )
  return { lab, namespace, socketPath, bfd }
})

describe("the BFD process", () => {
  it.live("is alone in its network namespace, and its socket is for its user alone", () =>
    Effect.gen(function* () {
      const { lab, namespace, socketPath, bfd } = yield* begin()
      assert.strictEqual(statSync(socketPath).mode & 0o777, 0o600)
      const second = yield* startProcess(specOf(lab, namespace, "second", ["--socket", join(lab.folder, "other.sock")]))
      assert.strictEqual((yield* second.ended).code, 1)
      assert.include(
        yield* second.log,
        "expected to be the only BFD of this node, found another process holding the abstract socket @lowtide-bfd"
      )
      const elsewhere = yield* lab.addNamespace("other")
      const third = yield* startProcess(specOf(lab, elsewhere, "third", ["--socket", socketPath]))
      assert.strictEqual((yield* third.ended).code, 1)
      assert.include(yield* third.log, `expected a path of this process's own, found a process that listens on`)
      assert.isTrue(yield* bfd.isRunning)
      yield* startOwner(socketPath) // its socket is still its own
    }).pipe(Effect.scoped)
  )

  it.live("puts its sessions out of use at SIGTERM, and ends with 0", () =>
    Effect.gen(function* () {
      const { socketPath, bfd } = yield* begin()
      const owner = yield* startOwner(socketPath)
      owner.set("nobody", { localAddress: "127.0.0.1", peerAddress: "127.0.0.2" })
      yield* waitUntil(
        "it is there",
        Effect.sync(() => owner.sessions().has("nobody"))
      )
      yield* bfd.signal("SIGTERM")
      yield* bfd.signal("SIGTERM")
      assert.deepStrictEqual(yield* bfd.ended, { code: 0, signal: null })
      assert.include(yield* bfd.log, "session nobody with 127.0.0.2: Down to AdminDown, disabled")
    }).pipe(Effect.scoped)
  )

  it.live("finds an interface again that was made anew", () =>
    Effect.gen(function* () {
      const lab = yield* makeBfdLab()
      yield* startBirdBfd(lab, { intervalMs: 100 })
      const { socketPath } = yield* startBfd(lab)
      const owner = yield* startOwner(socketPath)
      owner.set("bound", { ...sessionsOfLab["single 4"], device: "link0" })
      owner.set("link-local", sessionsOfLab["link-local"])
      const untilBoth = (state: "Up" | "Down") =>
        Effect.forEach(["bound", "link-local"], (name) => owner.until(name, state), { concurrency: "unbounded" })
      yield* untilBoth("Up")
      const portsOf = () => [...owner.sessions().values()].map(({ sourcePort }) => sourcePort)
      const before = portsOf()
      yield* lab.remakeLink
      yield* untilBoth("Down")
      yield* untilBoth("Up")
      assert.deepStrictEqual(portsOf(), before)
    }).pipe(Effect.scoped)
  )

  it.live("says what is wrong with its options, and ends with 2", () =>
    Effect.gen(function* () {
      const lab = yield* makeLab()
      const namespace = yield* lab.addNamespace("node")
      const cases = [
        [[], "--socket: expected the path of the control socket, found nothing"],
        [["--socket", `/tmp/${"x".repeat(120)}`], "--socket: expected a path of at most 107 octets, found 125"],
        [
          ["--socket", "/tmp/a", "--claim-seconds", "0"],
          "--claim-seconds: expected a whole number from 1 to 3600, found 0"
        ],
        [["--sokket", "/tmp/a"], "Unknown option '--sokket'"]
      ] as const
      yield* Effect.forEach(
        cases,
        Effect.fnUntraced(function* ([args, message], index) {
          const child = yield* startProcess(specOf(lab, namespace, `wrong-${index}`, args))
          assert.strictEqual((yield* child.ended).code, 2)
          assert.include(yield* child.log, message)
        }),
        { concurrency: "unbounded", discard: true }
      )
    }).pipe(Effect.scoped)
  )
})
