import { assert, describe, it } from "vitest"
import { vipKey } from "../src/announcing/index.ts"
import type { RawObject } from "../src/config/index.ts"
import { apply, node, observe, pool, raw, service, World } from "./world.ts"

const rack = (name: string) => [{ matchLabels: { rack: name } }]
const advertisement = (name: string, spec: object) => raw("BGPAdvertisement", name, spec)
const peer = (name: string, peerAddress: string, spec: object = {}) =>
  raw("BGPPeer", name, { myASN: 64496, peerASN: 64500, peerAddress, ...spec })

/** Two racks of two nodes, a router in each, two pools and a Service of each. */
const begun = (...manifests: ReadonlyArray<RawObject>) => {
  const world = new World()
  for (const [name, of] of [
    ["n1", "a"],
    ["n2", "a"],
    ["n3", "b"]
  ] as const) {
    world.do({ _tag: "ObserveNode", cluster: "east", node: node(name, { labels: { rack: of } }) })
  }
  world.do(apply("east", peer("tor-a", "10.1.0.1", { nodeSelectors: rack("a") })))
  world.do(apply("east", peer("tor-b", "10.2.0.1", { nodeSelectors: rack("b") })))
  world.do(apply("east", pool("public", ["192.0.2.0/28", "2001:db8:100::/124"], {})))
  world.do(apply("east", { ...pool("private", ["198.51.100.0/28"], { autoAssign: false }), labels: { tier: "inner" } }))
  for (const manifest of manifests) world.do(apply("east", manifest))
  world.do(observe("east", service("web", { labels: { app: "web" } })))
  world.do(observe("east", service("db", { labels: { app: "db" }, annotations: { addressPool: "private" } })))
  return world
}

const intent = (world: World, address: string) => {
  const message = world.message("east", vipKey(address))
  assert.strictEqual(message?._tag, "VipIntent")
  return message?._tag === "VipIntent" ? message : undefined
}

const covered = (world: World) =>
  ["192.0.2.0", "198.51.100.0"].map((address) => intent(world, address)?.routes.map((route) => route.advertisement))

describe("which Advertisements cover a VIP", () => {
  it.each([
    ["without pools or selectors: all", {}, [["adv"], ["adv"]]],
    ["by a pool's name", { ipAddressPools: ["public"] }, [["adv"], []]],
    ["by a pool's labels", { ipAddressPoolSelectors: [{ matchLabels: { tier: "inner" } }] }, [[], ["adv"]]],
    [
      "by name or by labels",
      { ipAddressPools: ["public"], ipAddressPoolSelectors: [{ matchLabels: { tier: "inner" } }] },
      [["adv"], ["adv"]]
    ],
    ["by a Service's labels", { serviceSelectors: [{ matchLabels: { app: "db" } }] }, [[], ["adv"]]],
    [
      "by a pool and a Service's labels: both",
      { ipAddressPools: ["public"], serviceSelectors: [{ matchLabels: { app: "db" } }] },
      [[], []]
    ],
    ["on no node that there is: none", { nodeSelectors: rack("z") }, [[], []]]
  ])("%s", (_title, spec, expected) => {
    assert.deepStrictEqual(covered(begun(advertisement("adv", spec))), expected)
  })

  it("every one that does, each as a route of its own", () => {
    const world = begun(
      advertisement("one", {}),
      advertisement("two", {
        aggregationLength: 28,
        aggregationLengthV6: 124,
        localPref: 200,
        communities: ["64496:7"]
      })
    )
    const routes = intent(world, "192.0.2.0")?.routes ?? []
    assert.deepStrictEqual(
      routes.map(({ advertisement, localPref, communities }) => [advertisement, localPref, communities]),
      [
        ["one", null, []],
        ["two", 200, ["64496:7"]]
      ]
    )
  })

  it("a shared VIP by any of its Services", () => {
    const world = begun(advertisement("adv", { serviceSelectors: [{ matchLabels: { app: "b" } }] }))
    const shared = (name: string, port: number) =>
      observe(
        "east",
        service(name, {
          labels: { app: name },
          annotations: { allowSharedIp: "key" },
          requestedAddresses: ["192.0.2.9"],
          ports: [{ protocol: "TCP", port, name: "" }]
        })
      )
    world.do(shared("a", 80))
    assert.deepStrictEqual(intent(world, "192.0.2.9")?.routes, [])
    world.do(shared("b", 443))
    assert.deepStrictEqual(intent(world, "192.0.2.9")?.admission.candidates, ["n1", "n2", "n3"])
    assert.deepStrictEqual(
      intent(world, "192.0.2.9")?.services.map(({ name }) => name),
      ["a", "b"]
    )
  })

  it("a shared VIP for those of its Services that it selects, which a route says where it is not for all", () => {
    const selected = (app: string) => ({ serviceSelectors: [{ matchLabels: { app } }] })
    const world = begun(advertisement("every", {}), advertisement("one", selected("b")))
    const see = (name: string, port: number, app: string) =>
      world.do(
        observe(
          "east",
          service(name, {
            labels: { app },
            annotations: { allowSharedIp: "key" },
            requestedAddresses: ["192.0.2.9"],
            ports: [{ protocol: "TCP", port, name: "" }]
          })
        )
      )
    const services = () => intent(world, "192.0.2.9")?.routes.map((route) => route.services)
    see("a", 80, "a")
    see("b", 443, "b")
    assert.deepStrictEqual(services(), [undefined, ["shop/b"]])
    see("a", 80, "b")
    assert.deepStrictEqual(services(), [undefined, undefined])
  })
})

describe("the nodes and peers of a route", () => {
  const first = (world: World) => {
    const route = intent(world, "192.0.2.0")?.routes[0]
    return [route?.peers, route?.nodes, intent(world, "192.0.2.0")?.admission.candidates]
  }

  it("are every peer, and every node that has one", () => {
    assert.deepStrictEqual(first(begun(advertisement("adv", {}))), [
      ["tor-a", "tor-b"],
      ["n1", "n2", "n3"],
      ["n1", "n2", "n3"]
    ])
  })

  it("are the peers named, and the nodes that have one of those", () => {
    assert.deepStrictEqual(first(begun(advertisement("adv", { peers: ["tor-b"] }))), [["tor-b"], ["n3"], ["n3"]])
  })

  it("are the nodes selected, where they have a peer", () => {
    const world = begun(advertisement("adv", { nodeSelectors: rack("a") }))
    assert.deepStrictEqual(first(world)?.[1], ["n1", "n2"])
    const none = begun(advertisement("adv", { nodeSelectors: rack("a"), peers: ["tor-b"] }))
    assert.deepStrictEqual(intent(none, "192.0.2.0")?.routes, [])
  })

  it("do not include a node that is gone, and candidates are those of all routes", () => {
    const world = begun(
      advertisement("one", { nodeSelectors: rack("b") }),
      advertisement("two", { nodeSelectors: rack("a") })
    )
    assert.deepStrictEqual(intent(world, "192.0.2.0")?.admission.candidates, ["n1", "n2", "n3"])
    world.do({ _tag: "ForgetNode", cluster: "east", name: "n1" })
    assert.deepStrictEqual(intent(world, "192.0.2.0")?.admission.candidates, ["n2", "n3"])
  })
})

describe("the prefix of a route", () => {
  const prefixes = (spec: object) => {
    const world = begun(advertisement("adv", spec))
    const dual = { ipFamilyPolicy: "RequireDualStack" as const, ipFamilies: ["IPv4", "IPv6"] as const }
    world.do(observe("east", service("dual", dual)))
    return ["192.0.2.1", "2001:db8:100::"].map((address) => intent(world, address)?.routes[0]?.prefix)
  }

  it("is the host's unless the Advertisement aggregates, each family by its own length", () => {
    assert.deepStrictEqual(prefixes({}), ["192.0.2.1/32", "2001:db8:100::/128"])
    assert.deepStrictEqual(prefixes({ aggregationLength: 28 }), ["192.0.2.0/28", "2001:db8:100::/128"])
    assert.deepStrictEqual(prefixes({ aggregationLengthV6: 124 }), ["192.0.2.1/32", "2001:db8:100::/124"])
  })
})

describe("the nodes that a VIP obliges", () => {
  const confirm = (world: World, name: string) =>
    world.do({ _tag: "ConfirmWithdrawals", cluster: "east", node: name, cseq: world.book.cseq("east") })

  it("accumulate until all have confirmed a withdrawal, and then begin anew", () => {
    const world = begun(advertisement("adv", { nodeSelectors: rack("a") }))
    const obliged = () => intent(world, "192.0.2.0")?.obliged
    assert.deepStrictEqual(obliged(), ["n1", "n2"])
    world.do(apply("east", advertisement("adv", { nodeSelectors: rack("b") })))
    assert.deepStrictEqual(intent(world, "192.0.2.0")?.admission.candidates, ["n3"])
    assert.deepStrictEqual(obliged(), ["n1", "n2", "n3"])

    world.do({ _tag: "ForgetService", cluster: "east", namespace: "shop", name: "web" })
    const withdrawn = intent(world, "192.0.2.0")
    assert.deepStrictEqual([withdrawn?.state, withdrawn?.routes, withdrawn?.services], ["withdrawn", [], []])
    assert.deepStrictEqual(obliged(), ["n1", "n2", "n3"])
    confirm(world, "n1")
    confirm(world, "n2")
    assert.deepStrictEqual(obliged(), ["n1", "n2", "n3"], "n3 may still announce it")

    world.do(observe("east", service("web")))
    assert.deepStrictEqual(obliged(), ["n1", "n2", "n3"], "its return is no confirmation")
    world.do({ _tag: "ForgetService", cluster: "east", namespace: "shop", name: "web" })
    for (const name of ["n1", "n2", "n3"]) confirm(world, name)
    assert.deepStrictEqual(obliged(), [])
    world.do(observe("east", service("web")))
    assert.deepStrictEqual(obliged(), ["n3"])
  })

  it("include one that is gone: a vanished node confirms nothing", () => {
    const world = begun(advertisement("adv", {}))
    world.do({ _tag: "ForgetNode", cluster: "east", name: "n1" })
    world.do({ _tag: "ForgetService", cluster: "east", namespace: "shop", name: "web" })
    confirm(world, "n2")
    confirm(world, "n3")
    assert.strictEqual(world.fleet.vip("default", "192.0.2.0")?.phase, "withdrawing")
    assert.deepStrictEqual(intent(world, "192.0.2.0")?.obliged, ["n1", "n2", "n3"])
  })
})

describe("what a node is told of itself", () => {
  const told = (world: World, name: string) => {
    const message = world.message("east", `node.${name}`)
    return message?._tag === "NodeIntent" ? message : undefined
  }

  it("is how it runs BFD with them, as their profile says now", () => {
    const profile = (spec: object) => apply("east", raw("BFDProfile", "fast", spec))
    const world = begun()
    const bfd = () => told(world, "n1")?.peers.map((peer) => peer.bfd)
    assert.deepStrictEqual(bfd(), [undefined])
    world.do(apply("east", peer("tor-a", "10.1.0.1", { nodeSelectors: rack("a"), bfdProfile: "fast" })))
    assert.deepStrictEqual(bfd(), [undefined], "a profile that is not there yet")
    world.do(profile({}))
    const unset = { receiveIntervalMs: 300, transmitIntervalMs: 300, detectMultiplier: 3 }
    assert.deepStrictEqual(bfd(), [{ ...unset, passiveMode: false, minimumTtl: 254 }])
    world.do(profile({ receiveInterval: 50, detectMultiplier: 5, passiveMode: true, minimumTtl: 250 }))
    assert.deepStrictEqual(bfd(), [
      { receiveIntervalMs: 50, transmitIntervalMs: 300, detectMultiplier: 5, passiveMode: true, minimumTtl: 250 }
    ])
  })

  it("is the peers that select it, and its exclusion by label or for want of a network", () => {
    const world = begun()
    assert.deepStrictEqual(
      told(world, "n1")?.peers.map(({ name }) => name),
      ["tor-a"]
    )
    assert.isNull(told(world, "n1")?.excluded)
    const excluded = { "node.kubernetes.io/exclude-from-external-load-balancers": "" }
    world.do({ _tag: "ObserveNode", cluster: "east", node: node("n1", { labels: excluded, networkUnavailable: true }) })
    assert.deepStrictEqual([told(world, "n1")?.peers, told(world, "n1")?.excluded], [[], "label"])
    world.do({ _tag: "ObserveNode", cluster: "east", node: node("n3", { networkUnavailable: true }) })
    assert.strictEqual(told(world, "n3")?.excluded, "network-unavailable")
  })

  it("is no peer once it is gone", () => {
    const world = begun()
    world.do({ _tag: "ForgetNode", cluster: "east", name: "n1" })
    assert.deepStrictEqual(told(world, "n1")?.peers, [])
  })
})

describe("the answer to a Service", () => {
  const answer = (world: World, name: string) => {
    const message = world.message("east", `svc.uid-shop-${name}`)
    return message?._tag === "ServiceAnswer" ? message : undefined
  }

  it("lists IPv4 before IPv6, or the order asked for, with the pools", () => {
    const world = begun()
    const dual = { ipFamilyPolicy: "RequireDualStack" as const, ipFamilies: ["IPv6", "IPv4"] as const }
    world.do(observe("east", service("dual", dual)))
    assert.deepStrictEqual(answer(world, "dual")?.addresses, [
      { address: "192.0.2.1", pool: "public" },
      { address: "2001:db8:100::", pool: "public" }
    ])
    world.do(observe("east", service("asked", { ...dual, requestedAddresses: ["2001:db8:100::5", "192.0.2.5"] })))
    assert.deepStrictEqual(
      answer(world, "asked")?.addresses.map(({ address }) => address),
      ["2001:db8:100::5", "192.0.2.5"]
    )
  })

  it("says why there is none", () => {
    const world = begun()
    world.do(observe("east", service("out", { requestedAddresses: ["203.0.113.9"] })))
    assert.deepStrictEqual(answer(world, "out")?.addresses, [])
    assert.match(answer(world, "out")?.refusal?.code ?? "", /^LT0\d{3}$/)
  })
})
