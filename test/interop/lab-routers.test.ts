import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import {
  bestNextHops,
  type ClusterNetwork,
  kernelNextHops,
  makeFleetNetwork,
  makeLab,
  namespacesOf,
  type Router,
  startBird,
  startFrr,
  startGobgp,
  startServiceEndpoint,
  tcpRequest,
  waitUntil
} from "@lowtide/testkit/lab/index"
import { Effect } from "effect"

const vip4 = "198.51.100.1"
const vip6 = "2001:db8:100::1"
const families = ["ipv4", "ipv6"] as const

/** The router under test, and three nodes with a sender on each: BIRD, BIRD and GoBGP. */
const startCluster = Effect.fnUntraced(function* (kind: "bird" | "frr") {
  const lab = yield* makeLab()
  const plan = { name: "a", subnet4: "192.0.2.0/24", subnet6: "2001:db8:1::/64", nodes: ["node-1", "node-2", "node-3"] }
  const network = (yield* makeFleetNetwork(lab, [plan])).clusters[0] as ClusterNetwork
  const senders = yield* Effect.forEach(network.nodes, (node, index) => {
    const sender = {
      folder: join(lab.folder, node.name),
      namespace: node.namespace,
      asn: 64500,
      address: node.ipv4,
      address6: node.ipv6,
      neighbors: [{ address: network.router.ipv4, asn: 64512, families }],
      originate: [`${vip4}/32`, `${vip6}/128`]
    }
    return index === 2 ? startGobgp(sender) : startBird({ ...sender, kernel: false })
  })
  const routerPlan = {
    folder: join(lab.folder, "router"),
    namespace: network.router.namespace,
    asn: 64512,
    address: network.router.ipv4,
    neighbors: network.nodes.map((node) => ({ address: node.ipv4, asn: 64500, families, passive: false }))
  }
  const router = yield* kind === "bird" ? startBird(routerPlan) : startFrr(routerPlan)
  return { lab, network, senders, router }
})

const untilEstablished = (router: Router, count: number) =>
  waitUntil(
    `${count} sessions are Established`,
    Effect.map(router.sessions, (all) => all.filter(({ state }) => state === "Established").length === count),
    { deadlineMs: 30_000 }
  )

const untilKernelHas = (network: ClusterNetwork, prefix: string, expected: ReadonlyArray<string>) =>
  waitUntil(
    `the kernel has ${prefix} by ${expected.join(" ")}`,
    Effect.map(kernelNextHops(network.router.namespace, prefix), (hops) => hops.join() === expected.join()),
    { deadlineMs: 30_000 }
  )

for (const kind of ["bird", "frr"] as const) {
  describe(`${kind} as a cluster's router`, () => {
    it.live("learns equal paths from three nodes in both families, and its kernel forwards a connection to each", () =>
      Effect.gen(function* () {
        const { lab, network, router } = yield* startCluster(kind)
        const nodes4 = network.nodes.map((node) => node.ipv4)
        const nodes6 = network.nodes.map((node) => node.ipv6)
        yield* untilEstablished(router, 3)
        yield* untilKernelHas(network, `${vip4}/32`, nodes4)
        yield* untilKernelHas(network, `${vip6}/128`, nodes6)
        const routes = yield* router.routes
        assert.deepStrictEqual(bestNextHops(routes, `${vip4}/32`), nodes4)
        assert.deepStrictEqual(bestNextHops(routes, `${vip6}/128`), nodes6)
        assert.deepStrictEqual(routes[0]?.paths[0]?.asPath, [64500])

        for (const node of network.nodes) {
          const prefixes = ["198.51.100.0/24", "2001:db8:100::/64"]
          yield* startServiceEndpoint({ ...node, ports: [80, 443], prefixes, logFolder: lab.folder })
        }
        const reached = new Set<string>()
        for (let attempt = 0; attempt < 60 && reached.size < 3; attempt++)
          reached.add(yield* tcpRequest(network.client, attempt % 2 === 0 ? vip4 : vip6, 443))
        assert.deepStrictEqual([...reached].sort(), ["node-1", "node-2", "node-3"])
        const refused = yield* Effect.flip(tcpRequest(network.client, vip4, 81))
        assert.include(refused.message, "Connection refused")
      }).pipe(Effect.scoped)
    )

    it.live(
      "takes out the one path that is withdrawn, counts that UPDATE, and counts none where nothing was said",
      () =>
        Effect.gen(function* () {
          const { network, router, senders } = yield* startCluster(kind)
          const [first = "", second = "", third = ""] = network.nodes.map((node) => node.ipv4)
          const countOf = (neighbor: string) =>
            Effect.map(router.updateCounts, (all) => all.find((count) => count.neighbor === neighbor)?.updates ?? -1)
          yield* untilKernelHas(network, `${vip4}/32`, [first, second, third])
          yield* untilKernelHas(
            network,
            `${vip6}/128`,
            network.nodes.map((node) => node.ipv6)
          )
          const before = { first: yield* countOf(first), second: yield* countOf(second) }
          yield* senders[0]?.originate([`${vip6}/128`]) ?? Effect.die("no sender")
          yield* untilKernelHas(network, `${vip4}/32`, [second, third])
          assert.deepStrictEqual(bestNextHops(yield* router.routes, `${vip4}/32`), [second, third])
          assert.strictEqual(yield* countOf(first), before.first + 1)
          assert.strictEqual(yield* countOf(second), before.second)
        }).pipe(Effect.scoped)
    )

    it.live("has the same routes again after it was killed and started", () =>
      Effect.gen(function* () {
        const { network, router } = yield* startCluster(kind)
        const expected = network.nodes.map((node) => node.ipv4)
        yield* untilKernelHas(network, `${vip4}/32`, expected)
        yield* router.kill
        assert.strictEqual((yield* Effect.flip(router.sessions))._tag, "LabError")
        assert.deepStrictEqual(yield* kernelNextHops(network.router.namespace, `${vip4}/32`), expected)
        yield* router.restart
        yield* untilEstablished(router, 3)
        yield* waitUntil(
          "all three paths are back",
          Effect.map(router.routes, (routes) => bestNextHops(routes, `${vip4}/32`).join() === expected.join())
        )
        yield* untilKernelHas(network, `${vip4}/32`, expected)
      }).pipe(Effect.scoped)
    )

    it.live("leaves no namespace and no process behind", () =>
      Effect.gen(function* () {
        const seen = yield* Effect.scoped(
          Effect.gen(function* () {
            const { lab, router, senders } = yield* startCluster(kind)
            const processes = yield* Effect.forEach([router, ...senders], (each) => each.processes)
            return { prefix: lab.prefix, pids: processes.flat().map((child) => child.pid) }
          })
        )
        assert.isAtLeast(seen.pids.length, 4)
        assert.deepStrictEqual(seen.pids.filter(isAlive), [])
        assert.deepStrictEqual(namespacesOf(seen.prefix), [])
      })
    )
  })
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
