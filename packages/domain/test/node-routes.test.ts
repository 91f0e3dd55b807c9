import { assert, describe, it } from "vitest"
import {
  type AdvertisedRoute,
  judgeVip,
  type NodeIntent,
  nodeRoutes,
  type ServiceHealth,
  type VipIntent
} from "../src/announcing/index.ts"

const stamp = { incarnation: 1, epoch: 1, seq: 1 }
const cause = { seq: 1, type: "VipAssigned", reason: "pool-selected", actor: "test" }

const peer = (name: string) => ({
  name,
  peerAddress: "10.1.0.1",
  peerPort: 179,
  peerAsn: 64500,
  myAsn: 64496,
  routerId: null,
  sourceAddress: null,
  holdTimeSeconds: 90,
  keepaliveTimeSeconds: null,
  connectTimeSeconds: null
})

const node = (more: Partial<NodeIntent> = {}): NodeIntent => ({
  _tag: "NodeIntent",
  stamp,
  cseq: 1,
  prevCseq: 0,
  cluster: "east",
  node: "n1",
  peers: [peer("tor-a"), peer("tor-b")],
  addresses: [],
  excluded: null,
  cause,
  ...more
})

const named = (name: string, trafficPolicy: "Local" | "Cluster" = "Cluster") => ({
  namespace: "shop",
  name,
  uid: `uid-${name}`,
  trafficPolicy
})

const route = (more: Partial<AdvertisedRoute> = {}): AdvertisedRoute => ({
  advertisement: "all",
  prefix: "192.0.2.1/32",
  peers: ["tor-a", "tor-b"],
  nodes: ["n1"],
  localPref: null,
  communities: [],
  ...more
})

const vip = (more: Partial<VipIntent> = {}): VipIntent => ({
  _tag: "VipIntent",
  stamp,
  cseq: 2,
  prevCseq: 1,
  cluster: "east",
  network: "default",
  address: "192.0.2.1",
  state: "announced",
  services: [named("web")],
  admission: { _tag: "Open", candidates: ["n1"] },
  routes: [route()],
  obliged: ["n1"],
  cause,
  ...more
})

const here: ServiceHealth = { servesHere: true, servesAnywhere: true }
const elsewhere: ServiceHealth = { servesHere: false, servesAnywhere: true }
const nowhere: ServiceHealth = { servesHere: false, servesAnywhere: false }
const healthy = () => here

describe("whether a node announces a VIP", () => {
  const candidacy = [["n1"], ["n2"]] as const
  const exclusions = [null, "label", "network-unavailable"] as const
  const byPolicy = {
    Cluster: { here: "Announced", elsewhere: "Announced", nowhere: "NoEndpoint" },
    Local: { here: "Announced", elsewhere: "NoLocalEndpoint", nowhere: "NoEndpoint" }
  } as const
  const healths = { here, elsewhere, nowhere } as const
  const rows = candidacy.flatMap((candidates) =>
    exclusions.flatMap((excluded) =>
      (["Cluster", "Local"] as const).flatMap((policy) =>
        (["here", "elsewhere", "nowhere"] as const).map((where) => {
          const eligible = excluded === null ? byPolicy[policy][where] : "Excluded"
          return { candidates, excluded, policy, where, expected: candidates[0] === "n1" ? eligible : "NotCandidate" }
        })
      )
    )
  )

  it.each(rows)(
    "candidates $candidates, excluded $excluded, policy $policy, endpoints $where: $expected",
    ({ candidates, excluded, policy, where, expected }) => {
      const intent = vip({ admission: { _tag: "Open", candidates: [...candidates] }, services: [named("web", policy)] })
      const verdict = judgeVip(node({ excluded }), intent, () => healths[where])
      assert.strictEqual(verdict._tag, expected)
      if (verdict._tag === "Excluded") assert.strictEqual(verdict.why, excluded)
      const withdrawn = judgeVip(node({ excluded }), { ...intent, state: "withdrawn" }, () => healths[where])
      assert.strictEqual(withdrawn._tag, "Withdrawn", "a tombstone goes before everything")
    }
  )

  it("announces a shared VIP when any of its Services is eligible, each by its own policy", () => {
    const shared = vip({ services: [named("local", "Local"), named("wide")] })
    const judged = (local: ServiceHealth, wide: ServiceHealth) =>
      judgeVip(node(), shared, ({ name }) => (name === "local" ? local : wide))._tag
    assert.strictEqual(judged(nowhere, elsewhere), "Announced")
    assert.strictEqual(judged(here, nowhere), "Announced")
    assert.strictEqual(judged(elsewhere, nowhere), "NoLocalEndpoint")
    assert.strictEqual(judged(nowhere, nowhere), "NoEndpoint")
  })

  it.each([
    { listed: ["n1"], policy: "Cluster", health: elsewhere, expected: "Announced" },
    { listed: ["n2"], policy: "Cluster", health: elsewhere, expected: "Standby" },
    { listed: [], policy: "Cluster", health: elsewhere, expected: "Standby" },
    { listed: ["n2"], policy: "Local", health: here, expected: "Standby" },
    { listed: ["n1"], policy: "Local", health: elsewhere, expected: "NoLocalEndpoint" },
    { listed: ["n2"], policy: "Cluster", health: nowhere, expected: "NoEndpoint" }
  ] as const)(
    "under a listed admission of $listed, policy $policy: $expected",
    ({ listed, policy, health, expected }) => {
      const admission = { _tag: "Listed", nodes: [...listed], candidates: ["n1", "n2"] } as const
      const intent = vip({ admission, services: [named("web", policy)] })
      assert.strictEqual(judgeVip(node(), intent, () => health)._tag, expected)
      assert.strictEqual(judgeVip(node({ excluded: "label" }), intent, () => health)._tag, "Excluded")
    }
  )

  it("announces nothing of a VIP that lists it and of which it is no candidate", () => {
    const admission = { _tag: "Listed", nodes: ["n1"], candidates: ["n2"] } as const
    assert.strictEqual(judgeVip(node(), vip({ admission }), healthy)._tag, "NotCandidate")
  })

  it("announces nothing for a VIP that no Service holds", () => {
    assert.strictEqual(judgeVip(node(), vip({ services: [] }), healthy)._tag, "NoEndpoint")
  })
})

const noStandby = (peer: NodeIntent["peers"][number]): typeof peer => ({ ...peer, standby: "none" })

describe("what a node announces to its peers", () => {
  const wanted = (intents: ReadonlyArray<VipIntent>, of: NodeIntent = node()) => {
    const { byPeer, verdicts } = nodeRoutes(of, intents, healthy)
    const routes = Object.fromEntries([...byPeer].map(([name, prefixes]) => [name, [...prefixes.values()]]))
    return { routes, verdicts: Object.fromEntries([...verdicts].map(([address, { _tag }]) => [address, _tag])) }
  }
  const plain = { prefix: "192.0.2.1/32", localPref: null, communities: [], isStandby: false }

  it("is each route to those of its peers that the node has", () => {
    const { routes, verdicts } = wanted([vip({ routes: [route({ peers: ["tor-b", "tor-z"] })] })])
    assert.deepStrictEqual(routes, { "tor-a": [], "tor-b": [plain] })
    assert.deepStrictEqual(verdicts, { "192.0.2.1": "Announced" })
  })

  it("is nothing, and says so, where no route names the node or one of its peers", () => {
    const other = vip({ address: "192.0.2.2", routes: [route({ prefix: "192.0.2.2/32", nodes: ["n2"] })] })
    const { routes, verdicts } = wanted([vip({ routes: [route({ peers: ["tor-z"] })] }), other])
    assert.deepStrictEqual(routes, { "tor-a": [], "tor-b": [] })
    assert.deepStrictEqual(verdicts, { "192.0.2.1": "NoPeer", "192.0.2.2": "NoPeer" })
  })

  it("is a standby path of a VIP that lists others, and as good a path as any where an aggregate has an admitted VIP", () => {
    const standby = vip({ admission: { _tag: "Listed", nodes: ["n2"], candidates: ["n1", "n2"] } })
    const { routes, verdicts } = wanted([standby])
    assert.deepStrictEqual(routes["tor-a"], [{ ...plain, isStandby: true }])
    assert.deepStrictEqual(verdicts, { "192.0.2.1": "Standby" })
    const within = (intent: VipIntent, address: string) => ({
      ...intent,
      address,
      routes: [route({ prefix: "192.0.2.0/24" })]
    })
    const both = [within(standby, "192.0.2.1"), within(vip(), "192.0.2.2")]
    for (const intents of [both, both.toReversed()])
      assert.deepStrictEqual(wanted(intents).routes["tor-a"], [{ ...plain, prefix: "192.0.2.0/24" }])
  })

  it("is of a shared VIP what is for those of its Services that serve here", () => {
    const web = route({ services: ["shop/web"], peers: ["tor-a"] })
    const dns = route({ advertisement: "dns", services: ["shop/dns"], communities: ["64496:1"] })
    const told = (routes: ReadonlyArray<AdvertisedRoute>, ...serving: ReadonlyArray<string>) => {
      const shared = vip({ services: [named("web"), named("dns", "Local"), named("more")], routes })
      const health = ({ name }: { readonly name: string }) => (serving.includes(name) ? here : nowhere)
      const { byPeer, verdicts } = nodeRoutes(node(), [shared], health)
      const peers = [...byPeer].flatMap(([name, prefixes]) =>
        [...prefixes.values()].map((each) => [name, each] as const)
      )
      return [
        verdicts.get("192.0.2.1")?._tag,
        ...peers.map(([name, { communities }]) => [name, ...communities].join(" "))
      ]
    }
    assert.deepStrictEqual(told([web, dns], "web"), ["Announced", "tor-a"])
    assert.deepStrictEqual(told([web, dns], "dns"), ["Announced", "tor-a 64496:1", "tor-b 64496:1"])
    assert.deepStrictEqual(told([web, dns], "more"), ["NoEndpoint"], "no route is for the one that serves")
    assert.deepStrictEqual(
      told([{ ...web, nodes: ["n2"] }, dns], "web"),
      ["NoEndpoint"],
      "on another node it is for web"
    )
    assert.deepStrictEqual(told([{ ...web, nodes: ["n2"] }], "web"), ["NotCandidate"])
    assert.deepStrictEqual(told([route(), dns], "more"), ["Announced", "tor-a", "tor-b"], "a route for all")
  })

  describe("that takes no standby", () => {
    const first = node()
    const of = { ...first, peers: first.peers.map((each) => (each.name === "tor-a" ? noStandby(each) : each)) }
    const everyNone = { ...first, peers: first.peers.map(noStandby) }
    const standby = vip({ admission: { _tag: "Listed", nodes: ["n2"], candidates: ["n1", "n2"] } })

    it("is nothing of what the node is standby for, and all else", () => {
      const { routes, verdicts } = wanted([standby], of)
      assert.deepStrictEqual(routes, { "tor-a": [], "tor-b": [{ ...plain, isStandby: true }] })
      assert.deepStrictEqual(verdicts, { "192.0.2.1": "Standby" })
      assert.deepStrictEqual(wanted([vip()], of).routes, { "tor-a": [plain], "tor-b": [plain] })
    })

    it("is an aggregate that another VIP of the node holds up", () => {
      const within = (intent: VipIntent, address: string) => ({
        ...{ ...intent, address },
        routes: [route({ prefix: "192.0.2.0/24" })]
      })
      const both = [within(standby, "192.0.2.1"), within(vip(), "192.0.2.2")]
      for (const intents of [both, both.toReversed()])
        assert.deepStrictEqual(wanted(intents, of).routes["tor-a"], [{ ...plain, prefix: "192.0.2.0/24" }])
    })

    it("is nothing of what it has lost, and the verdict says so where no other peer has it", () => {
      const lostBy = (all: NodeIntent, ...lost: ReadonlyArray<string>) => {
        const { byPeer, verdicts } = nodeRoutes(all, [vip()], healthy, (peer) => lost.includes(peer))
        return [[...byPeer].flatMap(([name, { size }]) => (size > 0 ? name : [])), verdicts.get("192.0.2.1")?._tag]
      }
      assert.deepStrictEqual(lostBy(of, "tor-a"), [["tor-b"], "Announced"])
      assert.deepStrictEqual(lostBy(everyNone, "tor-a"), [["tor-b"], "Announced"])
      assert.deepStrictEqual(lostBy(everyNone, "tor-a", "tor-b"), [[], "NoStandby"])
      assert.deepStrictEqual(wanted([standby], everyNone).verdicts, { "192.0.2.1": "NoStandby" })
    })
  })

  it("is nothing of a VIP that the node does not announce", () => {
    const { routes, verdicts } = wanted([vip()], node({ excluded: "label" }))
    assert.deepStrictEqual(routes, { "tor-a": [], "tor-b": [] })
    assert.deepStrictEqual(verdicts, { "192.0.2.1": "Excluded" })
  })

  it.each([
    [null, null, null],
    [100, null, 100],
    [null, 100, 100],
    [50, null, 100],
    [null, 50, 100],
    [200, null, 200],
    [200, 100, 200],
    [100, 200, 200]
  ])("unites what two Advertisements want of one prefix: LOCAL_PREF %j and %j is %j", (first, second, localPref) => {
    const { routes } = wanted([
      vip({
        routes: [
          route({ advertisement: "a", localPref: first, communities: ["64496:2", "64496:1"] }),
          route({ advertisement: "b", localPref: second, communities: ["64496:3", "64496:1"], peers: ["tor-a"] })
        ]
      })
    ])
    assert.deepStrictEqual(routes["tor-a"], [
      { prefix: "192.0.2.1/32", localPref, communities: ["64496:1", "64496:2", "64496:3"], isStandby: false }
    ])
    assert.strictEqual(routes["tor-b"]?.[0]?.localPref, first, "each peer has its own")
  })

  it.each([
    [{ med: 20 }, { med: 10 }, { med: 10 }],
    [{ med: 20 }, {}, {}],
    [{ prepend: 3 }, { prepend: 2 }, { prepend: 2 }],
    [{ prepend: 3 }, {}, {}],
    [
      { med: 5, prepend: 1 },
      { med: 5, prepend: 1 },
      { med: 5, prepend: 1 }
    ]
  ])("is as good a path as the better of two Advertisements' of one prefix: %j and %j is %j", (first, second, best) => {
    for (const [left, right] of [
      [first, second],
      [second, first]
    ]) {
      const both = [route({ advertisement: "a", ...left }), route({ advertisement: "b", ...right })]
      assert.deepStrictEqual(wanted([vip({ routes: both })]).routes["tor-a"], [{ ...plain, ...best }])
    }
  })

  it("unites the VIPs of one aggregate, whatever their order, and keeps it while one is left", () => {
    const aggregate = (address: string, community: string) =>
      vip({ address, routes: [route({ prefix: "192.0.2.0/24", communities: [community] })] })
    const both = [aggregate("192.0.2.1", "64496:2"), aggregate("192.0.2.2", "64496:1")]
    const union = { prefix: "192.0.2.0/24", localPref: null, communities: ["64496:1", "64496:2"], isStandby: false }
    assert.deepStrictEqual(wanted(both).routes["tor-a"], [union])
    assert.deepStrictEqual(wanted(both.toReversed()).routes["tor-a"], [union])
    const [first, second] = both
    assert.deepStrictEqual(wanted([first!, { ...second!, state: "withdrawn" }]).routes["tor-a"], [
      { ...union, communities: ["64496:2"] }
    ])
  })
})
