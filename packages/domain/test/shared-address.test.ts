import { assert, describe, it } from "vitest"
import { vipKey } from "../src/announcing/index.ts"
import type { RememberedVip } from "../src/fleet/index.ts"
import { type Command, doubleHoldings, type VipIntent } from "../src/index.ts"
import { announcing, apply, fleetObject, observe, pool, service, World } from "./world.ts"

const any = "192.0.2.4"
const member = (cluster: string, priority: number, name = "web") => ({ cluster, namespace: "shop", name, priority })
const share = (members: ReadonlyArray<object>, spec: object = {}, name = "any"): Command => ({
  _tag: "ApplyFleetObject",
  manifest: fleetObject("SharedAddress", name, { addresses: [any], members, ...spec })
})
const unshare: Command = { _tag: "DeleteFleetObject", kind: "SharedAddress", name: "any" }
const web = (cluster: string): Command => observe(cluster, service("web"))
const forget = (cluster: string, name = "web"): Command => ({ _tag: "ForgetService", cluster, namespace: "shop", name })

/** Two clusters of a network with the same pool and a router each. */
const fleet = (): World => {
  const world = new World()
  for (const cluster of ["east", "west"]) {
    announcing(world, cluster)
    world.do(apply(cluster, pool("public", ["192.0.2.0/29"])))
  }
  return world
}
const intent = (world: World, cluster: string, address = any): VipIntent | undefined => {
  const message = world.message(cluster, vipKey(address))
  return message?._tag === "VipIntent" ? message : undefined
}
const held = (world: World) => ["east", "west"].map((cluster) => world.addresses(cluster, "shop/web").join())
const phases = (world: World) =>
  world.fleet
    .vipsAt("default", any)
    .map(({ cluster, phase, member }) => `${cluster} ${phase}${member ? " member" : ""}`)
const confirm = (world: World, cluster: string): void => {
  for (const node of [`${cluster}-1`, `${cluster}-2`]) {
    world.do({ _tag: "ConfirmWithdrawals", cluster, node, cseq: 100_000 })
  }
}
const finishMoves = (world: World, cluster: string, address: string): void => {
  const [successor = ""] = world.addresses(cluster, "shop/web")
  world.do({ _tag: "FinishMoves", cluster, moves: [{ namespace: "shop", name: "web", address, successor }] })
}
const refused = (world: World, command: Command): string => {
  world.do(command)
  return `${world.rejection?.code} ${world.rejection?.field}: ${world.rejection?.found}`
}

describe("a shared address", () => {
  it("is held in each cluster by its member, and by nobody else, whatever is asked", () => {
    const it = fleet()
    it.do(share([member("east", 1), member("west", 2)]))
    for (const cluster of ["east", "west"]) it.do(web(cluster))
    assert.deepStrictEqual(held(it), [any, any])
    it.do(observe("east", service("thief", { requestedAddresses: [any] })))
    assert.strictEqual(it.refusal("east", "shop/thief"), "LT0203")
    it.do(observe("west", service("key", { annotations: { allowSharedIp: "k" }, requestedAddresses: [any] })))
    assert.strictEqual(it.refusal("west", "shop/key"), "LT0203")
    for (let count = 0; count < 8; count++) it.do(observe("east", service(`s${count}`)))
    assert.strictEqual(it.refusal("east", "shop/s7"), "LT0201", "and not by chance either")
  })

  it("is taken by nobody while no member is there", () => {
    const it = fleet()
    it.do(share([member("east", 1), member("west", 2)]))
    it.do(observe("east", service("thief", { requestedAddresses: [any] })))
    assert.strictEqual(it.refusal("east", "shop/thief"), "LT0203")
  })

  it("is announced as a longer path, and a lower preference, by each lower priority; equals are alike", () => {
    const it = fleet()
    it.do(share([member("east", 10), member("west", 20)]))
    for (const cluster of ["east", "west"]) it.do(web(cluster))
    const attributes = (cluster: string) =>
      intent(it, cluster)?.routes.map(({ prepend, localPref }) => [prepend, localPref])
    assert.deepStrictEqual([attributes("east"), attributes("west")], [[[undefined, null]], [[4, 90]]])
    it.do(share([member("east", 20), member("west", 10)]))
    assert.deepStrictEqual([attributes("east"), attributes("west")], [[[4, 90]], [[undefined, null]]])
    it.do(share([member("east", 7), member("west", 7)]))
    assert.deepStrictEqual([attributes("east"), attributes("west")], [[[undefined, null]], [[undefined, null]]])
  })

  it("grows out of an address that one cluster has, without a word of it there", () => {
    const it = fleet()
    it.do(observe("east", service("web", { requestedAddresses: [any] })))
    it.do(web("east"))
    const before = intent(it, "east")?.cseq
    it.do(share([member("east", 1), member("west", 2)]))
    it.do(web("west"))
    assert.deepStrictEqual(held(it), [any, any])
    assert.strictEqual(intent(it, "east")?.cseq, before)
    assert.deepStrictEqual(phases(it), ["east assigned", "west assigned member"])
  })

  it("is not made of what is left to one cluster of an earlier one", () => {
    const it = fleet()
    it.do(share([member("east", 1), member("west", 2)]))
    for (const cluster of ["east", "west"]) it.do(web(cluster))
    it.do(forget("east"))
    confirm(it, "east")
    it.nowMs += 3_600_000
    it.do({ _tag: "ExpireQuarantines" })
    it.do(unshare)
    assert.deepStrictEqual(phases(it), ["east free member", "west assigned member"])
    const found = `spec.addresses: ${any}, assigned, of west/shop/web`
    assert.strictEqual(refused(it, share([member("east", 1)], {}, "other")), `LT0203 ${found}`)
    it.do(web("east"))
    assert.notStrictEqual(held(it)[0], any, "it would be east's and west's at once")
  })

  it("moves a member to it that had another address, make before break", () => {
    const it = fleet()
    it.do(web("west"))
    it.do(share([member("east", 1), member("west", 2)]))
    assert.deepStrictEqual(it.addresses("west", "shop/web"), [any])
    assert.strictEqual(intent(it, "west", "192.0.2.0")?.state, "announced")
    finishMoves(it, "west", "192.0.2.0")
    assert.strictEqual(intent(it, "west", "192.0.2.0")?.state, "withdrawn")
  })

  it("is withdrawn in the cluster of a member that goes, and there alone", () => {
    const it = fleet()
    it.do(share([member("east", 1), member("west", 2)]))
    for (const cluster of ["east", "west"]) it.do(web(cluster))
    it.do(share([member("east", 1)]))
    assert.notStrictEqual(it.addresses("west", "shop/web")[0], any)
    finishMoves(it, "west", any)
    assert.deepStrictEqual([intent(it, "east")?.state, intent(it, "west")?.state], ["announced", "withdrawn"])
    assert.deepStrictEqual(held(it)[0], any)
  })

  it("goes to another only when the nodes of all clusters have confirmed, and it has rested in each", () => {
    const it = fleet()
    it.do(share([member("east", 1), member("west", 2)]))
    for (const cluster of ["east", "west"]) it.do(web(cluster))
    for (const cluster of ["east", "west"]) it.do(forget(cluster))
    it.do(unshare)
    const ask = () => {
      it.do(observe("east", service("next", { requestedAddresses: [any] })))
      return it.refusal("east", "shop/next")
    }
    assert.strictEqual(ask(), "LT0209")
    confirm(it, "east")
    it.nowMs = 600_000
    it.do({ _tag: "ExpireQuarantines" })
    assert.strictEqual(ask(), "LT0209", "the nodes of west may announce it still")
    confirm(it, "west")
    assert.strictEqual(ask(), "LT0209")
    it.nowMs = 1_200_000
    it.do({ _tag: "ExpireQuarantines" })
    assert.isUndefined(ask())
    assert.deepStrictEqual(it.addresses("east", "shop/next"), [any])
  })

  it("is one cluster's own when the sharing ends while it alone has it", () => {
    const it = fleet()
    it.do(share([member("east", 1), member("west", 2)]))
    it.do(web("west"))
    it.do(unshare)
    assert.deepStrictEqual(it.addresses("west", "shop/web"), [any])
    it.do(observe("east", service("thief", { requestedAddresses: [any] })))
    assert.strictEqual(it.refusal("east", "shop/thief"), "LT0203")
    it.do(forget("west"))
    it.do(web("west"))
    assert.deepStrictEqual(it.addresses("west", "shop/web"), [any], "it comes back to its own")
  })
})

describe("a shared address is refused", () => {
  const two = [member("east", 1), member("west", 2)]
  it("while somebody else has the address, keeps it or shares it", () => {
    const it = fleet()
    it.do(observe("east", service("other", { requestedAddresses: [any] })))
    assert.strictEqual(refused(it, share(two)), `LT0203 spec.addresses: ${any}, assigned, of east/shop/other`)
    const kept = fleet()
    const spec = { for: { cluster: "east", namespace: "shop", name: "x" }, address: any }
    kept.do({ _tag: "ApplyFleetObject", manifest: fleetObject("Reservation", "x", spec) })
    assert.match(refused(kept, share(two)), /^LT0203 .* reserved for east\/shop\/x/)
    const twice = fleet()
    twice.do(share(two))
    assert.match(refused(twice, share([member("east", 1, "x")], {}, "more")), /^LT0203 .* shared address any/)
    const reserve = { _tag: "ApplyFleetObject", manifest: fleetObject("Reservation", "x", spec) } as const
    assert.match(refused(twice, reserve), /^LT0203 .* the shared address any/)
  })

  it("for a cluster that is not known, or has no pool with it", () => {
    const it = fleet()
    assert.match(refused(it, share([member("north", 1)])), /^LT0604 spec.members\[0\].cluster: north/)
    assert.match(refused(it, share(two, { addresses: ["198.51.100.1"] })), /^LT0202 spec.addresses/)
  })

  it("when it is to end while two clusters have it", () => {
    const it = fleet()
    it.do(share(two))
    for (const cluster of ["east", "west"]) it.do(web(cluster))
    assert.strictEqual(refused(it, unshare), "LT0220 spec.addresses: east/shop/web, west/shop/web")
    assert.match(refused(it, share(two, { addresses: ["192.0.2.5"] })), /^LT0220/)
  })

  const table: ReadonlyArray<readonly [string, object, string]> = [
    ["two addresses of one version", { addresses: ["192.0.2.1", "192.0.2.2"] }, "LT0119 spec.addresses[1]"],
    ["no address", { addresses: [] }, "LT0106 spec.addresses"],
    ["no member", { members: [] }, "LT0106 spec.members"],
    [
      "two members of a cluster",
      { members: [member("east", 1), member("east", 2, "x")] },
      "LT0114 spec.members[1].cluster"
    ],
    [
      "no priority",
      { members: [{ cluster: "east", namespace: "shop", name: "web" }] },
      "LT0106 spec.members[0].priority"
    ],
    ["five priorities", { members: [1, 2, 3, 4, 5].map((each) => member(`c${each}`, each)) }, "LT0108 spec.members"]
  ]
  it.each(table)("for %s", (_title, spec, expected) => {
    assert.include(refused(fleet(), share(two, spec)), expected)
  })
})

describe("a history that was lost", () => {
  const lost: Command = {
    ...{ _tag: "BeginRecovery", incarnation: 2, why: "a backup was restored" },
    lostAfter: { incarnation: 1, seq: 9 }
  }
  const adopt = (cluster: string, more: Partial<RememberedVip> = {}): Command => ({
    _tag: "AdoptVips",
    cluster,
    vips: [
      {
        ...{ network: "default", address: any, state: "announced" },
        services: [{ namespace: "shop", name: "web", uid: "uid-shop-web" }],
        obliged: [`${cluster}-1`, `${cluster}-2`],
        ...more
      }
    ]
  })
  const recovered = (world: World, services: ReadonlyArray<string> = ["shop/web"]): void => {
    world.do({ _tag: "FinishRecovery", without: [] })
    for (const cluster of ["east", "west"]) {
      const manifests = [...world.fleet.cluster(cluster).manifests.keys()]
      const nodes = [`${cluster}-1`, `${cluster}-2`]
      const inventory = { cluster, services, nodes, namespaces: [], findings: [], manifests }
      world.do({ _tag: "RepublishCluster", cluster, inventory: { _tag: "ObserveInventory", ...inventory } })
    }
  }

  it("gives each member its part back that the log had forgotten, with whom it obliges", () => {
    const it = fleet()
    it.do(share([member("east", 1), member("west", 2)]))
    it.do(web("east"))
    it.do(lost)
    it.do(adopt("west", { beside: true }))
    it.do(adopt("east", { beside: true }))
    it.do(web("west"))
    recovered(it)
    assert.deepStrictEqual(phases(it), ["east assigned member", "west assigned member"])
    assert.deepStrictEqual(
      [intent(it, "east")?.obliged, intent(it, "west")?.obliged],
      [
        ["east-1", "east-2"],
        ["west-1", "west-2"]
      ]
    )
    assert.deepStrictEqual(doubleHoldings(it.fleet), [])
    it.do(forget("west"))
    assert.deepStrictEqual(phases(it), ["east assigned member", "west withdrawing member"])
  })

  it("remembers a part that was given up, and leaves the other's alone", () => {
    const it = fleet()
    it.do(share([member("east", 1), member("west", 2)]))
    it.do(web("east"))
    it.do(lost)
    it.do(adopt("west", { state: "withdrawn", services: [] }))
    assert.deepStrictEqual(phases(it), ["east assigned member", "west withdrawing member"])
  })

  it("that took the object as well leaves both with what they announce, until the object is there again", () => {
    const it = fleet()
    it.do(lost)
    for (const cluster of ["east", "west"]) it.do(adopt(cluster, { beside: true }))
    for (const cluster of ["east", "west"]) it.do(web(cluster))
    recovered(it)
    assert.deepStrictEqual(held(it), [any, any])
    assert.deepStrictEqual([intent(it, "east")?.state, intent(it, "west")?.state], ["announced", "announced"])
    const double = () => doubleHoldings(it.fleet).map(({ vip, others }) => [vip.cluster, others[0]?.cluster])
    assert.deepStrictEqual(double(), [
      ["east", "west"],
      ["west", "east"]
    ])
    it.do(share([member("east", 1), member("west", 2)]))
    assert.deepStrictEqual(double(), [])
    it.do(forget("east"))
    assert.deepStrictEqual(phases(it), ["east withdrawing member", "west assigned member"])
  })

  it("leaves the one who had an address by itself in place when another holds it as well", () => {
    const it = fleet()
    it.do(observe("east", service("web", { requestedAddresses: [any] })))
    it.do(lost)
    it.do(adopt("west", { beside: true }))
    assert.deepStrictEqual(phases(it), ["east assigned", "west assigned member"])
  })

  for (const [who, members, expected] of [
    ["a member", ["east", "west"], ["east assigned", "west assigned member"]],
    ["nobody", ["east"], ["east assigned"]]
  ] as const) {
    it(`takes over what a node holds that is heard later, of a cluster that is ${who}`, () => {
      const it = fleet()
      it.do(observe("east", service("web", { requestedAddresses: [any] })))
      it.do(share(members.map((cluster, rank) => member(cluster, rank))))
      it.do(lost)
      recovered(it, ["shop/web"])
      it.do(adopt("west"))
      assert.deepStrictEqual(phases(it), [...expected])
    })
  }
})
