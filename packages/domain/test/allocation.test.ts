import { assert, describe, it } from "vitest"
import type { Command } from "../src/index.ts"
import { announcing, apply, observe, pool, raw, service, World } from "./world.ts"

const world = (...pools: ReadonlyArray<ReturnType<typeof pool>>): World => {
  const made = new World()
  for (const each of pools) made.do(apply("east", each))
  return made
}

describe("which address a Service gets", () => {
  it("the lowest of the first range, in the order in which the pool lists them", () => {
    const it = world(pool("public", ["198.51.100.8/30", "192.0.2.0/24"]))
    for (let count = 0; count < 5; count++) it.do(observe("east", service(`s${count}`)))
    assert.deepStrictEqual(it.addresses("east", "shop/s0"), ["198.51.100.8"])
    assert.deepStrictEqual(it.addresses("east", "shop/s4"), ["192.0.2.0"])
  })

  it("avoids .0 and .255 where the pool says so, also when asked for one by name", () => {
    const it = world(pool("public", ["192.0.2.255-198.51.100.1"], { avoidBuggyIPs: true }))
    it.do(observe("east", service("web")))
    assert.deepStrictEqual(it.addresses("east", "shop/web"), ["192.0.3.1"])
    it.do(observe("east", service("odd", { requestedAddresses: ["192.0.2.255"] })))
    assert.strictEqual(it.refusal("east", "shop/odd"), "LT0210")
  })

  it("from pinned pools by priority, lower first, 0 and none last, then from open ones by name", () => {
    const it = world(
      pool("open-a", ["192.0.2.0/32"]),
      pool("late", ["192.0.2.1/32"], { serviceAllocation: { priority: 0, namespaces: ["shop"] } }),
      pool("second", ["192.0.2.2/32"], { serviceAllocation: { priority: 20, namespaces: ["shop"] } }),
      pool("first", ["192.0.2.3/32"], { serviceAllocation: { priority: 10, namespaces: ["shop"] } }),
      pool("other", ["192.0.2.4/32"], { serviceAllocation: { priority: 1, namespaces: ["media"] } }),
      pool("manual", ["192.0.2.5/32"], { autoAssign: false })
    )
    const given = ["a", "b", "c", "d", "e"].map((name) => {
      it.do(observe("east", service(name)))
      return it.addresses("east", `shop/${name}`)[0]
    })
    assert.deepStrictEqual(given, ["192.0.2.3", "192.0.2.2", "192.0.2.1", "192.0.2.0", undefined])
    assert.strictEqual(it.refusal("east", "shop/e"), "LT0201")
  })

  it("by namespace label and Service selector, both of which have to fit", () => {
    const it = world(
      pool("web", ["192.0.2.0/32"], {
        serviceAllocation: {
          namespaceSelectors: [{ matchLabels: { team: "web" } }],
          serviceSelectors: [{ matchLabels: { tier: "front" } }]
        }
      })
    )
    it.do(observe("east", service("web", { labels: { tier: "front" } })))
    assert.strictEqual(it.refusal("east", "shop/web"), "LT0208")
    it.do({ _tag: "ObserveNamespace", cluster: "east", namespace: { name: "shop", labels: { team: "web" } } })
    assert.deepStrictEqual(it.addresses("east", "shop/web"), ["192.0.2.0"])
    assert.strictEqual(it.refusal("east", "shop/web"), undefined)
  })

  it("from a pool with serviceAllocation before one without, whatever stands in it", () => {
    const it = world(pool("a", ["192.0.2.0/32"]), pool("b", ["192.0.2.1/32"], { serviceAllocation: { priority: 0 } }))
    it.do(observe("east", service("web")))
    assert.deepStrictEqual(it.addresses("east", "shop/web"), ["192.0.2.1"])
  })

  it("by the label that every namespace has, also one of which nothing was seen", () => {
    const namespaceSelectors = [{ matchLabels: { "kubernetes.io/metadata.name": "shop" } }]
    const it = world(pool("shop", ["192.0.2.0/32"], { serviceAllocation: { namespaceSelectors } }))
    it.do(observe("east", service("web")))
    it.do(observe("east", service("web", { namespace: "media" })))
    assert.deepStrictEqual(it.addresses("east", "shop/web"), ["192.0.2.0"])
    assert.strictEqual(it.refusal("east", "media/web"), "LT0208")
  })

  it("asked for by name: of one pool, and goes on with two that are of two by now", () => {
    const it = world(pool("both", ["192.0.2.0/28", "2001:db8::/124"]), pool("other", ["2001:db8:1::/124"]))
    const asking = (...requestedAddresses: ReadonlyArray<string>) =>
      service("web", { ipFamilies: ["IPv4", "IPv6"], ipFamilyPolicy: "RequireDualStack", requestedAddresses })
    it.do(observe("east", asking("192.0.2.1", "2001:db8:1::1")))
    assert.deepStrictEqual([it.addresses("east", "shop/web"), it.refusal("east", "shop/web")], [[], "LT0207"])
    it.do(observe("east", asking("192.0.2.1", "2001:db8::1")))
    it.do(apply("east", pool("both", ["192.0.2.0/28"])))
    it.do(apply("east", pool("six", ["2001:db8::/124"])))
    it.do(observe("east", { ...asking("192.0.2.1", "2001:db8::1"), labels: { seen: "again" } }))
    assert.deepStrictEqual(it.addresses("east", "shop/web"), ["192.0.2.1", "2001:db8::1"])
    assert.strictEqual(it.refusal("east", "shop/web"), undefined)
  })

  it("its own from before, where a Service that prefers two can have only one", () => {
    const it = world(pool("four", ["192.0.2.0/28"]))
    const prefers = service("web", { ipFamilies: ["IPv4", "IPv6"], ipFamilyPolicy: "PreferDualStack" })
    it.do(observe("east", prefers))
    it.do({ _tag: "ForgetService", cluster: "east", namespace: "shop", name: "web" })
    it.do(observe("east", prefers))
    assert.deepStrictEqual(it.addresses("east", "shop/web"), ["192.0.2.0"])
  })

  it("the one it asks for, and says who has it when it is taken", () => {
    const it = world(pool("public", ["192.0.2.0/24"]))
    it.do(observe("east", service("first", { requestedAddresses: ["192.0.2.9"] })))
    it.do(observe("east", service("second", { requestedAddresses: ["192.0.2.9"] })))
    assert.deepStrictEqual(it.addresses("east", "shop/first"), ["192.0.2.9"])
    assert.strictEqual(it.refusal("east", "shop/second"), "LT0203")
    const finding = it.fleet.cluster("east").services.get("shop/second")?.refusal
    assert.include(finding?.message, "held by shop/first")
    it.do(observe("east", service("third", { requestedAddresses: ["203.0.113.1"] })))
    assert.strictEqual(it.refusal("east", "shop/third"), "LT0202")
  })

  it("keeps what it has when what it newly asks for cannot be had", () => {
    const it = world(pool("public", ["192.0.2.0/24"]))
    it.do(observe("east", service("web")))
    it.do(observe("east", service("web", { requestedAddresses: ["203.0.113.1"] })))
    assert.deepStrictEqual(it.addresses("east", "shop/web"), ["192.0.2.0"])
    assert.strictEqual(it.refusal("east", "shop/web"), "LT0202")
    it.do(observe("east", service("web", { requestedAddresses: ["192.0.2.5"] })))
    assert.deepStrictEqual(it.addresses("east", "shop/web"), ["192.0.2.5"])
    assert.strictEqual(it.refusal("east", "shop/web"), undefined)
  })

  it("keeps its address when its pool is deleted, and when the pool's author makes it wrong", () => {
    const it = world(pool("public", ["192.0.2.0/24"]))
    it.do(observe("east", service("web")))
    it.do(apply("east", pool("public", ["192.0.2.0/33"])))
    assert.deepStrictEqual(it.addresses("east", "shop/web"), ["192.0.2.0"])
    assert.strictEqual(it.fleet.config(it.fleet.cluster("east")).pools[0]?.ranges[0], "192.0.2.0/24")
    const ref = { cluster: "east", kind: "IPAddressPool", namespace: "metallb-system", name: "public" }
    it.do({ _tag: "DeleteManifest", ...ref })
    assert.deepStrictEqual(it.addresses("east", "shop/web"), ["192.0.2.0"])
  })

  it("both families from one pool, and what PreferDualStack makes of a pool with one", () => {
    const it = world(
      pool("v4", ["192.0.2.0/28"], { serviceAllocation: { priority: 1 } }),
      pool("both", ["198.51.100.0/28", "2001:db8:100::/120"])
    )
    const dual = { ipFamilies: ["IPv4", "IPv6"], ipFamilyPolicy: "RequireDualStack" } as const
    it.do(observe("east", service("dual", dual)))
    assert.deepStrictEqual(it.addresses("east", "shop/dual"), ["198.51.100.0", "2001:db8:100::"])
    it.do(observe("east", service("named", { ...dual, annotations: { addressPool: "v4" } })))
    assert.strictEqual(it.refusal("east", "shop/named"), "LT0201")
    const prefer = { ...dual, ipFamilyPolicy: "PreferDualStack", annotations: { addressPool: "v4" } } as const
    it.do(observe("east", service("prefer", prefer)))
    assert.deepStrictEqual(it.addresses("east", "shop/prefer"), ["192.0.2.0"])
  })

  it("never one that a cluster of the same network has, though the range stands in both their pools", () => {
    const it = world(pool("public", ["192.0.2.0/30"]))
    it.do(apply("west", pool("public", ["192.0.2.0/30"])))
    it.do({ _tag: "RegisterCluster", cluster: "lab", network: "lab" })
    it.do(apply("lab", pool("public", ["192.0.2.0/30"])))
    for (const cluster of ["east", "west", "lab"]) it.do(observe(cluster, service("web")))
    assert.deepStrictEqual(it.addresses("east", "shop/web"), ["192.0.2.0"])
    assert.deepStrictEqual(it.addresses("west", "shop/web"), ["192.0.2.1"])
    assert.deepStrictEqual(it.addresses("lab", "shop/web"), ["192.0.2.0"])
  })
})

describe("a Service that comes to want both families", () => {
  it("gets the other from its own pool, and is refused, keeping what it has, where it must have both and cannot", () => {
    const it = world(pool("both", ["192.0.2.0/28", "2001:db8:100::/120"]), pool("v4", ["198.51.100.0/28"]))
    const dual = { ipFamilies: ["IPv4", "IPv6"], ipFamilyPolicy: "RequireDualStack" } as const
    it.do(observe("east", service("web", { annotations: { addressPool: "both" } })))
    it.do(observe("east", service("web", dual)))
    assert.deepStrictEqual(it.addresses("east", "shop/web"), ["192.0.2.0", "2001:db8:100::"])
    it.do(observe("east", service("old", { annotations: { addressPool: "v4" } })))
    it.do(observe("east", service("old", dual)))
    assert.deepStrictEqual(it.addresses("east", "shop/old"), ["198.51.100.0"])
    assert.strictEqual(it.refusal("east", "shop/old"), "LT0201")
  })
})

describe("sharing an address", () => {
  const shared = (name: string, port: number, more = {}) =>
    service(name, { annotations: { allowSharedIp: "key" }, ports: [{ protocol: "TCP", port, name: "" }], ...more })

  it("takes the same key and distinct ports", () => {
    const it = world(pool("public", ["192.0.2.0/24"]))
    it.do(observe("east", shared("http", 80)))
    it.do(observe("east", shared("https", 443)))
    it.do(observe("east", shared("clash", 80)))
    it.do(observe("east", service("alone")))
    assert.deepStrictEqual(it.addresses("east", "shop/https"), ["192.0.2.0"])
    assert.deepStrictEqual(it.addresses("east", "shop/clash"), ["192.0.2.1"])
    assert.deepStrictEqual(it.addresses("east", "shop/alone"), ["192.0.2.2"])
  })

  it("takes the same selector under policy Local, and never mixes policies", () => {
    const it = world(pool("public", ["192.0.2.0/24"]))
    const local = { externalTrafficPolicy: "Local", selector: { app: "dns" } } as const
    it.do(observe("east", shared("tcp", 53, local)))
    it.do(observe("east", shared("udp", 53, { ...local, ports: [{ protocol: "UDP", port: 53, name: "" }] })))
    it.do(observe("east", shared("other", 54, { ...local, selector: { app: "web" } })))
    it.do(observe("east", shared("cluster", 55, { requestedAddresses: ["192.0.2.0"] })))
    it.do(observe("east", shared("any", 56, { ...local, selector: {} })))
    it.do(observe("east", shared("plain", 57, { requestedAddresses: it.addresses("east", "shop/any") })))
    assert.strictEqual(it.refusal("east", "shop/plain"), "LT0204")
    assert.deepStrictEqual(it.addresses("east", "shop/udp"), ["192.0.2.0"])
    assert.deepStrictEqual(it.addresses("east", "shop/other"), ["192.0.2.1"])
    assert.strictEqual(it.refusal("east", "shop/cluster"), "LT0204")
  })

  it("goes on when one of the sharers leaves", () => {
    const it = world(pool("public", ["192.0.2.0/24"]))
    it.do(observe("east", shared("http", 80)))
    it.do(observe("east", shared("https", 443)))
    it.do({ _tag: "ForgetService", cluster: "east", namespace: "shop", name: "http" })
    assert.deepStrictEqual(it.addresses("east", "shop/https"), ["192.0.2.0"])
    assert.strictEqual(it.fleet.vip("default", "192.0.2.0")?.phase, "assigned")
  })
})

const deletion = (name: string): Command => ({
  _tag: "DeleteManifest",
  cluster: "east",
  kind: "IPAddressPool",
  namespace: "metallb-system",
  name
})

describe("an address after its release", () => {
  const forget = { _tag: "ForgetService", cluster: "east", namespace: "shop", name: "web" } as const

  it("is withdrawing until every obliged node has confirmed, then quarantined, then free", () => {
    const it = world(pool("public", ["192.0.2.0/32"]))
    announcing(it, "east")
    it.do(observe("east", service("web")))
    it.do(forget)
    assert.deepStrictEqual(it.fleet.vip("default", "192.0.2.0")?.obliged, ["east-1", "east-2"])
    it.do(observe("east", service("next")))
    assert.strictEqual(it.refusal("east", "shop/next"), "LT0201")
    const tombstone = it.message("east", "adv.4-192-0-2-0")
    assert.strictEqual(tombstone?._tag === "VipIntent" ? tombstone.state : "", "withdrawn")
    const cseq = tombstone?.cseq ?? 0
    it.do({ _tag: "ConfirmWithdrawals", cluster: "east", node: "east-1", cseq })
    it.do({ _tag: "ConfirmWithdrawals", cluster: "east", node: "east-2", cseq: cseq - 1 })
    assert.strictEqual(it.fleet.vip("default", "192.0.2.0")?.phase, "withdrawing")
    it.do({ _tag: "ConfirmWithdrawals", cluster: "east", node: "east-2", cseq })
    assert.strictEqual(it.fleet.vip("default", "192.0.2.0")?.phase, "quarantined")
    it.nowMs = 599_999
    it.do({ _tag: "ExpireQuarantines" })
    assert.deepStrictEqual(it.addresses("east", "shop/next"), [])
    it.nowMs = 600_000
    it.do({ _tag: "ExpireQuarantines" })
    assert.deepStrictEqual(it.addresses("east", "shop/next"), ["192.0.2.0"])
  })

  it("rests for what its pool said at the release, also when the pool is changed or deleted before it is withdrawn", () => {
    const resting = (quarantine: string) => ({
      ...pool("public", ["192.0.2.0/32"]),
      annotations: { "lowtide.dev/quarantine": quarantine }
    })
    for (const change of [apply("east", resting("1m")), deletion("public")]) {
      const it = world(resting("24h"))
      announcing(it, "east")
      it.do(observe("east", service("web")))
      it.do(forget)
      it.do(change)
      for (const node of ["east-1", "east-2"]) it.do({ _tag: "ConfirmWithdrawals", cluster: "east", node, cseq: 1_000 })
      assert.strictEqual(it.fleet.vip("default", "192.0.2.0")?.quarantineEndMs, 86_400_000)
      it.nowMs = 86_400_000
      it.do({ _tag: "ExpireQuarantines" })
      assert.strictEqual(it.fleet.vip("default", "192.0.2.0")?.quarantineMs, undefined, "nothing of it is left")
    }
  })

  it("a vanished node confirms nothing", () => {
    const it = world(pool("public", ["192.0.2.0/32"]))
    announcing(it, "east")
    it.do(observe("east", service("web")))
    it.do({ _tag: "ForgetNode", cluster: "east", name: "east-2" })
    it.do(forget)
    it.do({ _tag: "ConfirmWithdrawals", cluster: "east", node: "east-1", cseq: 1_000 })
    assert.strictEqual(it.fleet.vip("default", "192.0.2.0")?.phase, "withdrawing")
  })

  it("goes back to the same Service when it is created again, whatever came between", () => {
    const it = world(pool("public", ["192.0.2.0/24"]))
    announcing(it, "east")
    it.do(observe("east", service("web")))
    it.do(observe("east", service("other")))
    it.do(forget)
    it.do(observe("east", service("web", { uid: "uid-2" })))
    assert.deepStrictEqual(it.addresses("east", "shop/web"), ["192.0.2.0"])
    it.do(forget)
    for (const node of ["east-1", "east-2"]) it.do({ _tag: "ConfirmWithdrawals", cluster: "east", node, cseq: 1_000 })
    it.nowMs = 600_000
    it.do({ _tag: "ExpireQuarantines" })
    it.do(observe("east", service("newcomer")))
    assert.deepStrictEqual(it.addresses("east", "shop/newcomer"), ["192.0.2.2"])
    it.do(observe("east", service("web", { uid: "uid-3" })))
    assert.deepStrictEqual(it.addresses("east", "shop/web"), ["192.0.2.0"])
  })
})

describe("absence", () => {
  it("an empty inventory deletes nothing and raises a finding, a partial one deletes what is missing", () => {
    const it = world(pool("public", ["192.0.2.0/24"]))
    it.do(observe("east", service("web")))
    it.do(observe("east", service("gone")))
    const inventory = { _tag: "ObserveInventory", cluster: "east", nodes: [], namespaces: [], findings: [] } as const
    const manifests = ["IPAddressPool/metallb-system/public"]
    it.do({ ...inventory, services: [], manifests: [] })
    assert.deepStrictEqual(it.addresses("east", "shop/gone"), ["192.0.2.1"])
    assert.strictEqual(it.fleet.cluster("east").findings.get("Cluster//east")?.findings[0]?.code, "LT0504")
    it.do({ ...inventory, services: ["shop/web"], manifests })
    assert.deepStrictEqual(it.addresses("east", "shop/gone"), [])
    assert.isUndefined(it.fleet.cluster("east").findings.get("Cluster//east"))
  })

  it("an inventory without one kind of configuration deletes nothing of that kind, and of others what is missing", () => {
    const peer = raw("BGPPeer", "tor", { myASN: 64496, peerASN: 64500, peerAddress: "10.1.0.1" })
    const it = world(pool("public", ["192.0.2.0/24"]), pool("unused", ["198.51.100.0/24"]), peer)
    const manifests = ["IPAddressPool/metallb-system/public"]
    const inventory = { _tag: "ObserveInventory", cluster: "east", nodes: [], namespaces: [], findings: [] } as const
    it.do({ ...inventory, services: [], manifests })
    const cluster = it.fleet.cluster("east")
    assert.deepStrictEqual([...cluster.manifests.keys()], [...manifests, "BGPPeer/metallb-system/tor"])
    const found = cluster.findings.get("Cluster//east")?.findings[0]
    assert.deepStrictEqual([found?.code, found?.field], ["LT0504", "BGPPeer"])
    it.do({ ...inventory, services: [], manifests: [...manifests, "BGPPeer/metallb-system/tor"] })
    assert.isUndefined(cluster.findings.get("Cluster//east"))
  })
})

describe("an address that is asked for by name and held", () => {
  it("is kept without a word, whatever its pool says by now, unless another pool is named", () => {
    const changes = [
      pool("public", ["192.0.2.0/24"], { serviceAllocation: { namespaces: ["media"] } }),
      pool("public", ["192.0.2.0/24"], { avoidBuggyIPs: true }),
      pool("public", ["192.0.2.128/25"])
    ]
    for (const change of changes) {
      const it = world(pool("public", ["192.0.2.0/24"]), pool("other", ["198.51.100.0/24"]))
      const asks = service("web", { requestedAddresses: ["192.0.2.0"] })
      it.do(observe("east", asks))
      it.do(apply("east", change))
      assert.deepStrictEqual(it.addresses("east", "shop/web"), ["192.0.2.0"])
      assert.isUndefined(it.refusal("east", "shop/web"))
      it.do(observe("east", { ...asks, annotations: { addressPool: "other" } }))
      assert.strictEqual(it.refusal("east", "shop/web"), "LT0202")
      it.do({ _tag: "ForgetService", cluster: "east", namespace: "shop", name: "web" })
      it.do(observe("east", asks))
      assert.isDefined(it.refusal("east", "shop/web"), "it is given anew by what its pool says now")
    }
  })

  it("names ten pools of however many in a refusal, and counts the others", () => {
    const it = world(...Array.from({ length: 13 }, (_, index) => pool(`p${10 + index}`, [`198.18.${index}.0/30`])))
    it.do(observe("east", service("web", { requestedAddresses: ["192.0.2.1"] })))
    const { found, expected } = it.fleet.cluster("east").services.get("shop/web")?.refusal ?? {}
    assert.deepStrictEqual(
      [expected, found],
      ["an address of one of the pools [p10, p11, p12, p13, p14, p15, p16, p17, p18, p19 and 3 more]", "192.0.2.1"]
    )
  })
})
