import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import {
  capability,
  cleanStale,
  execute,
  type Lab,
  makeCentre,
  makeFleetNetwork,
  makeLab,
  namespacesOf,
  startProcess,
  startRelay,
  startServiceEndpoint,
  tcpRequest,
  waitFor,
  waitUntil
} from "@lowtide/testkit/lab/index"
import { Effect } from "effect"

const plan = (name: string, third: number) => ({
  name,
  subnet4: `192.0.2.${third}/26`,
  subnet6: `2001:db8:${name}::/64`,
  nodes: ["node-1", "node-2"]
})

describe("the lab's namespaces", () => {
  it.live("can be made here", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* capability, { ok: true })
    })
  )

  it.live("join every node to its router in both families and to the centre, and clusters not to each other", () =>
    Effect.gen(function* () {
      const lab = yield* makeLab()
      const { centre, clusters } = yield* makeFleetNetwork(lab, [plan("a", 0), plan("b", 64)])
      const listen = (namespace: string, name: string) =>
        startServiceEndpoint({ namespace, name, ports: [4222], prefixes: [], logFolder: lab.folder })
      yield* listen(centre.namespace, "centre")
      for (const { router, name } of clusters) yield* listen(router.namespace, `router-${name}`)
      for (const cluster of clusters) {
        for (const node of cluster.nodes) {
          assert.strictEqual(yield* tcpRequest(node.namespace, centre.address, 4222), "centre")
          assert.strictEqual(yield* tcpRequest(node.namespace, cluster.router.ipv4, 4222), `router-${cluster.name}`)
          assert.strictEqual(yield* tcpRequest(node.namespace, cluster.router.ipv6, 4222), `router-${cluster.name}`)
        }
      }
      const other = yield* Effect.flip(
        tcpRequest(clusters[0]?.client, clusters[1]?.router.ipv4 ?? "", 4222, { timeoutMs: 300 })
      )
      assert.match(other.message, /unreachable|no answer/i)
    }).pipe(Effect.scoped)
  )

  it.live("lose a node whose cable is pulled, and have it again", () =>
    Effect.gen(function* () {
      const lab = yield* makeLab()
      const network = (yield* makeFleetNetwork(lab, [plan("a", 0)])).clusters[0]
      const node = network?.nodes[0]
      assert(network !== undefined && node !== undefined)
      yield* startServiceEndpoint({ ...node, ports: [80], prefixes: [], logFolder: lab.folder })
      const ask = tcpRequest(network.router.namespace, node.ipv4, 80, { timeoutMs: 300 })
      assert.strictEqual(yield* ask, "node-1")
      yield* network.setLink("node-1", "down")
      assert.strictEqual((yield* Effect.flip(ask))._tag, "LabError")
      yield* network.setLink("node-1", "up")
      yield* waitUntil(
        "the node answers",
        Effect.map(ask, (name) => name === "node-1").pipe(Effect.orElseSucceed(() => false))
      )
    }).pipe(Effect.scoped)
  )

  it.live("add nothing outside of themselves, and are gone when their scope closes half way through", () =>
    Effect.gen(function* () {
      const links = execute(["ip", "-o", "link"])
      const before = yield* links
      let lab: Lab | undefined
      const failure = yield* Effect.flip(
        Effect.scoped(
          Effect.gen(function* () {
            lab = yield* makeLab()
            const centre = yield* makeCentre(lab)
            const log = join(lab.folder, "sleep.log")
            yield* startProcess({ name: "s", namespace: centre.namespace, command: ["sleep", "600"], logFile: log })
            assert.strictEqual(yield* links, before)
            yield* centre.join(`${lab.prefix}-missing`)
          })
        )
      )
      assert.strictEqual(failure._tag, "LabError")
      assert(lab !== undefined)
      assert.deepStrictEqual(namespacesOf(lab.prefix), [])
      assert.isFalse(existsSync(lab.folder))
    })
  )

  it.live("are removed, with what runs in them, after their owner was killed; those of a living owner stay", () =>
    Effect.gen(function* () {
      const own = yield* makeLab()
      yield* own.addNamespace("kept")
      const owner = spawn(process.execPath, [join(import.meta.dirname, "lab-owner-main.ts")], {
        stdio: ["ignore", "pipe", "inherit"]
      })
      let said = ""
      owner.stdout.on("data", (chunk: Buffer) => {
        said += chunk.toString()
      })
      const prefix = yield* waitFor(
        "the other owner's lab is made",
        Effect.sync(() => /(\S+)\n/.exec(said)?.[1])
      )
      assert.lengthOf(namespacesOf(prefix), 1)
      assert.notInclude(yield* cleanStale, prefix)
      owner.kill("SIGKILL")
      yield* waitUntil(
        "the owner is gone",
        Effect.sync(() => owner.signalCode !== null)
      )
      // Whoever else begins a demo or a run meanwhile removes it as well, and is perhaps in the middle of it.
      yield* waitUntil(
        "its namespaces are removed",
        Effect.map(cleanStale, () => namespacesOf(prefix).length === 0)
      )
      assert.lengthOf(namespacesOf(own.prefix), 1)
    }).pipe(Effect.scoped)
  )

  it.live("are reached from outside through a relay", () =>
    Effect.gen(function* () {
      const lab = yield* makeLab()
      const namespace = yield* lab.addNamespace("inside")
      yield* startServiceEndpoint({ namespace, name: "inside", ports: [8080], prefixes: [], logFolder: lab.folder })
      const port = yield* startRelay({ namespace, port: 8080, name: "http", logFolder: lab.folder })
      assert.strictEqual(yield* tcpRequest(undefined, "127.0.0.1", port), "inside")
      const taken = yield* Effect.flip(
        startRelay({ namespace, port: 8080, name: "again", logFolder: lab.folder, outsidePort: port })
      )
      assert.include(taken.message, "EADDRINUSE")
    }).pipe(Effect.scoped)
  )
})
