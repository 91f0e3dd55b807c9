import { assert, describe, it } from "vitest"
import { waitingVip } from "../src/fleet/waiting-states.ts"
import { Fleet, type Holder, newestFleetVersion, type ServiceState, type VipState, writeState } from "../src/index.ts"
import { Kept, load, type Row } from "./loaded.ts"
import { observe, service, World } from "./world.ts"

const world = new World()
world.do(observe("east", service("web")))
const refused = world.fleet.cluster("east").services.get("shop/web") as ServiceState
const served: ServiceState = { ...refused, refusal: null }
const prefers: ServiceState = {
  ...served,
  service: { ...served.service, ipFamilyPolicy: "PreferDualStack" }
}
const { namespace, name, uid, type } = served.service
const whole: ServiceState["service"] = {
  ...{ namespace, name, uid },
  labels: { app: "web", tier: "front" },
  annotations: { addressPool: "p", allowSharedIp: "k" },
  type,
  loadBalancerClass: "lowtide.dev/vip",
  requestedAddresses: ["192.0.2.7"],
  ipFamilies: ["IPv4", "IPv6"],
  ipFamilyPolicy: "RequireDualStack",
  clusterIPs: ["198.51.100.1", "2001:db8::1"],
  externalTrafficPolicy: "Local",
  ports: [
    { protocol: "TCP", port: 443, name: "https" },
    { protocol: "UDP", port: 443, name: "" }
  ],
  selector: { app: "web" }
}
const stream = "service:east/shop/web"
const recordedAt = "2026-01-01T00:00:00.000Z"
const row = (state: ServiceState, isAsWritten = true) => ({
  ...{ stream, version: 3, seq: 7, recordedAt, isAsWritten },
  ...writeState(state, newestFleetVersion)
})

describe("a Service's state that is loaded", () => {
  it.each([
    ["is served", served],
    ["is refused", refused],
    ["would take an address of the other IP version", prefers]
  ])("that %s is what was stored, by whatever way it is asked for", (_, state) => {
    const ways = [
      (fleet: Fleet) => fleet.cluster("east").services.get("shop/web"),
      (fleet: Fleet) => [...fleet.cluster("east").services.values()][0],
      (fleet: Fleet) => [...fleet.cluster("east").services][0]?.[1],
      (fleet: Fleet) => {
        const states: Array<ServiceState> = []
        for (const [, found] of fleet.cluster("east").services) states.push(found)
        fleet.cluster("east").services.forEach((found) => {
          states.push(found)
        })
        return states[1]
      }
    ]
    for (const way of ways) {
      const fleet = new Fleet()
      assert.isUndefined(load(fleet, [row(state)]))
      const cluster = fleet.cluster("east")
      assert.deepStrictEqual([...cluster.services.keys()], ["shop/web"])
      assert.strictEqual(cluster.unserved.has("shop/web"), state.refusal !== null)
      assert.strictEqual(cluster.preferring.has("shop/web"), state === prefers)
      assert.deepStrictEqual([fleet.versions.get(stream), fleet.versions.recordedAt(stream)], [3, recordedAt])
      assert.deepStrictEqual(way(fleet), state)
      assert.strictEqual(way(fleet), way(fleet), "parsed once")
    }
  })

  it("that is not what was written, and is no state, is named before anything is decided", () => {
    const damaged = { ...row(served, false), state: row(served).state.replace('"shop"', "7") }
    const found = load(new Fleet(), [damaged])
    assert.match(found?.message ?? "", /LT0541 the state of service:east\/shop\/web since event 7.*namespace/s)
  })

  it("that could not be read again is not written", () => {
    const broken = { ...served, servingNodes: [7] } as unknown as ServiceState
    assert.throws(
      () => writeState(broken, newestFleetVersion),
      /expected a Service of version 1 to write: .*servingNodes/s
    )
  })
})

describe("a state after an event that is followed", () => {
  const followed = (state: object, type = "ServiceObserved") =>
    new Fleet().applyStored({
      ...{ stream, type, schema: 1, seq: 7, version: 1, recordedAt, data: null },
      after: JSON.stringify(state)
    })

  it.each<[string, boolean, object]>([
    ["is served", true, {}],
    ["has what a Service may have", true, { service: whole }],
    ["asks for a pool", true, { service: { ...whole, annotations: { addressPool: "p" } } }],
    ["names what JSON escapes", false, { service: { ...whole, name: 'a"b' } }],
    [
      "would take an address of the other IP version",
      false,
      { service: { ...whole, ipFamilyPolicy: "PreferDualStack" } }
    ],
    ["is being deleted", false, { service: { ...whole, deleting: true } }],
    ["is refused", false, { refusal: refused.refusal }],
    ["has a field of a newer release", false, { newer: 1 }]
  ])("waits as a text, or is parsed at once, and is the same: a Service that %s", (_, mayWait, change) => {
    const state = { ...served, ...change }
    const fleet = new Fleet()
    const after = JSON.stringify(state)
    const row = { stream, type: "ServiceObserved", schema: 1, seq: 7, version: 1, recordedAt, after, data: null }
    assert.isUndefined(fleet.applyStored(row))
    assert.strictEqual(fleet.cluster("east").services.textOf("shop/web"), mayWait ? after : undefined)
    assert.deepStrictEqual([...fleet.cluster("east").services], [["shop/web", state]])
    assert.deepStrictEqual([fleet.versions.get(stream), fleet.versions.recordedAt(stream)], [1, recordedAt])
  })

  it("that is no state of its kind, or of a type that this release does not know, is named", () => {
    const { service, ...rest } = served
    const of = (change: object) => followed({ ...rest, service: { ...service, ...change } })?.message ?? ""
    assert.match(of({ name: 7 }), /LT0541 event 7 of service:east\/shop\/web, ServiceObserved.*name/s)
    assert.match(of({ type: "Odd" }), /LT0541.*type/s)
    assert.match(of({ ports: [{ protocol: "TCP", port: 80 }] }), /LT0541.*ports/s)
    assert.match(of({ ipFamilies: ["IPv5"] }), /LT0541.*ipFamilies/s)
    assert.match(followed({ ...served, servingNodes: null })?.message ?? "", /LT0541.*servingNodes/s)
    assert.match(followed(served, "VipFreed")?.message ?? "", /LT0541/)
    assert.match(followed(served, "ServicePolished")?.message ?? "", /LT0540 event 7/)
  })
})

const holder: Holder = {
  ...{
    namespace: "shop",
    name: "web",
    uid: "u1",
    sharingKey: "",
    ports: ["TCP/80", "UDP/53"],
    backendKey: "Local app=web"
  }
}
const vip: VipState = {
  ...{ _tag: "Vip", network: "default", address: "192.0.2.1", pool: "p", cluster: "east", phase: "assigned" },
  ...{ holders: [holder], lastHolders: [], obliged: [], quarantineEndMs: null }
}
const vipStream = "vip:default/192.0.2.1"
const vipRow = (state: VipState) => ({
  ...{ stream: vipStream, version: 3, seq: 7, recordedAt, isAsWritten: true },
  ...writeState(state, newestFleetVersion)
})

/** What a fleet says of its only VIP, by its indexes before the state itself is asked for. */
const told = (fleet: Fleet) => {
  const east = fleet.cluster("east")
  const network = fleet.network("default")
  return {
    indexed: [[...east.vips], east.assignedCount, [...east.addressesOf], [...east.movingOf], [...east.heldOf]],
    kept: [[...east.sharing], [...network.lastHeld], [...fleet.withdrawing], [...fleet.quarantined], [...fleet.heldBy]],
    free: network.taken.lowestMissing({ family: 4, first: 0xc000_0201n, last: 0xc000_02ffn })?.value,
    states: [...fleet.vips],
    held: [...fleet.heldIn(east, "shop")]
  }
}

describe("a VIP's state that is loaded", () => {
  it.each<[string, boolean, Partial<VipState>]>([
    ["is one Service's", true, {}],
    [
      "is nobody's of a Service that is named with what JSON escapes",
      false,
      { holders: [{ ...holder, name: 'a"b\\\u0001' }] }
    ],
    ["is of a Service whose name looks like more", false, { holders: [{ ...holder, name: '","uid":"' }] }],
    ["is of a Service with no port", true, { holders: [{ ...holder, ports: [] }] }],
    ["is shared by two Services", false, { holders: [holder, { ...holder, name: "api" }] }],
    ["may be shared", false, { holders: [{ ...holder, sharingKey: "k" }] }],
    ["is given up", false, { holders: [{ ...holder, leaving: true }] }],
    ["is taken over after a loss", false, { holders: [{ ...holder, adopted: true }] }],
    ["was another's before", false, { lastHolders: ["shop/old"] }],
    ["was released before", false, { releasedAtMs: 5 }],
    ["waits for a second person", false, { heldRelease: { order: "o1" } }],
    ["is a part of a shared address", false, { member: true }],
    ["is withdrawn", false, { phase: "withdrawing", holders: [], obliged: ["n1"] }],
    ["rests", false, { phase: "quarantined", holders: [], quarantineEndMs: 9 }],
    ["is free", false, { phase: "free", holders: [], lastHolders: ["shop/web"] }]
  ])("that %s is indexed as it is when it is parsed", (_, mayWait, change) => {
    const state = { ...vip, ...change }
    const loaded = vipRow(state)
    assert.strictEqual(waitingVip(loaded) !== undefined, mayWait)
    const [stored, parsed] = [new Fleet(), new Fleet()]
    assert.isUndefined(load(stored, [loaded]))
    parsed.restore(vipStream, 3, state)
    assert.deepStrictEqual(told(stored), told(parsed))
    stored.apply({ stream: vipStream, before: state, after: null } as never)
    parsed.apply({ stream: vipStream, before: state, after: null } as never)
    assert.deepStrictEqual(told(stored), told(parsed), "and is taken out of the indexes whole")
  })

  it("that is not what was written is parsed", () => {
    assert.isUndefined(waitingVip({ ...vipRow(vip), isAsWritten: false }))
    assert.isUndefined(waitingVip({ ...vipRow(vip), schema: 99 }))
  })
})

describe("what a load leaves where it came from", () => {
  const rows = Array.from({ length: 6 }, (_, n): ReadonlyArray<Row> => {
    const [name, address] = [`s${n % 4}`, `192.0.2.${n}`]
    const holders = [{ ...holder, name }]
    return [
      { ...vipRow({ ...vip, address, holders }), stream: `vip:default/${address}`, seq: 20 - n },
      { ...row({ ...served, service: { ...served.service, name } }), stream: `service:east/shop/${name}`, seq: 40 - n }
    ]
  }).flat()
  const unique = rows.filter(({ stream }, index) => rows.findIndex((other) => other.stream === stream) === index)
  const begin = () => {
    const [fleet, kept] = [new Fleet(), new Kept()]
    const others = [
      { ...vipRow({ ...vip, address: "192.0.2.9", lastHolders: ["shop/old"] }), stream: "vip:default/192.0.2.9" }
    ]
    assert.isUndefined(load(fleet, [...unique, ...others], kept))
    return { fleet, kept, services: fleet.cluster("east").services }
  }

  it("is found one by one, and nothing else is looked at for it", () => {
    const { fleet, kept, services } = begin()
    assert.strictEqual(services.get("shop/s2")?.service.name, "s2")
    assert.strictEqual(fleet.vips.get("vip:default/192.0.2.3")?.address, "192.0.2.3")
    assert.strictEqual(services.get("shop/s2"), services.get("shop/s2"))
    assert.deepStrictEqual(
      [...kept.asked],
      [
        ["service:east/shop/s2", 1],
        ["vip:default/192.0.2.3", 1]
      ]
    )
    assert.isUndefined(services.get("shop/other"))
    assert.deepStrictEqual([services.has("shop/s1"), services.has("shop/s9"), services.size], [true, false, 4])
    assert.deepStrictEqual(
      [fleet.versions.get("service:east/shop/s1"), fleet.versions.get("service:east/shop/s9")],
      [3, undefined]
    )
    const taken = fleet.network("default").taken.lowestMissing({ family: 4, first: 0xc000_0200n, last: 0xc000_02ffn })
    assert.strictEqual(taken?.value, 0xc000_0206n)
  })

  it("is gone when it is deleted, and what replaces it stays", () => {
    const { services } = begin()
    const other = { ...served, servingNodes: ["n9"] }
    assert.isTrue(services.delete("shop/s0"))
    assert.isFalse(services.delete("shop/s0"))
    services.set("shop/s1", other)
    assert.deepStrictEqual([services.get("shop/s0"), services.has("shop/s0"), services.size], [undefined, false, 3])
    assert.deepStrictEqual([...services.keys()].sort(), ["shop/s1", "shop/s2", "shop/s3"])
    assert.strictEqual(services.get("shop/s1"), other)
    assert.strictEqual(services.size, 3)
  })

  it("is gone through in the order of its events, each once", () => {
    const { fleet, services } = begin()
    assert.deepStrictEqual([...services.keys()], ["shop/s3", "shop/s2", "shop/s1", "shop/s0"])
    assert.deepStrictEqual(
      [...services.values()].map(({ service }) => service.name),
      ["s3", "s2", "s1", "s0"]
    )
    assert.strictEqual(fleet.vips.size, 7)
    assert.strictEqual([...fleet.vips.keys()].length, 7)
    assert.deepStrictEqual(
      [...fleet.versions].map(([stream]) => stream).sort(),
      [...unique.map(({ stream }) => stream), "vip:default/192.0.2.9"].sort()
    )
  })

  it("is among those of its holder in the order of its events, with those that were parsed", () => {
    const { fleet } = begin()
    const { addressesOf, vips, assignedCount } = fleet.cluster("east")
    assert.deepStrictEqual(addressesOf.get("shop/web"), ["192.0.2.9"])
    assert.deepStrictEqual(addressesOf.get("shop/s0"), ["192.0.2.4", "192.0.2.0"])
    assert.deepStrictEqual(addressesOf.get("shop/s3"), ["192.0.2.3"])
    assert.deepStrictEqual([vips.size, assignedCount], [7, 7])
  })

  it("is put among those of its holder by parts as well, however far they came before somebody asked", () => {
    const asked = (turns: number) => {
      const east = begin().fleet.cluster("east")
      const isMore = turns === 0 ? undefined : east.fillSome(turns)
      return { isMore, found: [[...east.vips], [...east.addressesOf], [...east.movingOf]], isLeft: east.fillSome(1) }
    }
    const { found } = asked(0)
    for (let turns = 1; turns <= 8; turns++) {
      assert.deepStrictEqual(asked(turns), { isMore: turns < 8, found, isLeft: false }, `${turns}`)
    }
    const { fleet } = begin()
    const east = fleet.cluster("east")
    assert.isTrue(east.fillSome(3))
    fleet.vips.delete("vip:default/192.0.2.4")
    assert.deepStrictEqual([east.vips.size, fleet.vips.size], [7, 6])
  })

  it("is followed from there on", () => {
    const { fleet } = begin()
    const stream = "vip:default/192.0.2.4"
    const state = { ...vip, address: "192.0.2.4", holders: [{ ...holder, name: "s1" }] }
    const event = { stream, type: "VipAssigned", schema: 1, seq: 50, version: 4, recordedAt, data: null }
    assert.isUndefined(fleet.applyStored({ ...event, after: JSON.stringify(state) }))
    assert.deepStrictEqual(fleet.cluster("east").addressesOf.get("shop/s0"), ["192.0.2.0"])
    assert.deepStrictEqual(fleet.cluster("east").addressesOf.get("shop/s1"), ["192.0.2.5", "192.0.2.1", "192.0.2.4"])
    assert.deepStrictEqual([fleet.versions.get(stream), fleet.vips.get(stream)], [4, state])
  })
})
