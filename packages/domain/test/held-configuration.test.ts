import { assert, describe, it } from "vitest"
import type { RawObject } from "../src/config/index.ts"
import {
  budgetUse,
  type Command,
  Fleet,
  heldBy,
  keptOf,
  type NumberedMessage,
  type VipIntent,
  vipKey,
  waitingOrders
} from "../src/index.ts"
import { Choices, randomAnnouncing } from "./random-fleet.ts"
import { announcing, apply, fleetObject, node, observe, pool, raw, service, World } from "./world.ts"

const names = (count: number, from = 0) => Array.from({ length: count }, (_, index) => `s${from + index}`)
const all = raw("BGPAdvertisement", "all", {})
const tor = raw("BGPPeer", "tor", { myASN: 64496, peerASN: 64500, peerAddress: "10.1.0.1" })
const remove = ({ kind, name }: Pick<RawObject, "kind" | "name">, cluster = "east"): Command => ({
  ...{ _tag: "DeleteManifest", cluster, kind, namespace: "metallb-system", name }
})

const limits = (blastRadius: object): Command => ({
  _tag: "ApplyFleetObject",
  manifest: fleetObject("Fleet", "prod", { blastRadius })
})

/** A cluster with so many Services, each announced by two nodes, and a budget of so many addresses. */
const serving = (count: number, { routes = 5, labels = {} }: { routes?: number; labels?: object } = {}): World => {
  const made = new World()
  announcing(made, "east")
  made.do(apply("east", { ...pool("public", ["198.18.0.0/24"]), labels }))
  made.doAll(names(count).map((name) => observe("east", service(name, { labels: { tier: "web" } }))))
  made.do(limits({ maxWithdrawRoutes: routes, per: "10m" }))
  return made
}

const isVip = (message: NumberedMessage): message is VipIntent => message._tag === "VipIntent"
const intentsSince = (world: World, since: number) => world.messages.slice(since).filter(isVip)
const announced = (world: World): number =>
  [...world.fleet.vips.values()].filter((vip) => {
    const message = world.message(vip.cluster, vipKey(vip.address))
    return message !== undefined && isVip(message) && message.routes.length > 0
  }).length
const kept = (world: World, cluster = "east") => [...world.fleet.cluster(cluster).kept.keys()].sort()
const codesOf = (world: World, key: string) =>
  (world.fleet.cluster("east").findings.get(key)?.findings ?? []).map(({ code }) => code)
const waitingOf = (world: World, id = "w-1") => heldBy(world.fleet, { id, cluster: "east" }).length
const approve = (world: World, id = "w-1"): Command => ({
  ...{ _tag: "ApproveWithdrawals", id, revision: world.fleet.versions.get(`approval:${id}`) ?? 0 }
})

describe("configuration that takes routes from more addresses than the budget allows", () => {
  const narrowed: ReadonlyArray<readonly [string, Command]> = [
    ["an Advertisement is deleted", remove(all)],
    [
      "it is narrowed to another pool",
      apply("east", raw("BGPAdvertisement", "all", { ipAddressPoolSelectors: [{ matchLabels: { a: "b" } }] }))
    ],
    [
      "it is narrowed to other nodes",
      apply("east", raw("BGPAdvertisement", "all", { nodeSelectors: [{ matchLabels: { rack: "9" } }] }))
    ],
    [
      "it is narrowed to other Services",
      apply("east", raw("BGPAdvertisement", "all", { serviceSelectors: [{ matchLabels: { tier: "db" } }] }))
    ],
    ["the only peer is deleted", remove(tor)],
    [
      "the only peer is for other nodes",
      apply("east", { ...tor, spec: { ...(tor.spec as object), nodeSelectors: [{ matchLabels: { rack: "9" } }] } })
    ]
  ]
  for (const [what, command] of narrowed) {
    it(`is recorded and waits, without a word to the speakers: ${what}`, () => {
      const it = serving(20)
      const since = it.messages.length
      const events = it.do(command)
      assert.include(["ManifestApplied", "ManifestDeleted"], events[0]?.type)
      assert.deepStrictEqual(
        it.messages.slice(since).filter(({ _tag }) => _tag !== "ObjectFindings"),
        []
      )
      assert.deepInclude(it.fleet.approvals.get("w-1"), { cluster: "east", phase: "pending", count: 20 })
      assert.strictEqual(waitingOf(it), 20)
      assert.deepStrictEqual(it.do(command), [], "a second time")
    })
    it(`takes them when it is approved, as an order: ${what}`, () => {
      const it = serving(20)
      it.do(command)
      const since = it.messages.length
      it.do(approve(it))
      const intents = intentsSince(it, since)
      assert.strictEqual(intents.length, 20)
      for (const { state, routes, massWithdraw, obliged } of intents) {
        assert.deepStrictEqual([state, routes, obliged], ["announced", [], ["east-1", "east-2"]])
        assert.isObject(massWithdraw)
      }
      assert.deepStrictEqual([kept(it), waitingOf(it), budgetUse(it.fleet, undefined, 0).withdrawn], [[], 0, 0])
      assert.deepStrictEqual(it.do(approve(it)), [])
    })
  }

  it("says nothing again of what an approval does not change", () => {
    const it = serving(20)
    it.do(apply("east", raw("BGPAdvertisement", "more", { serviceSelectors: [{ matchLabels: { tier: "other" } }] })))
    it.doAll(names(3, 50).map((name) => observe("east", service(name, { labels: { tier: "other" } }))))
    it.do(remove(all))
    const since = it.messages.length
    it.do(approve(it))
    assert.strictEqual(intentsSince(it, since).filter(({ routes }) => routes.length === 0).length, 20)
    const others = it.messages.slice(since).filter(({ _tag }) => _tag === "NodeIntent")
    assert.deepStrictEqual(others, [])
  })

  it("is approved for all nodes where the brake of one is released with it, which what is not changed is said to alone", () => {
    const it = serving(20)
    it.do(remove(all))
    const since = it.messages.length
    it.doAll([approve(it), { _tag: "ReleaseBrake", cluster: "east", node: "east-2" }])
    const said = it.messages.slice(since).flatMap((message) => {
      if (message._tag !== "VipIntent" && message._tag !== "NodeIntent") return []
      const { massWithdraw } = message
      return [[message._tag, massWithdraw === undefined ? "none" : (massWithdraw.nodes?.join() ?? "all")].join(" to ")]
    })
    assert.deepStrictEqual(said, ["NodeIntent to east-2", ...Array.from({ length: 20 }, () => "VipIntent to all")])
  })

  it("is not what is within the budget, which is counted for its period", () => {
    const it = serving(4)
    it.do(remove(all))
    assert.strictEqual(announced(it), 0)
    assert.strictEqual(budgetUse(it.fleet, undefined, 0).withdrawn, 4)
    it.do(apply("east", all))
    it.nowMs = 599_999
    it.do(remove(all))
    assert.deepStrictEqual([announced(it), kept(it)], [4, ["BGPAdvertisement/metallb-system/all"]])
    it.do(apply("east", all))
    it.nowMs = 600_000
    it.do(remove(all))
    assert.deepStrictEqual([announced(it), kept(it)], [0, []])
    assert.deepStrictEqual(it.fleet.cluster("east").routesTaken?.taken, [{ atMs: 600_000, addresses: 4 }])
  })

  it("is not what leaves each address a route, by another peer, node or Advertisement", () => {
    const it = serving(20)
    it.do(apply("east", { ...tor, name: "tor2", spec: { ...(tor.spec as object), peerAddress: "10.1.0.2" } }))
    it.do(remove(tor))
    it.do(apply("east", raw("BGPAdvertisement", "other", { localPref: 50 })))
    it.do(remove(all))
    assert.deepStrictEqual([kept(it), it.fleet.approvals.size, announced(it)], [[], 0, 20])
  })

  it("is also what leaves the routes of an address to others of its Services alone", () => {
    const it = serving(10)
    const shared = (name: string, tier: string, port: number) => {
      const annotations = { allowSharedIp: name.slice(1) }
      return observe(
        "east",
        service(name, { labels: { tier }, annotations, ports: [{ protocol: "TCP", port, name: "" }] })
      )
    }
    it.doAll(names(10).flatMap((name) => [shared(name, "web", 80), shared(`t${name.slice(1)}`, "db", 81)]))
    assert.strictEqual(it.fleet.cluster("east").vips.size, 10)
    it.do(apply("east", raw("BGPAdvertisement", "all", { serviceSelectors: [{ matchLabels: { tier: "db" } }] })))
    assert.deepStrictEqual([kept(it), waitingOf(it)], [["BGPAdvertisement/metallb-system/all"], 10])
  })

  it("is not a node that goes", () => {
    const it = serving(20)
    for (const name of ["east-1", "east-2"]) it.do({ _tag: "ForgetNode", cluster: "east", name })
    assert.deepStrictEqual([announced(it), it.fleet.approvals.size], [0, 0])
  })
})

describe("while a change waits", () => {
  const waiting = () => {
    const it = serving(20)
    it.do(remove(all))
    assert.deepStrictEqual(codesOf(it, "BGPAdvertisement/metallb-system/all"), ["LT0621"])
    return it
  }
  const isOver = (it: World) => {
    assert.deepStrictEqual([kept(it), waitingOf(it), announced(it)], [[], 0, 20])
    assert.deepStrictEqual(codesOf(it, "BGPAdvertisement/metallb-system/all"), [])
  }

  it("putting the object back ends it, with no change of a route", () => {
    const it = waiting()
    const since = it.messages.length
    it.do(apply("east", all))
    assert.deepStrictEqual(intentsSince(it, since), [])
    isOver(it)
  })

  it("another object that covers the same ends it", () => {
    const it = waiting()
    it.do(apply("east", raw("BGPAdvertisement", "renamed", {})))
    isOver(it)
  })

  it("the end of the last address ends it", () => {
    const it = serving(6)
    it.do(remove(all))
    for (const name of names(6)) {
      it.nowMs += 600_000
      it.do({ _tag: "ForgetService", cluster: "east", namespace: "shop", name })
    }
    assert.deepStrictEqual(kept(it), [])
  })

  it("the passing of time does not", () => {
    const it = waiting()
    it.nowMs = 7 * 86_400_000
    it.do({ _tag: "ObserveNode", cluster: "east", node: node("east-3") })
    assert.deepStrictEqual([kept(it).length, waitingOf(it)], [1, 20])
  })

  it("nodes that are away for a while end nothing", () => {
    const it = waiting()
    for (const name of ["east-1", "east-2"]) it.do({ _tag: "ForgetNode", cluster: "east", name })
    assert.strictEqual(announced(it), 0)
    it.do(apply("east", raw("BGPAdvertisement", "other", { nodeSelectors: [{ matchLabels: { rack: "9" } }] })))
    for (const name of ["east-1", "east-2"]) it.do({ _tag: "ObserveNode", cluster: "east", node: node(name) })
    assert.deepStrictEqual([kept(it).length, waitingOf(it), announced(it)], [1, 20, 20])
  })

  it("another change in effect is followed, and a node that comes announces", () => {
    const it = waiting()
    const since = it.messages.length
    it.do({ _tag: "ObserveNode", cluster: "east", node: node("east-3") })
    assert.strictEqual(intentsSince(it, since).length, 20)
    for (const { routes } of intentsSince(it, since)) assert.include(routes[0]?.nodes ?? [], "east-3")
  })

  it("what the old version rests on stays as well, and goes with it", () => {
    const it = serving(20)
    it.do(apply("east", raw("BGPAdvertisement", "all", { peers: ["tor"] })))
    it.do(remove(all))
    it.do(remove(tor))
    assert.deepStrictEqual(kept(it), ["BGPAdvertisement/metallb-system/all", "BGPPeer/metallb-system/tor"])
    assert.deepStrictEqual([it.fleet.cluster("east").manifests.size, announced(it)], [1, 20])
    it.do(approve(it))
    assert.deepStrictEqual([kept(it), announced(it)], [[], 0])
    const intent = it.message("east", "node.east-1")
    assert.deepStrictEqual(intent?._tag === "NodeIntent" && intent.peers, [])
  })

  it("a retired peer that nothing newest needs stays for it", () => {
    const it = serving(20)
    it.do(apply("east", raw("BGPAdvertisement", "all", { peers: ["tor"] })))
    it.do(remove(tor))
    it.do(remove(all))
    assert.deepStrictEqual(kept(it), ["BGPAdvertisement/metallb-system/all", "BGPPeer/metallb-system/tor"])
    assert.strictEqual(announced(it), 20)
  })

  it("an address that comes is announced by it, and what was looked at before is not approved", () => {
    const it = waiting()
    const seen = approve(it)
    it.do(observe("east", service("late")))
    assert.deepStrictEqual([announced(it), waitingOf(it)], [21, 21])
    assert.deepInclude(it.fleet.approvals.get("w-1"), { count: 21 })
    assert.deepStrictEqual([it.do(seen), it.rejection?.code], [[], "LT0609"])
    it.do(approve(it))
    assert.strictEqual(announced(it), 0)
  })

  it("a rejection keeps it, for who puts it back or approves after all", () => {
    const it = waiting()
    const revision = it.fleet.versions.get("approval:w-1") ?? 0
    it.do({ _tag: "RejectWithdrawals", id: "w-1", revision })
    assert.deepStrictEqual([it.fleet.approvals.get("w-1")?.phase, announced(it)], ["rejected", 20])
    assert.deepStrictEqual(codesOf(it, "BGPAdvertisement/metallb-system/all"), ["LT0621"])
    it.do(observe("east", service("late")))
    assert.deepInclude(
      it.fleet.approvals.get("w-1"),
      { phase: "pending", count: 21 },
      "it has grown: it is asked again"
    )
    it.do({ _tag: "ForgetService", cluster: "east", namespace: "shop", name: "late" })
    it.do(apply("east", all))
    isOver(it)
  })

  it("a second object that is deleted alone, put back alone, waits and is over by itself", () => {
    const it = serving(20)
    it.do(apply("east", raw("BGPAdvertisement", "web", { serviceSelectors: [{ matchLabels: { tier: "db" } }] })))
    it.doAll(names(20, 100).map((name) => observe("east", service(name, { labels: { tier: "db" } }))))
    it.do(apply("east", raw("BGPAdvertisement", "all", { serviceSelectors: [{ matchLabels: { tier: "web" } }] })))
    it.do(remove({ kind: "BGPAdvertisement", name: "web" }))
    it.do(remove(all))
    assert.deepStrictEqual([kept(it).length, waitingOf(it), announced(it)], [2, 40, 40])
    it.do(apply("east", raw("BGPAdvertisement", "all", { serviceSelectors: [{ matchLabels: { tier: "web" } }] })))
    assert.deepStrictEqual([kept(it), waitingOf(it)], [["BGPAdvertisement/metallb-system/web"], 20])
    it.do(approve(it))
    assert.strictEqual(announced(it), 20)
  })

  it("addresses that are released beyond the budget are in the same order, once each", () => {
    const it = waiting()
    it.doAll(names(20).map((name) => ({ _tag: "ForgetService", cluster: "east", namespace: "shop", name }) as Command))
    const released = [...it.fleet.vips.values()].filter(({ heldRelease }) => heldRelease !== undefined)
    assert.deepStrictEqual([released.length, it.fleet.approvals.size, waitingOf(it)], [15, 1, 15])
    it.do(approve(it))
    assert.strictEqual([...it.fleet.vips.values()].filter(({ phase }) => phase === "assigned").length, 0)
    assert.deepStrictEqual(kept(it), [])
  })

  it("a cluster's whole configuration that goes at once waits as one", () => {
    const it = serving(20)
    // Another of each kind stays: a kind of which nothing at all is left would not be believed.
    const spare = [
      pool("spare", ["198.18.9.0/24"]),
      raw("BGPPeer", "spare", { myASN: 64496, peerASN: 64500, peerAddress: "10.1.0.9" }),
      raw("BGPAdvertisement", "spare", { ipAddressPools: ["spare"] })
    ]
    for (const manifest of spare) it.do(apply("east", manifest))
    it.do({
      ...{ _tag: "ObserveInventory", cluster: "east", nodes: ["east-1", "east-2"], namespaces: [], findings: [] },
      services: [...it.fleet.cluster("east").services.keys()],
      manifests: spare.map(({ kind }) => `${kind}/metallb-system/spare`)
    })
    assert.deepStrictEqual(kept(it), ["BGPAdvertisement/metallb-system/all", "BGPPeer/metallb-system/tor"])
    assert.strictEqual(announced(it), 20)
    assert.deepStrictEqual(keptOf(it.fleet.cluster("east"), "w-1").length, 2)
  })
})

describe("pools", () => {
  it("keep the labels by which they are announced, while what they give out is as it was changed", () => {
    const it = serving(20, { labels: { zone: "a" } })
    it.do(apply("east", raw("BGPAdvertisement", "all", { ipAddressPoolSelectors: [{ matchLabels: { zone: "a" } }] })))
    it.do(apply("east", { ...pool("public", ["198.18.0.0/24", "198.18.7.0/24"]), labels: { zone: "b" } }))
    assert.deepStrictEqual([kept(it), announced(it)], [["IPAddressPool/metallb-system/public"], 20])
    it.do(observe("east", service("far", { requestedAddresses: ["198.18.7.1"] })))
    assert.deepStrictEqual(it.addresses("east", "shop/far"), ["198.18.7.1"])
    it.do(approve(it))
    assert.strictEqual(announced(it), 0)
  })

  it("of the fleet do the same in each of their clusters", () => {
    const it = new World()
    const shared = (zone: string): Command => ({
      _tag: "ApplyFleetObject",
      manifest: {
        ...fleetObject("AddressPool", "fleet", {
          addresses: ["198.18.0.0/24"],
          clusterSelector: { matchLabels: { tier: "prod" } }
        }),
        labels: { zone }
      }
    })
    it.do(shared("a"))
    for (const cluster of ["east", "west"]) {
      it.do({ _tag: "RegisterCluster", cluster, network: "default", labels: { tier: "prod" } })
      announcing(it, cluster)
      it.do(
        apply(cluster, raw("BGPAdvertisement", "all", { ipAddressPoolSelectors: [{ matchLabels: { zone: "a" } }] }))
      )
      it.doAll(names(20).map((name) => observe(cluster, service(name))))
    }
    it.do(shared("b"))
    assert.deepStrictEqual([kept(it), kept(it, "west")], [["AddressPool//fleet"], ["AddressPool//fleet"]])
    assert.deepStrictEqual([...it.fleet.approvals.keys()], ["w-1", "w-2"])
    assert.strictEqual(announced(it), 40)
    it.do(approve(it, "w-2"))
    assert.deepStrictEqual([kept(it).length, kept(it, "west").length, announced(it)], [1, 0, 20])
    it.do(shared("a"))
    assert.deepStrictEqual([kept(it), announced(it)], [[], 40])
  })
})

describe("random configuration", () => {
  /** Addresses that have a route by what the speakers were told. */
  const routed = (it: World): ReadonlySet<string> =>
    new Set(
      [...new Map(it.messages.flatMap((told) => (isVip(told) ? [[`${told.cluster}/${told.address}`, told]] : [])))]
        .filter(([, { routes }]) => routes.length > 0)
        .map(([key]) => key)
    )
  const isAssigned = (it: World, key: string) =>
    [...it.fleet.vips.values()].some((vip) => `${vip.cluster}/${vip.address}` === key && vip.phase === "assigned")
  const isConfiguration = ({ _tag }: Command) => ["ApplyManifest", "DeleteManifest", "ApplyFleetObject"].includes(_tag)

  it("takes no more routes than the budget within its period, ends waiting by itself, and is the same by replay", () => {
    const seen = { kept: 0, approved: 0, ended: 0, taken: 0 }
    for (let seed = 1; seed <= 12; seed++) {
      const choose = new Choices(seed)
      const it = new World()
      for (const cluster of ["east", "west"]) {
        announcing(it, cluster)
        for (const object of [all, tor]) it.do(remove(object, cluster))
        it.do(apply(cluster, pool("p0", [`198.18.${cluster === "east" ? 0 : 1}.0/24`])))
        it.do(apply(cluster, { ...tor, name: "t0" }))
        it.do(apply(cluster, raw("BGPAdvertisement", "adv0", {})))
        it.doAll(names(5).map((name) => observe(cluster, service(name))))
      }
      it.do(limits({ maxWithdrawRoutes: 2, per: "10m", perCluster: { maxWithdrawRoutes: 2 } }))
      const losses: Array<{ readonly atMs: number; readonly count: number }> = []
      for (let step = 0; step < 120; step++) {
        it.nowMs += choose.below(60_000)
        const orders = [...waitingOrders(it.fleet)]
        const isApproval = orders.length > 0 && choose.below(12) === 0
        const command = isApproval ? approve(it, choose.one(orders)) : randomAnnouncing(it, choose)
        if (JSON.stringify(command).includes("blastRadius") || command._tag === "DeleteFleetObject") continue
        const before = routed(it)
        const events = it.do(command)
        const after = routed(it)
        if (isConfiguration(command)) {
          const lost = [...before].filter((key) => !after.has(key) && isAssigned(it, key))
          losses.push({ atMs: it.nowMs, count: lost.length })
          seen.taken += lost.length
        }
        const recent = losses.filter(({ atMs }) => it.nowMs - atMs < 600_000)
        assert.isAtMost(
          recent.reduce((sum, { count }) => sum + count, 0),
          2,
          `seed ${seed} step ${step}`
        )
        seen.kept += events.filter(({ type }) => type === "VersionKept").length
        const dropped = events.filter(({ type }) => type === "VersionDropped")
        if (isApproval) seen.approved += dropped.length
        else {
          seen.ended += dropped.length
        }
        if (command._tag !== "ReleaseBrake")
          assert.deepStrictEqual(it.do(command), [], `seed ${seed}: ${command._tag} again`)
        for (const id of waitingOrders(it.fleet)) {
          const order = it.fleet.approvals.get(id)
          const count = order === undefined ? 0 : heldBy(it.fleet, order).length
          assert.isTrue(
            count > 0 && count <= (order?.count ?? 0),
            `seed ${seed}: ${id} of ${count}, ${order?.count} said`
          )
        }
      }
      const replayed = new Fleet()
      for (const event of it.log) replayed.apply(event)
      for (const [name, cluster] of it.fleet.clusters) {
        assert.deepStrictEqual(replayed.cluster(name).kept, cluster.kept)
        assert.deepStrictEqual(replayed.announced(replayed.cluster(name)), it.fleet.announced(cluster))
        assert.deepStrictEqual(
          budgetUse(replayed, replayed.cluster(name), it.nowMs),
          budgetUse(it.fleet, cluster, it.nowMs)
        )
      }
    }
    assert.isTrue(seen.kept > 20 && seen.approved > 5 && seen.ended > 5 && seen.taken > 2, JSON.stringify(seen))
  }, 30_000)
})
