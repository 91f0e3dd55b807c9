import { assert, describe, it } from "vitest"
import type { Command } from "../src/index.ts"
import { announcing, apply, node, observe, pool, raw, service, World } from "./world.ts"

const gold = pool("gold", ["192.0.2.0/29"])
const deleteGold: Command = {
  _tag: "DeleteManifest",
  cluster: "east",
  kind: "IPAddressPool",
  namespace: "metallb-system",
  name: "gold"
}
const forget = (name: string): Command => ({ _tag: "ForgetService", cluster: "east", namespace: "shop", name })

/** Two Services hold addresses of a pool, which an Advertisement names, and the pool is deleted. */
const retired = (): World => {
  const world = new World()
  world.do({ _tag: "ObserveNode", cluster: "east", node: node("east-1") })
  world.do(apply("east", raw("BGPPeer", "tor", { myASN: 64496, peerASN: 64500, peerAddress: "10.1.0.1" })))
  world.do(apply("east", raw("BGPAdvertisement", "gold", { ipAddressPools: ["gold"] })))
  world.do(apply("east", gold))
  world.do(observe("east", service("web")))
  world.do(observe("east", service("api")))
  world.do(deleteGold)
  return world
}

const types = (world: World, command: Command) => world.do(command).map(({ type }) => type)

const warning = (world: World) =>
  world.fleet
    .cluster("east")
    .findings.get("IPAddressPool/metallb-system/gold")
    ?.findings.map(({ found }) => found)

describe("deleting a pool of which addresses are held", () => {
  it("retires it: no address is released, and no message about one changes", () => {
    const world = retired()
    const [event] = world.log.filter(({ type }) => type === "ManifestRetired")
    assert.strictEqual(event?.reason, "still-needed")
    assert.deepStrictEqual(event?.about, { cluster: "east", pool: "gold" })
    assert.deepStrictEqual(world.addresses("east", "shop/web"), ["192.0.2.0"])
    assert.deepStrictEqual(world.addresses("east", "shop/api"), ["192.0.2.1"])
    const later = world.messages.filter(
      ({ _tag, stamp }) => _tag !== "ObjectFindings" && stamp.seq > world.log.length - 2
    )
    assert.deepStrictEqual(later, [], "routes are as before")
  })

  it("warns with who holds what, and follows who leaves", () => {
    const world = retired()
    assert.deepStrictEqual(warning(world), ["shop/api (192.0.2.1), shop/web (192.0.2.0)"])
    world.do(forget("api"))
    assert.deepStrictEqual(warning(world), ["shop/web (192.0.2.0)"])
  })

  it("names ten holders and counts the others", () => {
    const world = new World()
    world.do(apply("east", pool("gold", ["192.0.2.0/27"])))
    for (let index = 10; index < 23; index++) world.do(observe("east", service(`s${index}`)))
    world.do(deleteGold)
    const [found = ""] = warning(world) ?? []
    assert.strictEqual(found.split(", ").length, 10)
    assert.match(found, /^shop\/s10 \(192\.0\.2\.0\), .*shop\/s19 \(192\.0\.2\.9\) and 3 more$/)
  })

  it("gives out no more of it: not by itself, by address, by pool, by sharing, nor to who comes back", () => {
    const world = retired()
    world.do(observe("east", service("auto")))
    world.do(observe("east", service("address", { requestedAddresses: ["192.0.2.5"] })))
    world.do(observe("east", service("named", { annotations: { addressPool: "gold" } })))
    const key = { annotations: { allowSharedIp: "k" } }
    world.do(observe("east", service("web", key)))
    world.do(observe("east", service("joins", { ...key, ports: [{ protocol: "UDP", port: 53, name: "" }] })))
    world.do(forget("api"))
    world.do(observe("east", service("api")))
    for (const name of ["auto", "address", "named", "joins", "api"]) {
      assert.deepStrictEqual(world.addresses("east", `shop/${name}`), [], name)
    }
    assert.strictEqual(world.refusal("east", "shop/auto"), "LT0208")
    assert.strictEqual(world.refusal("east", "shop/address"), "LT0202")
    assert.strictEqual(world.refusal("east", "shop/named"), "LT0206")
  })

  it("lets Services that ask for what they hold keep it without a refusal", () => {
    const world = retired()
    world.do(observe("east", service("web", { requestedAddresses: ["192.0.2.0"] })))
    world.do(observe("east", service("api", { annotations: { addressPool: "gold" } })))
    assert.deepStrictEqual(world.addresses("east", "shop/web"), ["192.0.2.0"])
    assert.deepStrictEqual(world.addresses("east", "shop/api"), ["192.0.2.1"])
    assert.isUndefined(world.refusal("east", "shop/web"))
    assert.isUndefined(world.refusal("east", "shop/api"))
  })
})

describe("a retired pool", () => {
  it("is gone with its last address, and its finding with it", () => {
    const world = retired()
    assert.notInclude(types(world, forget("web")), "ManifestDeleted")
    const events = world.do(forget("api"))
    const last = events.find(({ type }) => type === "ManifestDeleted")
    assert.strictEqual(last?.reason, "no-longer-needed")
    assert.isUndefined(warning(world))
    assert.deepStrictEqual(world.fleet.config(world.fleet.cluster("east")).pools, [])
  })

  it("is a pool again when it is applied", () => {
    const world = retired()
    assert.include(types(world, apply("east", gold)), "ManifestApplied")
    assert.isUndefined(warning(world))
    world.do(observe("east", service("more")))
    assert.deepStrictEqual(world.addresses("east", "shop/more"), ["192.0.2.2"])
    assert.deepStrictEqual(types(world, apply("east", gold)), [])
  })

  it("hands its addresses to a pool that has their range, and is gone: a pool may be renamed", () => {
    const world = new World()
    announcing(world, "east")
    world.do(apply("east", gold))
    world.do(observe("east", service("web")))
    world.do(apply("east", pool("silver", ["192.0.2.0/28"])))
    assert.deepStrictEqual(types(world, deleteGold).slice(-2), ["ManifestDeleted", "FindingsResolved"])
    assert.deepStrictEqual(world.addresses("east", "shop/web"), ["192.0.2.0"])
    assert.strictEqual(world.fleet.vip("default", "192.0.2.0")?.pool, "silver")
  })

  it("is not what a complete read misses", () => {
    const world = retired()
    const manifests = [...world.fleet.cluster("east").manifests.keys()].filter((key) => !key.includes("IPAddressPool"))
    const inventory: Command = {
      _tag: "ObserveInventory",
      cluster: "east",
      services: ["shop/web", "shop/api"],
      nodes: ["east-1"],
      namespaces: [],
      manifests,
      findings: []
    }
    assert.deepStrictEqual(types(world, inventory), [])
  })
})

describe("deleting a pool of which nothing is held", () => {
  it("deletes it", () => {
    const world = new World()
    world.do(apply("east", gold))
    assert.deepStrictEqual(types(world, deleteGold), ["ManifestDeleted"])
  })
})

describe("making a pool smaller", () => {
  const held = (world: World) =>
    world.fleet
      .cluster("east")
      .findings.get("IPAddressPool/metallb-system/gold")
      ?.findings.map(({ code, found }) => `${code} ${found}`)
  const smaller = (): World => {
    const world = new World()
    announcing(world, "east")
    world.do(apply("east", gold))
    for (const name of ["web", "api"]) world.do(observe("east", service(name)))
    return world
  }

  it("changes no route, and tells who holds what the pool has no more, until they leave", () => {
    const world = smaller()
    const before = world.messages.length
    world.do(apply("east", pool("gold", ["192.0.2.1-192.0.2.7"])))
    assert.deepStrictEqual(held(world), ["LT0215 shop/web (192.0.2.0)"])
    assert.deepStrictEqual([...new Set(world.messages.slice(before).map(({ _tag }) => _tag))], ["ObjectFindings"])
    world.do(forget("api"))
    assert.deepStrictEqual(held(world), ["LT0215 shop/web (192.0.2.0)"])
    world.do(forget("web"))
    assert.isUndefined(held(world))
  })

  it("is told no more when the pool has them back, or when another one has them", () => {
    for (const mended of [gold, pool("silver", ["192.0.2.0/32"])]) {
      const world = smaller()
      world.do(apply("east", pool("gold", ["192.0.2.1-192.0.2.7"])))
      world.do(apply("east", mended))
      assert.isUndefined(held(world))
      assert.deepStrictEqual(world.addresses("east", "shop/web"), ["192.0.2.0"])
    }
  })
})
