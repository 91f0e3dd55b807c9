import { assert, describe, it } from "vitest"
import type { Command } from "../src/index.ts"
import { decodeFleetObject } from "../src/index.ts"
import { apply, fleetObject, observe, pool, service, World } from "./world.ts"

const reservation = (name: string, spec: object, service = "web", cluster = "east"): Command => ({
  _tag: "ApplyFleetObject",
  manifest: fleetObject("Reservation", name, { for: { cluster, namespace: "shop", name: service }, ...spec })
})
const quota = (name: string, spec: object): Command => ({
  _tag: "ApplyFleetObject",
  manifest: fleetObject("Quota", name, spec)
})
const drop = (kind: "Reservation" | "Quota", name: string): Command => ({ _tag: "DeleteFleetObject", kind, name })
const forget = (name: string, cluster = "east"): Command => ({
  _tag: "ForgetService",
  cluster,
  namespace: "shop",
  name
})

const world = (...pools: ReadonlyArray<ReturnType<typeof pool>>): World => {
  const made = new World()
  for (const each of pools) made.do(apply("east", each))
  return made
}
const reasonOf = (events: ReturnType<World["do"]>) => events.find(({ type }) => type === "VipAssigned")?.reason

describe("a reserved address", () => {
  it("waits for its Service, and goes to nobody else: not by chance, by name, by sharing or by having had it last", () => {
    const it = world(pool("public", ["192.0.2.0/30"]))
    it.do(apply("west", pool("public", ["192.0.2.0/30"])))
    const shared = { annotations: { allowSharedIp: "k" }, ports: [{ protocol: "TCP", port: 81, name: "" }] } as const
    it.do(observe("east", service("last", { requestedAddresses: ["192.0.2.0"] })))
    it.do(forget("last"))
    it.nowMs += 600_000
    it.do({ _tag: "ExpireQuarantines" })
    it.do(reservation("web", { address: "192.0.2.0" }))
    it.do(observe("east", service("last")))
    assert.deepStrictEqual(it.addresses("east", "shop/last"), ["192.0.2.1"])
    it.do(observe("west", service("asks", { requestedAddresses: ["192.0.2.0"] })))
    assert.strictEqual(it.refusal("west", "shop/asks"), "LT0203")
    const events = it.do(observe("east", service("web", { annotations: { allowSharedIp: "k" } })))
    assert.deepStrictEqual([it.addresses("east", "shop/web"), reasonOf(events)], [["192.0.2.0"], "reserved"])
    it.do(observe("east", service("sharer", shared)))
    assert.deepStrictEqual(it.addresses("east", "shop/sharer"), ["192.0.2.2"])
  })

  it("waits again when its Service is deleted, and is for all when it is given back", () => {
    const it = world(pool("public", ["192.0.2.0/32"]))
    it.do(reservation("web", { address: "192.0.2.0" }))
    it.do(observe("east", service("web")))
    it.do(observe("east", service("waits")))
    it.do(forget("web"))
    it.nowMs += 600_000
    it.do({ _tag: "ExpireQuarantines" })
    assert.strictEqual(it.refusal("east", "shop/waits"), "LT0201")
    it.do(drop("Reservation", "web"))
    assert.deepStrictEqual(it.addresses("east", "shop/waits"), ["192.0.2.0"])
    assert.deepStrictEqual(it.do(drop("Reservation", "web")), [])
  })

  it("is ordered a second time without harm, also when its pool has it no more", () => {
    const it = world(pool("public", ["192.0.2.0/30"]))
    it.do(reservation("web", { address: "192.0.2.1" }))
    it.do(observe("east", service("web")))
    it.do(apply("east", pool("public", ["192.0.2.2/31"])))
    assert.deepStrictEqual([it.do(reservation("web", { address: "192.0.2.1" })), it.rejection], [[], undefined])
    it.do(reservation("other", { address: "192.0.2.0" }, "other"))
    assert.strictEqual(it.rejection?.code, "LT0202")
  })

  it("stays with its Service when the reservation is deleted", () => {
    const it = world(pool("public", ["192.0.2.0/32"]))
    it.do(reservation("web", { address: "192.0.2.0" }))
    it.do(observe("east", service("web")))
    it.do(drop("Reservation", "web"))
    assert.deepStrictEqual(it.addresses("east", "shop/web"), ["192.0.2.0"])
  })

  it("comes from a pool that gives out nothing by itself, and for one IP version beside a chosen one", () => {
    const it = world(
      pool("manual", ["192.0.2.0/30"], { autoAssign: false }),
      pool("both", ["198.51.100.0/30", "2001:db8:100::/126"])
    )
    it.do(reservation("web", { pool: "manual" }))
    const dual = { ipFamilies: ["IPv4", "IPv6"], ipFamilyPolicy: "RequireDualStack" } as const
    it.do(observe("east", service("web", dual)))
    assert.deepStrictEqual(it.addresses("east", "shop/web"), ["192.0.2.0", "2001:db8:100::"])
  })

  it("is chosen by the pool once: applied again it stays, and goes to a waiting Service at once", () => {
    const it = world(pool("public", ["192.0.2.0/31"]))
    it.do(observe("east", service("first")))
    it.do(apply("east", pool("manual", ["198.51.100.0/31"], { autoAssign: false })))
    it.do(observe("east", service("second")))
    it.do(observe("east", service("web")))
    assert.strictEqual(it.refusal("east", "shop/web"), "LT0201")
    it.do(reservation("web", { pool: "manual" }))
    assert.deepStrictEqual(it.addresses("east", "shop/web"), ["198.51.100.0"])
    assert.deepStrictEqual(it.do(reservation("web", { pool: "manual" })), [])
    it.do(reservation("web", { address: "198.51.100.1" }))
    assert.deepStrictEqual([...it.fleet.network("default").reserved.keys()], ["198.51.100.1"])
    assert.deepStrictEqual(it.addresses("east", "shop/web"), ["198.51.100.0"], "what it has it keeps")
  })

  it("is refused where it cannot be kept", () => {
    const it = world(pool("public", ["192.0.2.0/31"]))
    it.do(observe("east", service("other", { requestedAddresses: ["192.0.2.0"] })))
    it.do(reservation("there", { address: "192.0.2.1" }))
    const table = [
      [reservation("web", { address: "203.0.113.1" }), "LT0202"],
      [reservation("web", { address: "192.0.2.0" }), "LT0203"],
      [reservation("web", { address: "192.0.2.1" }), "LT0203"],
      [reservation("web", { pool: "none" }), "LT0206"],
      [reservation("web", { pool: "public" }), "LT0201"],
      [reservation("web", { pool: "public" }, "web", "nowhere"), "LT0604"],
      [reservation("web", {}), "LT0106"]
    ] as const
    for (const [command, code] of table) {
      assert.deepStrictEqual(it.do(command), [])
      assert.strictEqual(it.rejection?.code, code)
    }
    assert.isFalse(it.fleet.clusters.has("nowhere"))
  })

  it("holds its cluster in its network", () => {
    const it = world(pool("public", ["192.0.2.0/31"]))
    it.do(reservation("web", { address: "192.0.2.0" }))
    it.do({ _tag: "RegisterCluster", cluster: "east", network: "lab" })
    assert.strictEqual(it.fleet.cluster("east").network, "default")
  })
})

describe("a quota", () => {
  const five = () => world(pool("public", ["192.0.2.0/28"]))

  it("refuses what goes beyond it, with limit and use, and lets it have its address when there is room", () => {
    const it = five()
    it.do(quota("shop", { cluster: "east", namespace: "shop", addresses: 2 }))
    for (const name of ["a", "b", "c"]) it.do(observe("east", service(name)))
    const refusal = it.fleet.cluster("east").services.get("shop/c")?.refusal
    assert.strictEqual(refusal?.code, "LT0213")
    assert.include(
      refusal?.message,
      "expected at most 2 addresses of cluster east, namespace shop, by quota shop, found 2 used, and 1 more asked for"
    )
    it.do(observe("east", service("elsewhere", { namespace: "media" })))
    assert.lengthOf(it.addresses("east", "media/elsewhere"), 1)
    it.do(forget("a"))
    assert.lengthOf(it.addresses("east", "shop/c"), 1)
  })

  it("takes nothing from who has more than it allows by now, who may also move", () => {
    const it = five()
    for (const name of ["a", "b"]) it.do(observe("east", service(name)))
    it.do(quota("small", { cluster: "east", addresses: 1 }))
    it.do(observe("east", service("b", { requestedAddresses: ["192.0.2.9"] })))
    assert.deepStrictEqual(it.addresses("east", "shop/b"), ["192.0.2.9"])
    it.do(observe("east", service("c")))
    assert.strictEqual(it.refusal("east", "shop/c"), "LT0213")
    const said = it.fleet.cluster("east").services.get("shop/c")?.refusal?.expected
    assert.strictEqual(said, "at most 1 address of cluster east, by quota small")
    it.do(quota("small", { cluster: "east", addresses: 3 }))
    assert.lengthOf(it.addresses("east", "shop/c"), 1)
  })

  it("counts a shared address once, and each cluster by itself", () => {
    const it = five()
    it.do(apply("west", pool("public", ["192.0.2.0/28"])))
    it.do(quota("each", { addresses: 1 }))
    const shared = (name: string, port: number) =>
      service(name, { annotations: { allowSharedIp: "k" }, ports: [{ protocol: "TCP", port, name: "" }] })
    it.do(observe("east", shared("a", 80)))
    it.do(observe("east", shared("b", 81)))
    assert.deepStrictEqual(it.addresses("east", "shop/a"), it.addresses("east", "shop/b"))
    it.do(observe("east", service("c")))
    assert.strictEqual(it.refusal("east", "shop/c"), "LT0213")
    it.do(observe("west", service("c")))
    assert.lengthOf(it.addresses("west", "shop/c"), 1)
    it.do(drop("Quota", "each"))
    assert.lengthOf(it.addresses("east", "shop/c"), 1)
  })

  it("holds the whole of a dual-stack Service back, and all sharers of a range of quotas", () => {
    const it = world(pool("public", ["192.0.2.0/28", "2001:db8:100::/124"]))
    it.do(quota("wide", { addresses: 10 }))
    it.do(quota("narrow", { namespace: "shop", addresses: 1 }))
    const dual = { ipFamilies: ["IPv4", "IPv6"], ipFamilyPolicy: "RequireDualStack" } as const
    it.do(observe("east", service("web", dual)))
    assert.deepStrictEqual([it.addresses("east", "shop/web"), it.refusal("east", "shop/web")], [[], "LT0213"])
  })

  it("leaves one address to a Service that prefers two, and the second when there is room", () => {
    const it = world(pool("public", ["192.0.2.0/28", "2001:db8:100::/124"]))
    const dual = { ipFamilies: ["IPv6", "IPv4"], ipFamilyPolicy: "PreferDualStack" } as const
    const both = ["192.0.2.9", "2001:db8:100::9"]
    it.do(quota("narrow", { namespace: "shop", addresses: 1 }))
    it.do(observe("east", service("web", { ...dual, requestedAddresses: both })))
    assert.deepStrictEqual([it.addresses("east", "shop/web"), it.refusal("east", "shop/web")], [[], "LT0213"])
    it.do(observe("east", service("web", dual)))
    assert.deepStrictEqual(it.addresses("east", "shop/web"), ["2001:db8:100::"], "its primary IP version")
    assert.isUndefined(it.refusal("east", "shop/web"))
    it.do(quota("narrow", { namespace: "shop", addresses: 2 }))
    assert.deepStrictEqual(it.addresses("east", "shop/web"), ["2001:db8:100::", "192.0.2.0"])
    it.do(quota("narrow", { namespace: "shop", addresses: 0 }))
    it.do(observe("east", service("api", dual)))
    assert.deepStrictEqual([it.addresses("east", "shop/api"), it.refusal("east", "shop/api")], [[], "LT0213"])
  })
})

describe("an object of the fleet's own", () => {
  const codes = (kind: string, spec: unknown, more: object = {}) =>
    decodeFleetObject({ ...fleetObject(kind, "x", spec), ...more }).findings.map(
      ({ code, field }) => `${code} ${field}`
    )
  const holder = { cluster: "east", namespace: "shop", name: "web" }

  it("is read with all its faults at once; a field that means nothing is one", () => {
    assert.deepStrictEqual(codes("Reservation", { for: holder, address: "2001:DB8::1" }), [])
    assert.deepStrictEqual(codes("Quota", { addresses: 0 }), [])
    assert.deepStrictEqual(codes("Reservation", { address: "192.0.2.256", for: { cluster: "East" } }), [
      "LT0106 spec.for.namespace",
      "LT0106 spec.for.name",
      "LT0109 spec.address",
      "LT0141 spec.for.cluster"
    ])
    assert.deepStrictEqual(codes("Reservation", undefined), [
      "LT0106 spec.for",
      "LT0106 spec.for.cluster",
      "LT0106 spec.for.namespace",
      "LT0106 spec.for.name",
      "LT0106 spec.address"
    ])
    assert.deepStrictEqual(codes("Reservation", { for: holder, address: "192.0.2.1", ipFamily: "IPv4" }), [
      "LT0115 spec.ipFamily"
    ])
    assert.deepStrictEqual(codes("Quota", { addresses: -1, adresses: 3 }), [
      "LT0108 spec.addresses",
      "LT0104 spec.adresses"
    ])
    assert.deepStrictEqual(codes("Quota", { addresses: 1 }, { apiVersion: "lowtide.dev/v1" }), ["LT0103 apiVersion"])
    assert.deepStrictEqual(codes("Quota", { addresses: 1 }, { name: "X!" }), ["LT0141 metadata.name"])
    assert.deepStrictEqual(codes("Pool", {}), ["LT0107 kind"])
  })
})
