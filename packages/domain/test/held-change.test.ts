import { assert, describe, it } from "vitest"
import { finding } from "../src/config/index.ts"
import { Fleet } from "../src/index.ts"
import { apply, fleetObject, node, observe, pool, raw, service, World } from "./world.ts"

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

describe("a change that is held", () => {
  const to = (peer: string, spec: object = {}) =>
    raw("BGPAdvertisement", "all", { ipAddressPools: ["old"], communities: ["customer"], peers: [peer], ...spec })
  const edge = raw("BGPPeer", "edge", { myASN: 64496, peerASN: 64501, peerAddress: "10.1.0.2" })
  const spine = raw("BGPPeer", "spine", { myASN: 64496, peerASN: 64502, peerAddress: "10.1.0.3" })
  const key = "BGPAdvertisement/metallb-system/all"
  const peersOf = (world: World) => {
    const intent = world.message("east", "adv.4-192-0-2-0")
    return intent?._tag === "VipIntent" ? intent.routes.flatMap(({ peers }) => peers ?? []) : []
  }
  const heldWorld = (spec: object = {}) => {
    const world = announcedWorld()
    world.do(apply("east", to("tor")))
    world.do(apply("east", to("edge", spec)))
    assert.include(codesOf(world, key), "LT0142")
    assert.deepStrictEqual(peersOf(world), ["tor"])
    return world
  }

  it("is made by itself once what it rests on is there", () => {
    const world = heldWorld()
    const events = world.do(apply("east", edge))
    assert.deepStrictEqual(
      events.filter(({ type }) => type === "ManifestApplied").map(({ stream }) => stream),
      ["manifest:east/BGPPeer/metallb-system/edge", "manifest:east/BGPAdvertisement/metallb-system/all"]
    )
    assert.deepStrictEqual(codesOf(world, key), [])
    assert.deepStrictEqual(peersOf(world), ["edge"])
    assert.isEmpty(world.fleet.cluster("east").waiting)
    assert.deepStrictEqual(world.do(apply("east", edge)), [], "and it is made once")
  })

  it("waits until all that it rests on is there", () => {
    const world = heldWorld({ communities: ["other"] })
    world.do(apply("east", edge))
    assert.deepStrictEqual(peersOf(world), ["tor"], "an alias is missing still")
    world.do(apply("east", raw("Community", "more", { communities: [{ name: "other", value: "64500:7" }] })))
    assert.deepStrictEqual(peersOf(world), ["edge"])
  })

  it("lets the ones that rest on it be made too", () => {
    const world = heldWorld()
    world.do(apply("east", aliases("another")))
    world.do(apply("east", to("edge", { communities: ["another"] })))
    assert.deepStrictEqual(peersOf(world), ["tor"])
    world.do(apply("east", edge))
    assert.deepStrictEqual(peersOf(world), ["tor"], "each of the two changes rests on the other")
    world.do(apply("east", to("edge", { communities: [] })))
    assert.deepStrictEqual(peersOf(world), ["edge"])
    assert.isEmpty(world.fleet.cluster("east").waiting)
  })

  it("is told of for as long as it waits, whatever else changes", () => {
    const world = heldWorld()
    world.do(apply("east", spine))
    assert.include(codesOf(world, key), "LT0142")
    world.do(apply("east", to("edge")))
    assert.include(codesOf(world, key), "LT0142")
    assert.deepStrictEqual(peersOf(world), ["tor"])
  })

  it("is the newest one, and none once the object is as it was, or gone", () => {
    for (const [what, command] of [
      ["another", apply("east", to("tor", { communities: [] }))],
      ["put back", apply("east", to("tor"))],
      [
        "deleted",
        { _tag: "DeleteManifest", cluster: "east", kind: "BGPAdvertisement", namespace: "metallb-system", name: "all" }
      ]
    ] as const) {
      const world = heldWorld()
      world.do(command)
      assert.notInclude(codesOf(world, key), "LT0142", what)
      const before = peersOf(world)
      world.do(apply("east", edge))
      assert.deepStrictEqual(peersOf(world), before, what)
      assert.isEmpty(world.fleet.cluster("east").waiting, what)
    }
  })

  it("waits also while its agent reads a later version that has errors, which is corrected", () => {
    const world = heldWorld()
    const object = { kind: "BGPAdvertisement", namespace: "metallb-system", name: "all" }
    const wrong = finding("LT0105", { object, expected: "a list", found: "a word" })
    const refused = { ...advertisement, spec: { ipAddressPools: "old" } }
    world.do({ _tag: "ReportFindings", cluster: "east", object, findings: [wrong], refused })
    assert.includeMembers([...codesOf(world, key)], ["LT0105", "LT0142"])
    world.do({ _tag: "ReportFindings", cluster: "east", object, findings: [] })
    world.do(apply("east", edge))
    assert.deepStrictEqual(peersOf(world), ["edge"])
  })

  it("of a pool is made when the other pool leaves its addresses", () => {
    const world = announcedWorld()
    world.do(apply("east", pool("old", ["192.0.2.0/25"])))
    assert.include(codesOf(world, "IPAddressPool/metallb-system/old"), "LT0142")
    world.do(apply("east", pool("new", ["198.51.100.0/28"])))
    assert.deepStrictEqual(codesOf(world, "IPAddressPool/metallb-system/old"), [])
    const { pools } = world.fleet.config(world.fleet.cluster("east"))
    assert.deepStrictEqual(pools.find(({ name }) => name === "old")?.ranges, ["192.0.2.0/25"])
  })

  const third = "IPAddressPool/metallb-system/third"
  const ofFleet = fleetObject("AddressPool", "third", {
    addresses: ["198.51.100.0/28"],
    clusterSelector: { matchExpressions: [{ key: "lowtide.dev/cluster", operator: "Exists" }] }
  })

  it("of a pool whose name the fleet had is made when the fleet's is gone", () => {
    const world = announcedWorld()
    world.do({ _tag: "ApplyFleetObject", manifest: ofFleet })
    world.do(apply("east", pool("third", ["198.51.100.64/28"])))
    assert.include(codesOf(world, third), "LT0160")
    world.do(apply("east", spine))
    assert.include(codesOf(world, third), "LT0160")
    world.do({ _tag: "DeleteFleetObject", kind: "AddressPool", name: "third" })
    assert.deepStrictEqual(codesOf(world, third), [])
    assert.isTrue(world.fleet.cluster("east").manifests.has(third))
  })

  it("of a new object ends when the object went while nobody watched", () => {
    const world = announcedWorld()
    world.do({ _tag: "ApplyFleetObject", manifest: ofFleet })
    world.do(apply("east", pool("third", ["198.51.100.64/28"])))
    assert.deepStrictEqual([...world.fleet.cluster("east").waiting], [third])
    world.do({
      ...{ _tag: "ObserveInventory", cluster: "east", services: ["shop/web"], nodes: ["east-1"], namespaces: [] },
      ...{ manifests: [...world.fleet.cluster("east").manifests.keys()], findings: [] }
    })
    assert.deepStrictEqual(codesOf(world, third), [])
    assert.isEmpty(world.fleet.cluster("east").waiting)
  })

  it("of a peer is made when no node has both any more", () => {
    const world = new World()
    const racked = (name: string, more = {}) =>
      raw("BGPPeer", name, { myASN: 64496, peerASN: 64500, peerAddress: "10.1.0.1", ...more })
    const selects = (rack: string) => ({ nodeSelectors: [{ matchLabels: { rack } }] })
    for (const rack of ["a", "b"]) {
      world.do({ _tag: "ObserveNode", cluster: "east", node: node(`${rack}1`, { labels: { rack } }) })
      world.do(apply("east", racked(`tor-${rack}`, selects(rack))))
    }
    world.do(apply("east", racked("tor-a")))
    assert.include(codesOf(world, "BGPPeer/metallb-system/tor-a"), "LT0142")
    world.do({ _tag: "ForgetNode", cluster: "east", name: "b1" })
    assert.notInclude(codesOf(world, "BGPPeer/metallb-system/tor-a"), "LT0142")
    assert.isEmpty(world.fleet.cluster("east").waiting)
  })

  it("is known to who loads the fleet", () => {
    const world = heldWorld()
    const loaded = new Fleet()
    for (const event of world.log) loaded.apply(event)
    assert.deepStrictEqual([...loaded.cluster("east").waiting], [key])
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
