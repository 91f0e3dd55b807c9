import { assert, describe, it } from "vitest"
import { finding } from "../src/config/index.ts"
import { apply, node, observe, pool, raw, service, World } from "./world.ts"

const peer = raw("BGPPeer", "tor", { myASN: 64496, peerASN: 64500, peerAddress: "10.1.0.1" })
const aliases = (name: string) => raw("Community", "aliases", { communities: [{ name, value: "64500:100" }] })
const advertisement = raw("BGPAdvertisement", "all", { ipAddressPools: ["old"], communities: ["customer"] })

/** A Service that is announced by way of a pool, a community alias, an Advertisement and a peer. */
const announcedWorld = (): World => {
  const world = new World()
  world.do({ _tag: "ObserveNode", cluster: "east", node: node("east-1") })
  for (const manifest of [
    pool("old", ["192.0.2.0/28"]),
    pool("new", ["192.0.2.64/28"]),
    peer,
    aliases("customer"),
    advertisement
  ]) {
    world.do(apply("east", manifest))
  }
  world.do(observe("east", service("web", { annotations: { addressPool: "old" } })))
  assert.deepStrictEqual(nodesOf(world), ["east-1"])
  return world
}

const nodesOf = (world: World): ReadonlyArray<string> => {
  const intent = world.message("east", "adv.4-192-0-2-0")
  return intent?._tag === "VipIntent" ? intent.admission.candidates : []
}

const codesOf = (world: World, key: string): ReadonlyArray<string> =>
  (world.fleet.cluster("east").findings.get(key)?.findings ?? []).map(({ code }) => code)

describe("a change that would break what is in effect is held, and no route goes", () => {
  it("a pool edited to overlap another stays as it was, and the other too", () => {
    const world = announcedWorld()
    world.do(apply("east", pool("old", ["192.0.2.0/25"])))
    assert.deepStrictEqual(nodesOf(world), ["east-1"])
    assert.include(codesOf(world, "IPAddressPool/metallb-system/old"), "LT0142")
    assert.deepStrictEqual(codesOf(world, "IPAddressPool/metallb-system/new"), [])
    world.do(apply("east", pool("old", ["192.0.2.0/27"])))
    assert.deepStrictEqual(codesOf(world, "IPAddressPool/metallb-system/old"), [])
    assert.strictEqual(
      world.fleet.config(world.fleet.cluster("east")).pools.find(({ name }) => name === "old")?.ranges[0],
      "192.0.2.0/27"
    )
  })

  it("a new pool that overlaps is refused itself", () => {
    const world = announcedWorld()
    world.do(apply("east", pool("a-new-one", ["192.0.2.8/29"])))
    assert.deepStrictEqual(nodesOf(world), ["east-1"])
    assert.notInclude(codesOf(world, "IPAddressPool/metallb-system/a-new-one"), "LT0142")
    assert.isNotEmpty(codesOf(world, "IPAddressPool/metallb-system/a-new-one"))
    assert.deepStrictEqual(codesOf(world, "IPAddressPool/metallb-system/old"), [])
  })

  it("an alias in use stays when its object is edited or deleted, and goes when nobody names it any more", () => {
    const world = announcedWorld()
    world.do(apply("east", aliases("another")))
    assert.deepStrictEqual(nodesOf(world), ["east-1"])
    assert.include(codesOf(world, "Community/metallb-system/aliases"), "LT0142")
    const deletion = {
      _tag: "DeleteManifest",
      cluster: "east",
      kind: "Community",
      namespace: "metallb-system",
      name: "aliases"
    } as const
    world.do(deletion)
    assert.deepStrictEqual(nodesOf(world), ["east-1"])
    assert.include(codesOf(world, "Community/metallb-system/aliases"), "LT0142")
    assert.deepStrictEqual(world.do(deletion), [])
    world.do(apply("east", { ...advertisement, spec: { ipAddressPools: ["old"] } }))
    assert.isFalse(world.fleet.cluster("east").manifests.has("Community/metallb-system/aliases"))
    assert.deepStrictEqual(codesOf(world, "Community/metallb-system/aliases"), [])
    assert.deepStrictEqual(nodesOf(world), ["east-1"])
  })

  it("a whole configuration can be deleted in any order", () => {
    const world = announcedWorld()
    world.do({ _tag: "ForgetService", cluster: "east", namespace: "shop", name: "web" })
    for (const { kind, name } of [pool("old", []), aliases(""), peer, pool("new", []), advertisement]) {
      world.do({ _tag: "DeleteManifest", cluster: "east", kind, namespace: "metallb-system", name })
    }
    assert.deepStrictEqual([...world.fleet.cluster("east").manifests.keys()], [])
    assert.deepStrictEqual([...world.fleet.cluster("east").findings.keys()], [])
  })
})

describe("the network of a cluster", () => {
  const register = (network: string) => ({ _tag: "RegisterCluster", cluster: "east", network }) as const

  it("is not changed while the cluster has addresses of it, which a finding says until it is set back", () => {
    const world = new World()
    world.do(register("backbone"))
    world.do(apply("east", pool("public", ["192.0.2.0/28"])))
    world.do(observe("east", service("web")))
    world.do(register("lab"))
    assert.strictEqual(world.fleet.cluster("east").network, "backbone")
    assert.deepStrictEqual(codesOf(world, "Cluster//east"), ["LT0212"])
    world.do(register("backbone"))
    assert.deepStrictEqual(codesOf(world, "Cluster//east"), [])
  })

  it("is one thing that its agent may find wrong with it, and what else it finds lasts until the agent ends it", () => {
    const world = new World()
    const object = { kind: "Cluster", name: "east" }
    const own = finding("LT0102", { object, expected: "one thing", found: "another" })
    const tell = (findings: ReadonlyArray<typeof own>) =>
      world.do({ _tag: "ReportFindings", cluster: "east", object, findings })
    world.do(register("backbone"))
    world.do(apply("east", pool("public", ["192.0.2.0/28"])))
    world.do(observe("east", service("web")))
    tell([own])
    world.do(register("lab"))
    assert.deepStrictEqual(codesOf(world, "Cluster//east"), ["LT0212", "LT0102"])
    tell([own])
    assert.deepStrictEqual(codesOf(world, "Cluster//east"), ["LT0212", "LT0102"])
    world.do(register("backbone"))
    assert.deepStrictEqual(codesOf(world, "Cluster//east"), ["LT0102"])
    world.do(register("lab"))
    tell([])
    assert.deepStrictEqual(codesOf(world, "Cluster//east"), ["LT0212"])
  })
})
