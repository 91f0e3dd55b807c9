import { assert, describe, it } from "vitest"
import { explainPools } from "../src/allocation/explain.ts"
import { Choices, clusters, randomCommand } from "./random-fleet.ts"
import { announcing, apply, fleetObject, observe, pool, service, World } from "./world.ts"

const told = (world: World, name: string): ReadonlyArray<string> => {
  const cluster = world.fleet.cluster("east")
  const state = cluster.services.get(`shop/${name}`)
  if (state === undefined) throw new Error(`expected a Service shop/${name}`)
  return explainPools(world.fleet, cluster, state.service).map(({ pool, verdict, why }) => `${verdict}: ${pool} ${why}`)
}

const world = (...pools: ReadonlyArray<ReturnType<typeof pool>>): World => {
  const made = new World()
  for (const each of pools) made.do(apply("east", each))
  return made
}

describe("what each pool is to a Service", () => {
  it("is told in the order in which they are looked at, with why it did not do", () => {
    const it = world(
      pool("open", ["192.0.2.0/32"]),
      pool("first", ["192.0.2.3/32"], { serviceAllocation: { priority: 10, namespaces: ["shop"] } }),
      pool("other", ["192.0.2.4/32"], { serviceAllocation: { priority: 1, namespaces: ["media"] } }),
      pool("picky", ["192.0.2.6/32"], {
        serviceAllocation: { serviceSelectors: [{ matchLabels: { tier: "front" } }] }
      }),
      pool("manual", ["192.0.2.5/32"], { autoAssign: false }),
      pool("six", ["2001:db8::/64"])
    )
    it.do(observe("east", service("a")))
    assert.deepStrictEqual(told(it, "a"), [
      "holds: first has 192.0.2.3, which the Service holds",
      "offers: open could give 192.0.2.0",
      "passed: six has no IPv4 addresses",
      "passed: manual gives no address unless it is asked for by name",
      "passed: other does not serve namespace shop",
      "passed: picky does not select the labels of the Service"
    ])
    it.do(observe("east", service("b")))
    it.do(observe("east", service("c")))
    assert.strictEqual(it.refusal("east", "shop/c"), "LT0201")
    assert.deepStrictEqual(told(it, "c").slice(0, 2), [
      "passed: first has no free address: 1 held, 0 resting after their release, 0 reserved",
      "passed: open has no free address: 1 held, 0 resting after their release, 0 reserved"
    ])
  })

  it("counts what is kept for others as well", () => {
    const it = world(pool("public", ["192.0.2.0/30"]))
    const next = { for: { cluster: "east", namespace: "shop", name: "next" }, address: "192.0.2.0" }
    const members = [{ cluster: "east", namespace: "shop", name: "both", priority: 1 }]
    const both = { addresses: ["192.0.2.1"], network: "default", members }
    for (const manifest of [fleetObject("Reservation", "next", next), fleetObject("SharedAddress", "both", both)]) {
      it.do({ _tag: "ApplyFleetObject", manifest })
    }
    const useIs = (use: string) => assert.deepStrictEqual(told(it, "c"), [`passed: public has no free address: ${use}`])
    for (const name of ["a", "b", "c"]) it.do(observe("east", service(name)))
    useIs("2 held, 0 resting after their release, 2 reserved")
    it.do(observe("east", service("next")))
    useIs("3 held, 0 resting after their release, 1 reserved")
  })

  it("is what the Service names or asks for", () => {
    const it = world(pool("public", ["192.0.2.0/31"]), pool("gold", ["198.51.100.0/31"]))
    it.do(observe("east", service("a", { annotations: { addressPool: "gold" } })))
    assert.deepStrictEqual(told(it, "a"), [
      "holds: gold has 198.51.100.0, which the Service holds",
      "passed: public is not pool gold, which the Service names"
    ])
    it.do(observe("east", service("b", { requestedAddresses: ["198.51.100.0"] })))
    assert.deepStrictEqual(told(it, "b"), [
      "passed: gold has 198.51.100.0, which is not to be had",
      "passed: public does not have 198.51.100.0, which the Service asks for"
    ])
    it.do(observe("east", service("c", { ipFamilyPolicy: "RequireDualStack", ipFamilies: ["IPv4", "IPv6"] })))
    assert.deepStrictEqual(told(it, "c"), [
      "passed: gold has no free IPv6 address, and the Service needs one of each IP version",
      "passed: public has no free IPv6 address, and the Service needs one of each IP version"
    ])
  })
})

describe("random histories", () => {
  it.each(Array.from({ length: 20 }, (_, index) => index + 1))("seed %i: no pool offers what was refused", (seed) => {
    const choose = new Choices(seed)
    const world = new World()
    for (const cluster of clusters) announcing(world, cluster)
    for (let step = 0; step < 150; step++) world.do(randomCommand(world, choose))
    for (const cluster of world.fleet.clusters.values()) {
      for (const state of cluster.services.values()) {
        if (state.refusal?.code !== "LT0201" && state.refusal?.code !== "LT0208") continue
        const pools = explainPools(world.fleet, cluster, state.service)
        // Addresses may have become free since: an address that rests is given to the next who asks, and nobody asked.
        if (state.refusal.code === "LT0208") {
          assert.isEmpty(
            pools.filter(({ verdict }) => verdict === "offers"),
            `${seed} ${state.refusal.message}`
          )
        }
        assert.strictEqual(pools.length, world.fleet.config(cluster).pools.length)
      }
    }
  })
})
