import { assert, describe, it } from "vitest"
import type { ServiceObject } from "../src/config/index.ts"
import type { Command } from "../src/index.ts"
import { apply, begun, observe, pool, service, type World } from "./world.ts"

const web = (spec: Partial<ServiceObject> = {}): Command => observe("east", service("web", spec))
const held = (world: World) => world.addresses("east", "shop/web")

describe("a Service that changes", () => {
  it("its type to ClusterIP lets its address go, and back gets the same one, though it is still withdrawing", () => {
    const world = begun(web(), observe("east", service("other")), web({ type: "ClusterIP" }))
    assert.deepStrictEqual([held(world), world.fleet.vip("default", "192.0.2.0")?.phase], [[], "withdrawing"])
    world.do(web())
    assert.deepStrictEqual([held(world), world.fleet.vip("default", "192.0.2.0")?.phase], [["192.0.2.0"], "assigned"])
  })

  it("the IP version of its cluster address gets an address of that one in the place of the other", () => {
    const world = begun(web({ clusterIPs: ["10.0.9.1"] }), web({ clusterIPs: ["2001:db8:9::1"], ipFamilies: ["IPv6"] }))
    assert.deepStrictEqual(held(world), ["2001:db8::"])
    assert.strictEqual(world.fleet.vip("default", "192.0.2.0")?.phase, "withdrawing")
  })

  it("to PreferDualStack gets its second address when there is one, and has no refusal meanwhile", () => {
    const world = begun()
    world.do(apply("east", pool("public", ["192.0.2.0/29"])))
    const both = { ipFamilyPolicy: "PreferDualStack", ipFamilies: ["IPv4", "IPv6"] } as const
    world.do(web())
    world.do(web({ ...both, clusterIPs: ["10.0.9.1", "2001:db8:9::1"] }))
    assert.deepStrictEqual([held(world), world.refusal("east", "shop/web")], [["192.0.2.0"], undefined])
    world.do(apply("east", pool("public", ["192.0.2.0/29", "2001:db8::/125"])))
    assert.deepStrictEqual(held(world), ["192.0.2.0", "2001:db8::"])
  })

  it("its traffic policy away from that of its sharer goes elsewhere, and says what differs where it asked for this one", () => {
    const shared = { annotations: { allowSharedIp: "k" }, requestedAddresses: ["192.0.2.1"] }
    const world = begun(
      observe("east", service("other", shared)),
      web({ ...shared, ports: [{ protocol: "TCP", port: 81, name: "" }] }),
      web({ ...shared, ports: [{ protocol: "TCP", port: 81, name: "" }], externalTrafficPolicy: "Local" })
    )
    assert.deepStrictEqual(held(world), ["192.0.2.1"])
    const refusal = world.fleet.cluster("east").services.get("shop/web")?.refusal
    assert.deepStrictEqual(
      [refusal?.code, refusal?.expected],
      ["LT0204", "externalTrafficPolicy Cluster, as shop/other has"]
    )
    assert.include(refusal?.found, "externalTrafficPolicy Local with selector app=web")
  })
})
