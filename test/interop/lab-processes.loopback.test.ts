import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { logHas, startBird, startGobgp, startProcess, startReady, waitUntil } from "@lowtide/testkit/lab/index"
import { Effect } from "effect"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "lowtide-processes-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** Runs `sh -c SCRIPT` and waits until it has printed `ready`. */
const shell = Effect.fnUntraced(function* (script: string, more: { readonly stopDeadlineMs?: number } = {}) {
  const logFile = join(yield* folder, "log")
  return yield* startReady({ name: "sh", command: ["sh", "-c", script], logFile, ...more }, logHas("ready"), 3_000)
})

describe("a process of the lab", () => {
  it.live("is ended by its stop signal, and by SIGKILL when it does not listen", () =>
    Effect.gen(function* () {
      const willing = yield* shell("trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done")
      assert.deepStrictEqual(yield* willing.stop, { code: 3, signal: null })
      assert.include(yield* willing.log, "bye")
      assert.isFalse(yield* willing.isRunning)
      const deaf = yield* shell("trap '' TERM; echo ready; while :; do sleep 0.05; done", { stopDeadlineMs: 100 })
      assert.deepStrictEqual(yield* deaf.stop, { code: null, signal: "SIGKILL" })
    }).pipe(Effect.scoped)
  )

  it.live("fails to start with the end of its log when it dies first, when it is not there, and at the deadline", () =>
    Effect.gen(function* () {
      const dies = yield* Effect.flip(shell("echo no such luck; exit 7"))
      assert.include(dies.message, "ended with exit code 7\nno such luck")
      const late = yield* Effect.flip(shell("echo still busy; sleep 60"))
      assert.match(late.message, /^wait until sh is ready: not so after 3000 ms\nstill busy$/)
      const spec = { name: "none", command: ["/nonexistent/program"], logFile: join(yield* folder, "log") }
      const absent = yield* Effect.flip(startReady(spec, logHas("ready")))
      assert.include(absent.message, "start none: ended with exit code 127")
    }).pipe(Effect.scoped)
  )

  it.live("ends with its scope, and has nothing of the parent's environment", () =>
    Effect.gen(function* () {
      const child = yield* Effect.scoped(
        Effect.gen(function* () {
          const env = { GREETING: "hello" }
          const spec = {
            name: "env",
            command: ["sh", "-c", "env; echo ready; sleep 60"],
            logFile: join(yield* folder, "log"),
            env
          }
          const process = yield* startProcess(spec)
          yield* waitUntil("the environment is printed", logHas("ready")(process))
          const names = (yield* process.log).split("\n").flatMap((line) => /^(\w+)=/.exec(line)?.[1] ?? [])
          assert.includeMembers(
            ["GREETING", "LC_ALL", "LOWTIDE_TEST_RUN", "NODE_COMPILE_CACHE", "PATH", "PWD", "OLDPWD", "SHLVL", "_"],
            names
          )
          assert.include(names, "GREETING")
          return process
        })
      )
      assert.isFalse(yield* child.isRunning)
    })
  )

  it.live("takes what it started with it, also when it ends by itself", () =>
    Effect.gen(function* () {
      const child = yield* shell("sleep 600 & echo started $!; echo ready; sleep 0.1")
      const grandchild = Number(/started (\d+)/.exec(yield* child.log)?.[1])
      assert.deepStrictEqual(yield* child.ended, { code: 0, signal: null })
      yield* waitUntil(
        "the grandchild is gone",
        Effect.sync(() => isGone(grandchild))
      )
    }).pipe(Effect.scoped)
  )
})

/** Ended; perhaps its parent has not noticed yet. */
const isGone = (pid: number): boolean => {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"))
  } catch {
    return true
  }
}

for (const start of [startBird, startGobgp]) {
  describe(`${start === startBird ? "BIRD" : "GoBGP"} without namespaces`, () => {
    it.live("speaks to neighbours on loopback addresses and high ports", () =>
      Effect.gen(function* () {
        const root = yield* folder
        const families = ["ipv4", "ipv6"] as const
        const port = 20_000 + (process.pid % 20_000)
        const address = (host: number) => `127.0.7.${host}`
        const neighbors = [11, 12].map((host) => ({ address: address(host), asn: 64500, families }))
        const plan = { folder: join(root, "router"), asn: 64512, address: address(1), port, neighbors }
        const router = yield* start === startBird ? startBird(plan) : startGobgp({ ...plan, apiPort: port + 1 })
        const senders = yield* Effect.forEach([11, 12], (host) =>
          startBird({
            folder: join(root, `sender-${host}`),
            asn: 64500,
            address: address(host),
            port,
            neighbors: [{ address: address(1), asn: 64512, families, port, passive: false }],
            originate: ["198.51.100.1/32"],
            nextHops: { ipv4: `192.0.2.${host}` }
          })
        )
        const untilPathsAre = (hosts: ReadonlyArray<number>) =>
          waitUntil(
            `there are paths by ${hosts.join(" and ")}`,
            Effect.map(router.routes, (routes) => {
              const paths = routes.find((route) => route.prefix === "198.51.100.1/32")?.paths ?? []
              const found = paths.map((path) => `${path.nextHop} from ${path.neighbor}`)
              return found.join() === hosts.map((host) => `192.0.2.${host} from ${address(host)}`).join()
            }),
            { deadlineMs: 20_000 }
          )
        yield* untilPathsAre([11, 12])
        assert.deepStrictEqual(
          (yield* router.sessions).map(({ neighbor, state }) => [neighbor, state]).sort(),
          [11, 12].map((host) => [address(host), "Established"])
        )
        yield* senders[0]?.stop ?? Effect.die("no sender")
        yield* untilPathsAre([12])
      }).pipe(Effect.scoped)
    )
  })
}
