import { assert, describe, it } from "vitest"
import type { Command, DomainEvent } from "../src/index.ts"
import { fleetPoolFindings, unselectedFinding } from "../src/index.ts"
import { announcing, apply, fleetObject, observe, pool, raw, service, World } from "./world.ts"

const fleetPool = (spec: object = {}, name = "public"): Command => ({
  _tag: "ApplyFleetObject",
  manifest: fleetObject("AddressPool", name, {
    addresses: ["192.0.2.0/29"],
    clusterSelector: { matchLabels: { region: "fra" } },
    ...spec
  })
})
const drop = (name = "public"): Command => ({ _tag: "DeleteFleetObject", kind: "AddressPool", name })
const register = (cluster: string, labels: Record<string, string>, more: object = {}): Command => ({
  _tag: "RegisterCluster",
  cluster,
  network: "default",
  labels,
  ...more
})
const forget = (cluster: string, name: string): Command => ({ _tag: "ForgetService", cluster, namespace: "shop", name })

/** East and west, of which the pool selects the first. */
const fleet = (): World => {
  const world = new World()
  world.do(register("east", { region: "fra" }))
  world.do(register("west", { region: "ber" }))
  return world
}
const types = (events: ReadonlyArray<DomainEvent>) => events.map(({ type }) => type)
const refusalOf = (world: World, command: Command): string | undefined => {
  const before = world.log.length
  world.do(command)
  if (world.rejection !== undefined) assert.strictEqual(world.log.length, before, "a refused order changes nothing")
  return world.rejection && `${world.rejection.code} ${world.rejection.field}: ${world.rejection.found}`
}
const findings = (world: World, cluster: string, name = "public") => {
  const state = world.fleet.addressPools.get(name)
  if (state === undefined) throw new Error(`no pool ${name}`)
  return [
    ...fleetPoolFindings(world.fleet, world.fleet.cluster(cluster), state),
    ...unselectedFinding(world.fleet, state)
  ].map(({ code, found }) => `${code} ${found}`)
}

describe("a pool of the fleet", () => {
  it("is the pool of the clusters that its selector matches, and each address is given once", () => {
    const it = fleet()
    it.do(register("south", { region: "fra" }))
    it.do(fleetPool())
    for (const cluster of ["east", "south", "west"]) it.do(observe(cluster, service("web")))
    assert.deepStrictEqual(it.addresses("east", "shop/web"), ["192.0.2.0"])
    assert.deepStrictEqual(it.addresses("south", "shop/web"), ["192.0.2.1"])
    assert.deepStrictEqual(it.addresses("west", "shop/web"), [])
    assert.strictEqual(it.refusal("west", "shop/web"), "LT0208")
  })

  it("serves who waits as soon as it is applied, and as soon as a cluster comes to be selected", () => {
    const it = fleet()
    for (const cluster of ["east", "west"]) it.do(observe(cluster, service("web")))
    it.do(fleetPool())
    assert.lengthOf(it.addresses("east", "shop/web"), 1)
    it.do(register("west", { region: "fra" }))
    assert.lengthOf(it.addresses("west", "shop/web"), 1)
  })

  it("selects by the name that every cluster has as a label, and nobody with an empty selector", () => {
    const it = fleet()
    const named = {
      clusterSelector: { matchExpressions: [{ key: "lowtide.dev/cluster", operator: "In", values: ["west"] }] }
    }
    it.do(fleetPool(named))
    it.do(observe("west", service("web")))
    assert.lengthOf(it.addresses("west", "shop/web"), 1)
    for (const [name, spec] of [
      ["empty", { clusterSelector: {} }],
      ["none", { clusterSelector: undefined }]
    ] as const) {
      it.do(fleetPool({ addresses: [name === "empty" ? "198.51.100.0/29" : "203.0.113.0/29"], ...spec }, name))
      assert.deepStrictEqual(findings(it, "west", name), ["LT0162 one that selects none"])
      it.do(observe("west", service(name, { annotations: { addressPool: name } })))
      assert.strictEqual(it.refusal("west", `shop/${name}`), "LT0206")
    }
  })

  it("stands among the cluster's own in one order: priority, then name", () => {
    const it = fleet()
    it.do(apply("east", pool("mine", ["198.51.100.0/31"], { serviceAllocation: { priority: 20 } })))
    it.do(fleetPool({ addresses: ["192.0.2.0/32"], serviceAllocation: { priority: 10 } }))
    it.do(fleetPool({ addresses: ["203.0.113.0/32"] }, "a-last"))
    const given = ["a", "b", "c", "d"].map((name) => {
      it.do(observe("east", service(name)))
      return it.addresses("east", `shop/${name}`)[0]
    })
    assert.deepStrictEqual(given, ["192.0.2.0", "198.51.100.0", "198.51.100.1", "203.0.113.0"])
  })

  it("may overlap a pool of a cluster, and an address that is asked for is of the pool that the Service names", () => {
    const it = fleet()
    it.do(apply("east", pool("mine", ["192.0.2.0/30"])))
    it.do(fleetPool({ serviceAllocation: { namespaces: ["media"] } }))
    for (const addressPool of ["mine", "public"]) {
      const requested = addressPool === "mine" ? "192.0.2.1" : "192.0.2.2"
      const namespace = addressPool === "mine" ? "shop" : "media"
      it.do(
        observe(
          "east",
          service(addressPool, { namespace, requestedAddresses: [requested], annotations: { addressPool } })
        )
      )
      assert.strictEqual(it.fleet.vip("default", requested)?.pool, addressPool)
    }
    it.do(observe("east", service("any", { requestedAddresses: ["192.0.2.3"] })))
    assert.strictEqual(it.fleet.vip("default", "192.0.2.3")?.pool, "mine", "the first that admits it")
    it.do(observe("east", service("auto")))
    assert.deepStrictEqual(it.addresses("east", "shop/auto"), ["192.0.2.0"], "none of what is taken by way of another")
  })

  it("gives a cluster only what it may announce, and says what it does not", () => {
    const it = new World()
    const allowedPrefixes = ["192.0.2.4/30", "192.0.2.6/31", "2001:db8::/32"]
    it.do(register("east", { region: "fra" }, { allowedPrefixes }))
    it.do(fleetPool())
    assert.deepStrictEqual(it.fleet.config(it.fleet.cluster("east")).pools[0]?.ranges, ["192.0.2.4/30"])
    assert.deepStrictEqual(findings(it, "east"), ["LT0161 192.0.2.0/29"])
    it.do(observe("east", service("web")))
    assert.deepStrictEqual(it.addresses("east", "shop/web"), ["192.0.2.4"])
    it.do(observe("east", service("asks", { requestedAddresses: ["192.0.2.1"] })))
    assert.strictEqual(it.refusal("east", "shop/asks"), "LT0202")
    it.do(register("east", { region: "fra" }, { allowedPrefixes: ["198.51.100.0/24"] }))
    assert.deepStrictEqual(it.addresses("east", "shop/web"), ["192.0.2.4"], "what it has it keeps")
  })

  it("is announced by an advertisement of the cluster that names it, or selects its labels", () => {
    for (const spec of [
      { ipAddressPools: ["public"] },
      { ipAddressPoolSelectors: [{ matchLabels: { tier: "prod" } }] }
    ]) {
      const it = fleet()
      announcing(it, "east")
      it.do({
        _tag: "DeleteManifest",
        cluster: "east",
        kind: "BGPAdvertisement",
        namespace: "metallb-system",
        name: "all"
      })
      const manifest = {
        ...(fleetPool() as Extract<Command, { _tag: "ApplyFleetObject" }>).manifest,
        labels: { tier: "prod" }
      }
      it.do({ _tag: "ApplyFleetObject", manifest })
      it.do(apply("east", raw("BGPAdvertisement", "prod", spec)))
      it.do(observe("east", service("web")))
      const message = it.message("east", "adv.4-192-0-2-0")
      assert.deepStrictEqual(message?._tag === "VipIntent" ? message.routes.map(({ prefix }) => prefix) : [], [
        "192.0.2.0/32"
      ])
    }
  })

  it("changes what is announced when its labels change", () => {
    const it = fleet()
    announcing(it, "east")
    const { manifest } = fleetPool() as Extract<Command, { _tag: "ApplyFleetObject" }>
    it.do({ _tag: "ApplyFleetObject", manifest: { ...manifest, labels: { tier: "prod" } } })
    const spec = { ipAddressPoolSelectors: [{ matchLabels: { tier: "prod" } }], communities: ["64496:100"] }
    it.do(apply("east", raw("BGPAdvertisement", "prod", spec)))
    it.do(observe("east", service("web")))
    const routes = () => {
      const message = it.message("east", "adv.4-192-0-2-0")
      return message?._tag === "VipIntent" ? message.routes.map(({ advertisement }) => advertisement) : []
    }
    assert.deepStrictEqual(routes(), ["all", "prod"])
    it.do({ _tag: "ApplyFleetObject", manifest })
    assert.deepStrictEqual(routes(), ["all"])
  })

  it("has its own rest, network and counts", () => {
    const it = fleet()
    it.do({ _tag: "RegisterCluster", cluster: "lab", network: "lab", labels: { region: "fra" } })
    it.do(fleetPool({ quarantine: "24h" }))
    it.do(observe("lab", service("web")))
    assert.deepStrictEqual(it.addresses("lab", "shop/web"), [], "a cluster of another network is not selected")
    it.do(observe("east", service("web")))
    assert.deepStrictEqual([...it.fleet.cluster("east").heldOf], [["public", 1]])
    it.do(forget("east", "web"))
    assert.strictEqual(it.fleet.vip("default", "192.0.2.0")?.quarantineEndMs, 86_400_000)
    assert.deepStrictEqual([...it.fleet.cluster("east").heldOf], [])
  })

  it("takes reservations like a pool of the cluster's own", () => {
    const it = fleet()
    it.do(fleetPool())
    const spec = { for: { cluster: "east", namespace: "shop", name: "web" }, pool: "public" }
    it.do({ _tag: "ApplyFleetObject", manifest: fleetObject("Reservation", "web", spec) })
    it.do(observe("east", service("first")))
    it.do(observe("east", service("web")))
    assert.deepStrictEqual(it.addresses("east", "shop/web"), ["192.0.2.0"])
    assert.deepStrictEqual(it.addresses("east", "shop/first"), ["192.0.2.1"])
  })
})

describe("a pool of the fleet is refused", () => {
  const table: ReadonlyArray<readonly [string, object, string]> = [
    ["a range twice", { addresses: ["192.0.2.0/29", "192.0.2.0/30"] }, "LT0120 spec.addresses[1]"],
    ["no range", { addresses: [] }, "LT0106 spec.addresses"],
    ["a quarantine that is none", { quarantine: "soon" }, "LT0108 spec.quarantine"],
    ["a policy that is none", { deletionPolicy: "Delete" }, "LT0107 spec.deletionPolicy"],
    [
      "a selector with an unknown operator",
      { clusterSelector: { matchExpressions: [{ key: "a", operator: "Is" }] } },
      "LT0107"
    ],
    ["a field that nothing reads", { autoassign: true }, "LT0104 spec.autoassign"],
    ["a network that is no name", { network: "Back Bone" }, "LT0141 spec.network"]
  ]
  it.each(table)("for %s", (_title, spec, expected) => {
    assert.include(refusalOf(new World(), fleetPool(spec)), expected)
  })

  it("where another of the network has its addresses", () => {
    const it = fleet()
    it.do(fleetPool())
    assert.match(
      refusalOf(it, fleetPool({ addresses: ["192.0.2.7-192.0.2.9"] }, "more")) ?? "",
      /^LT0121 spec.addresses\[0\]/
    )
    assert.isUndefined(refusalOf(it, fleetPool({ addresses: ["192.0.2.0/29"], network: "lab" }, "more")))
  })

  it("where a cluster that it selects has a pool of its name, and the other way round", () => {
    const it = fleet()
    it.do(apply("east", pool("public", ["198.51.100.0/30"])))
    assert.strictEqual(refusalOf(it, fleetPool()), "LT0160 metadata.name: a pool of that name in east")
    const other = fleet()
    other.do(fleetPool())
    other.do(apply("east", pool("public", ["198.51.100.0/30"])))
    assert.strictEqual(other.fleet.cluster("east").manifests.size, 0)
    assert.deepStrictEqual(
      [...other.fleet.cluster("east").findings.values()].flatMap(({ findings }) => findings.map(({ code }) => code)),
      ["LT0160"]
    )
    other.do(apply("west", pool("public", ["198.51.100.0/30"])))
    other.do(register("west", { region: "fra" }))
    assert.deepStrictEqual(findings(other, "west"), ["LT0160 IPAddressPool metallb-system/public"])
    assert.isUndefined(refusalOf(other, fleetPool({ autoAssign: false })), "what is hidden already does not hinder it")
  })

  it("where an advertisement in effect would be refused beside it, and so are labels that would bring it there", () => {
    const it = fleet()
    for (const cluster of ["east", "west"]) {
      announcing(it, cluster)
      it.do(apply(cluster, raw("BGPAdvertisement", "all", { aggregationLength: 29 })))
    }
    const narrow = { addresses: ["192.0.2.0/30"] }
    assert.match(refusalOf(it, fleetPool(narrow)) ?? "", /^LT0142 : in cluster east: LT0129/)
    it.do(fleetPool({ ...narrow, clusterSelector: { matchLabels: { region: "muc" } } }))
    it.do(register("east", { region: "muc" }))
    assert.deepStrictEqual(it.fleet.cluster("east").labels, { region: "fra" }, "its labels stay as they were")
    assert.strictEqual(it.fleet.cluster("east").findings.get("Cluster//east")?.findings[0]?.code, "LT0142")
    it.do(register("east", { region: "fra" }))
    assert.isFalse(it.fleet.cluster("east").findings.has("Cluster//east"))
  })
})

describe("a pool of the fleet that is in use", () => {
  const used = (spec: object = {}): World => {
    const world = fleet()
    announcing(world, "east")
    world.do(fleetPool(spec))
    world.do(observe("east", service("web")))
    world.do(observe("east", service("api")))
    return world
  }
  const list = "east/shop/api (192.0.2.1), east/shop/web (192.0.2.0)"
  const changes: ReadonlyArray<readonly [string, Command, string]> = [
    ["deleted", drop(), `LT0220 : ${list}`],
    ["made smaller", fleetPool({ addresses: ["192.0.2.0/32"] }), "LT0220 spec: east/shop/api (192.0.2.1)"],
    [
      "taken from a cluster",
      fleetPool({ clusterSelector: { matchLabels: { region: "ber" } } }),
      `LT0220 spec: ${list}`
    ],
    ["moved to another network", fleetPool({ network: "lab" }), `LT0220 spec.network: ${list}`],
    [
      "moved though it may retire",
      fleetPool({ network: "lab", deletionPolicy: "Retire" }),
      `LT0220 spec.network: ${list}`
    ]
  ]
  it.each(changes)("is not %s: who has addresses is named", (_title, change, expected) => {
    const it = used()
    assert.strictEqual(refusalOf(it, change), expected)
  })

  it("is not deleted while it has a reserved address", () => {
    const it = fleet()
    it.do(fleetPool())
    const spec = { for: { cluster: "east", namespace: "shop", name: "web" }, address: "192.0.2.5" }
    it.do({ _tag: "ApplyFleetObject", manifest: fleetObject("Reservation", "web", spec) })
    assert.strictEqual(refusalOf(it, drop()), "LT0220 : reservation web for east/shop/web (192.0.2.5)")
  })

  it("may grow, and lose what nobody has", () => {
    const it = used()
    assert.isUndefined(refusalOf(it, fleetPool({ addresses: ["192.0.2.0/31", "198.51.100.0/24"] })))
  })

  it("retires when its policy says so: it gives out no more, no route changes, and it goes with its last address", () => {
    const it = used({ deletionPolicy: "Retire" })
    const messages = it.messages.length
    assert.deepStrictEqual(types(it.do(drop())), ["AddressPoolRetired"])
    assert.lengthOf(it.messages, messages, "nothing that is said of any VIP or node")
    assert.deepStrictEqual(findings(it, "east"), ["LT0211 shop/api (192.0.2.1), shop/web (192.0.2.0)"])
    it.do(observe("east", service("late", { requestedAddresses: ["192.0.2.5"] })))
    assert.strictEqual(it.refusal("east", "shop/late"), "LT0202")
    assert.notInclude(types(it.do(forget("east", "web"))), "AddressPoolDeleted")
    const last = it.do(forget("east", "api")).find(({ type }) => type === "AddressPoolDeleted")
    assert.strictEqual(last?.reason, "no-longer-needed")
    assert.deepStrictEqual(it.fleet.config(it.fleet.cluster("east")).pools, [])
  })

  it("that is made smaller as its policy allows is warned of, with who has what is no more of it", () => {
    const it = used({ deletionPolicy: "Retire" })
    it.do(fleetPool({ deletionPolicy: "Retire", addresses: ["192.0.2.1-192.0.2.7"] }))
    assert.deepStrictEqual(findings(it, "east"), ["LT0215 shop/web (192.0.2.0)"])
    assert.deepStrictEqual(findings(it, "west"), [])
    it.do(forget("east", "web"))
    assert.deepStrictEqual(findings(it, "east"), [])
  })

  it("is a pool again when it is applied anew, and hands its addresses to one of another name", () => {
    const it = used({ deletionPolicy: "Retire" })
    it.do(drop())
    it.do(fleetPool())
    it.do(observe("east", service("more")))
    assert.deepStrictEqual(it.addresses("east", "shop/more"), ["192.0.2.2"])
    it.do(fleetPool({ deletionPolicy: "Retire" }))
    it.do(drop())
    const events = types(it.do(fleetPool({}, "renamed")))
    assert.include(events, "AddressPoolDeleted", "nobody has an address of it any more")
    assert.strictEqual(it.fleet.vip("default", "192.0.2.0")?.pool, "renamed")
  })

  it("leaves a cluster that it no longer selects its addresses, whether the pool or the cluster changed", () => {
    const ways = [
      fleetPool({ deletionPolicy: "Retire", clusterSelector: { matchLabels: { region: "ber" } } }),
      register("east", {})
    ]
    for (const way of ways) {
      const it = used({ deletionPolicy: "Retire" })
      const announced = JSON.stringify(it.message("east", "adv.4-192-0-2-0"))
      it.do(way)
      assert.strictEqual(JSON.stringify(it.message("east", "adv.4-192-0-2-0")), announced)
      assert.include(findings(it, "east"), "LT0211 shop/api (192.0.2.1), shop/web (192.0.2.0)")
      it.do(observe("east", service("late")))
      assert.strictEqual(it.refusal("east", "shop/late"), "LT0208")
      for (const name of ["web", "api"]) it.do(forget("east", name))
      assert.deepStrictEqual(it.fleet.config(it.fleet.cluster("east")).pools, [])
    }
  })
})
