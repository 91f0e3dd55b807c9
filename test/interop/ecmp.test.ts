import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { assert, describe, it } from "@effect/vitest"
import type { Admission } from "@lowtide/domain/announcing/intent"
import {
  type ClusterNetwork,
  inNamespace,
  ipBatch,
  kernelNextHops,
  type LabHost,
  makeFleetNetwork,
  makeLab,
  type Router,
  startBird,
  startFrr,
  waitUntil
} from "@lowtide/testkit/lab/index"
import { Effect } from "effect"

const vips = { 4: "198.51.100.1", 6: "2001:db8:100::1" } as const
const port = 8080
const routerAsn = 64512
const nodeNames = Array.from({ length: 8 }, (_, index) => `node-${index + 1}`)
const flowCount = 160

/** A process of the lab that reads lines and prints lines. */
const startTalker = (namespace: string, program: string, args: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const command = ["setpriv", "--pdeathsig", "KILL", process.execPath, join(import.meta.dirname, program), ...args]
      const [file = "", ...rest] = inNamespace(namespace, command)
      const child: ChildProcess = spawn(file, rest, { stdio: ["pipe", "pipe", "inherit"] })
      const lines = createInterface({ input: child.stdout! })
      const ended = once(child, "exit").then(() => assert.fail(`${program} ended`))
      ended.catch(() => undefined)
      const next = async () => String((await Promise.race([once(lines, "line"), ended]))[0])
      assert.strictEqual(await next(), "ready")
      const tell = (line: object) => void child.stdin?.write(`${JSON.stringify(line)}\n`)
      const ask = async (line: object) => {
        const answer = next()
        tell(line)
        return JSON.parse(await answer)
      }
      return { child, tell, ask }
    }),
    ({ child }) =>
      Effect.promise(async () => {
        if (child.exitCode === null && child.signalCode === null) {
          child.kill("SIGKILL")
          await once(child, "exit")
        }
      })
  )

/** Eight nodes on one bridge with a router, each with its speaker and an endpoint, and a client behind the router. */
const startFleet = Effect.gen(function* () {
  const lab = yield* makeLab()
  const plan = { name: "a", subnet4: "192.0.2.0/24", subnet6: "2001:db8:1::/64", nodes: nodeNames }
  const network = (yield* makeFleetNetwork(lab, [plan])).clusters[0] as ClusterNetwork
  const nodes = yield* Effect.forEach(
    network.nodes,
    Effect.fnUntraced(function* (host: LabHost) {
      yield* ipBatch([`route add local ${vips[4]}/32 dev lo`, `route add local ${vips[6]}/128 dev lo`], host.namespace)
      const args = [host.name, host.ipv4, host.ipv6, vips[4], vips[6], String(port)]
      const talker = yield* startTalker(host.namespace, "ecmp-node-main.ts", args)
      return { ...host, tell: talker.tell }
    }),
    { concurrency: "unbounded" }
  )
  const client = yield* startTalker(network.client, "ecmp-client-main.ts", [String(port), vips[4], vips[6]])
  return { lab, network, nodes, client }
})

interface Case {
  readonly name: string
  /** The nodes' AS: that of the router makes the sessions internal. */
  readonly nodeAsn: number
  readonly start: typeof startBird | typeof startFrr
}

const cases: ReadonlyArray<Case> = [
  { name: "BIRD, external sessions", nodeAsn: 64500, start: startBird },
  { name: "BIRD, internal sessions", nodeAsn: routerAsn, start: startBird },
  { name: "FRR, external sessions", nodeAsn: 64500, start: startFrr }
]

describe("eight nodes with one VIP", () => {
  it.live("are the kernel's next hops where they are admitted; standbys take over alone when none is left", () =>
    Effect.gen(function* () {
      const { lab, network, nodes, client } = yield* startFleet
      const router = network.router
      const admit = (names: ReadonlyArray<string>, without: ReadonlyArray<string> = []) => {
        const admission: Admission = { _tag: "Listed", nodes: names, candidates: nodeNames }
        for (const node of nodes) node.tell({ admission, serves: !without.includes(node.name) })
      }
      for (const [index, { name, nodeAsn, start }] of cases.entries()) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const until = (what: string, names: ReadonlyArray<string>) =>
              Effect.forEach([4, 6] as const, (family) => {
                const key = family === 4 ? "ipv4" : "ipv6"
                const expected = nodes.filter((node) => names.includes(node.name)).map((node) => node[key])
                const prefix = `${vips[family]}/${family === 4 ? 32 : 128}`
                return waitUntil(
                  `${name}: ${what}: ${prefix} by ${names.join(" ")}`,
                  Effect.map(kernelNextHops(router.namespace, prefix), (hops) => hops.join() === expected.join()),
                  { deadlineMs: 60_000 }
                )
              })
            const ask = (line: object) => Effect.promise(() => client.ask(line))
            const admitted = nodeNames.slice(0, 6)
            admit(admitted)
            const running: Router = yield* start({
              folder: join(lab.folder, `router-${index}`),
              namespace: router.namespace,
              asn: routerAsn,
              address: router.ipv4,
              neighbors: nodes.map(({ ipv4 }) => ({ address: ipv4, asn: nodeAsn, families: ["ipv4", "ipv6"] as const }))
            })
            for (const node of nodes) node.tell({ session: { router: router.ipv4, routerAsn, localAsn: nodeAsn } })
            yield* until("the admitted six", admitted)
            const paths = (yield* running.routes).map(({ paths }) => paths.length)
            assert.deepStrictEqual(paths, [8, 8], `${name}: the router knows the standbys' paths`)

            const opened = yield* ask({ open: flowCount })
            assert.strictEqual(opened.failed, 0, name)
            assert.deepStrictEqual(Object.keys(opened.reached).sort(), admitted, name)
            // Standbys that go, come, and are exchanged move no flow.
            admit(admitted, ["node-8"])
            yield* waitUntil(
              `${name}: seven paths`,
              Effect.map(running.routes, (routes) => routes.every((route) => route.paths.length === 7)),
              { deadlineMs: 60_000 }
            )
            assert.deepStrictEqual(yield* ask({ ping: 1 }), { alive: flowCount, lost: 0 }, `${name}: a standby went`)
            admit(admitted)
            yield* waitUntil(
              `${name}: eight paths`,
              Effect.map(running.routes, (routes) => routes.every((route) => route.paths.length === 8)),
              { deadlineMs: 60_000 }
            )
            assert.deepStrictEqual(yield* ask({ ping: 1 }), { alive: flowCount, lost: 0 }, `${name}: a standby came`)
            yield* until("the admitted six still", admitted)

            // Each admitted node loses its endpoint: the two standbys have all of it, nobody told them to.
            admit(admitted, admitted)
            yield* until("the standbys alone", ["node-7", "node-8"])
            const after = yield* ask({ open: flowCount })
            assert.strictEqual(after.failed, 0, name)
            assert.deepStrictEqual(Object.keys(after.reached).sort(), ["node-7", "node-8"], name)
            // One of them comes back: it alone is better than both.
            admit(admitted, admitted.slice(1))
            yield* until("the first that is back", ["node-1"])
            admit(nodeNames)
            yield* until("all eight", nodeNames)
          })
        )
      }
    }).pipe(Effect.scoped)
  )
})
