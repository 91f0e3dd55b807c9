import { nodeObject } from "@lowtide/testkit/observed"
import { assert, describe, it } from "vitest"
import { awaitedByMove, finishedMoves, type NodeWord } from "../src/allocation/moves.ts"
import { messageKey, vipKey } from "../src/announcing/index.ts"
import { budgetUse, type Command, type ServiceObject } from "../src/index.ts"
import { announcing, apply, fleetObject, observe, pool, service, World } from "./world.ts"

const old = "192.0.2.0"
const next = "192.0.2.5"
const web = (spec: Partial<ServiceObject> = {}): Command => observe("east", service("web", spec))

/** A Service that two nodes may announce, and that asks for another address. */
const moving = (): World => {
  const world = new World()
  announcing(world, "east")
  world.do(apply("east", pool("public", ["192.0.2.0/29"])))
  world.do(web())
  world.do(web({ requestedAddresses: [next] }))
  return world
}

const phase = (world: World, address: string) => world.fleet.vip("default", address)?.phase
const intent = (world: World, address: string) => {
  const message = world.message("east", vipKey(address))
  return message?._tag === "VipIntent" ? message : undefined
}
const answered = (world: World) => {
  const uid = world.fleet.cluster("east").services.get("shop/web")?.service.uid ?? ""
  const message = world.message("east", messageKey({ _tag: "ServiceAnswer", uid }))
  return message?._tag === "ServiceAnswer" ? message.addresses.map(({ address }) => address) : []
}

type Words = Readonly<Record<string, NodeWord | undefined>>
const says = (...announcing: ReadonlyArray<string>): NodeWord => ({ announcing, untold: [], isSilent: false })
const silent = (...announcing: ReadonlyArray<string>): NodeWord => ({ announcing, untold: [], isSilent: true })

const finished = (world: World, words: Words) =>
  finishedMoves(world.fleet, world.fleet.cluster("east"), {
    obligedOf: (cluster, address) => world.book.obligedOf(cluster, vipKey(address)),
    heard: (node) => words[node]
  })

const finish = (world: World): void => {
  const moves = finished(world, { "east-1": says(next), "east-2": says(next) })
  world.do({ _tag: "FinishMoves", cluster: "east", moves })
}

describe("a Service that moves to another address", () => {
  it("has the new one at once, and the old one is announced as before until routers have the new one", () => {
    const it = moving()
    assert.deepStrictEqual(it.addresses("east", "shop/web"), [next])
    assert.strictEqual(phase(it, old), "assigned")
    assert.deepStrictEqual([intent(it, old)?.state, intent(it, next)?.state], ["announced", "announced"])
    assert.deepStrictEqual(answered(it), [next, old], "its nodes have to take what routers still send")
    finish(it)
    assert.strictEqual(phase(it, old), "withdrawing")
    assert.strictEqual(intent(it, old)?.state, "withdrawn")
    assert.deepStrictEqual(answered(it), [next])
  })

  it("waits for the nodes that announce the old address and not the new one, as far as they are heard", () => {
    const it = moving()
    const cluster = it.fleet.cluster("east")
    const awaited = (words: Words, address = old) => {
      const vip = it.fleet.vip("default", address)
      assert.isDefined(vip)
      return vip === undefined ? [] : awaitedByMove(it.fleet, cluster, vip, (node) => words[node])
    }
    const untold = { ...says(old, next), untold: [next] }
    assert.deepStrictEqual(awaited({ "east-1": says(old, next), "east-2": says(old) }), ["east-2"])
    assert.deepStrictEqual(awaited({ "east-1": untold, "east-2": says(old) }), ["east-1", "east-2"])
    assert.deepStrictEqual(awaited({ "east-1": silent(old) }), [])
    assert.deepStrictEqual(awaited({ "east-1": says(), "east-2": says(next) }), [])
    assert.deepStrictEqual(awaited({ "east-1": says(old), "east-2": says(old) }, next), [])
  })

  it("keeps what was taken over after a loss while nodes announce it and nobody has the new one", () => {
    const it = new World()
    const lostAfter = { incarnation: 1, seq: 9 }
    it.do({ _tag: "BeginRecovery", incarnation: 2, why: "a backup was restored", lostAfter })
    const services = [{ namespace: "shop", name: "web", uid: "uid-before" }]
    const nodes = ["east-1", "east-2"]
    const held = { network: "default", address: old, state: "announced", services, obliged: nodes } as const
    it.do({ _tag: "AdoptVips", cluster: "east", vips: [held] })
    it.do({ _tag: "RegisterCluster", cluster: "east", network: "default" })
    for (const name of nodes) it.do({ _tag: "ObserveNode", cluster: "east", node: nodeObject(name) })
    it.do(apply("east", pool("public", ["192.0.2.0/29"]))) // and no advertisement
    it.do(web({ requestedAddresses: [next] }))
    it.do({ _tag: "FinishRecovery", without: [] })
    const whole = { _tag: "ObserveInventory", cluster: "east", services: ["shop/web"], nodes } as const
    const manifests = [...it.fleet.cluster("east").manifests.keys()]
    const inventory = { ...whole, namespaces: [], manifests, findings: [] }
    it.do({ _tag: "RepublishCluster", cluster: "east", inventory })
    assert.deepStrictEqual(it.addresses("east", "shop/web"), [next])
    const unsaid = (word: NodeWord) =>
      finishedMoves(it.fleet, it.fleet.cluster("east"), { obligedOf: () => [], heard: () => word })
    assert.deepStrictEqual(unsaid(says(old)), [])
    assert.lengthOf(unsaid(says()), 1)
  })

  it("waits for a session that a node has yet to tell of the new one, where another has been told", () => {
    const it = moving()
    const slow = { ...says(old, next), untold: [next] }
    assert.deepStrictEqual(finished(it, { "east-1": slow, "east-2": says(old, next) }), [])
    assert.lengthOf(finished(it, { "east-1": { ...slow, untold: [old] }, "east-2": says(old, next) }), 1)
  })

  it("goes on doing so through changes of its endpoints and labels, which its old address follows", () => {
    const it = moving()
    it.do(web({ requestedAddresses: [next], externalTrafficPolicy: "Local" }))
    assert.strictEqual(intent(it, old)?.services[0]?.trafficPolicy, "Local")
    assert.strictEqual(phase(it, old), "assigned")
  })

  it("gives both up when it goes", () => {
    const it = moving()
    it.do({ _tag: "ForgetService", cluster: "east", namespace: "shop", name: "web" })
    assert.deepStrictEqual([phase(it, old), phase(it, next)], ["withdrawing", "withdrawing"])
  })

  it("may come back to the old one, and then leaves the new one", () => {
    const it = moving()
    it.do(web({ requestedAddresses: [old] }))
    assert.deepStrictEqual(it.addresses("east", "shop/web"), [old])
    assert.lengthOf(it.fleet.vip("default", old)?.holders ?? [], 1)
    const moves = finished(it, { "east-1": says(old), "east-2": says(old) })
    assert.deepStrictEqual(moves, [{ namespace: "shop", name: "web", address: next, successor: old }])
    const stale = { namespace: "shop", name: "web", address: old, successor: next }
    it.do({ _tag: "FinishMoves", cluster: "east", moves: [stale] })
    assert.strictEqual(phase(it, old), "assigned", "nobody is leaving it any more")
  })

  it("goes on where it went on to a third one after the statuses that would have ended it", () => {
    const it = moving()
    const moves = finished(it, { "east-1": says(old, next), "east-2": says(old, next) })
    it.do(web({ requestedAddresses: ["192.0.2.6"] }))
    assert.isEmpty(it.do({ _tag: "FinishMoves", cluster: "east", moves }), "none announces 192.0.2.6 yet")
    assert.strictEqual(phase(it, old), "assigned")
  })

  it("lets its old address through speakers' brakes, with the event as the cause, and takes nothing of the budget", () => {
    const it = moving()
    const settings = { blastRadius: { cluster: { maxWithdrawRoutes: 0, maxWithdrawPercent: 0 } } }
    it.do({ _tag: "ApplyFleetObject", manifest: fleetObject("Fleet", "prod", settings) })
    finish(it)
    assert.strictEqual(phase(it, old), "withdrawing")
    const released = it.log.findIndex(({ type, reason }) => type === "VipReleased" && reason === "moved")
    assert.strictEqual(intent(it, old)?.massWithdraw?.cause, released + 1)
    assert.strictEqual(budgetUse(it.fleet, it.fleet.cluster("east"), it.nowMs).withdrawn, 0)
  })

  it("does neither where it has nothing in its place any more: that is a withdrawal like others", () => {
    const it = new World()
    announcing(it, "east")
    it.do(apply("east", pool("public", ["192.0.2.0/29", "2001:db8::/125"])))
    const dual = { ipFamilies: ["IPv4", "IPv6"], ipFamilyPolicy: "RequireDualStack" } as const
    it.do(web(dual))
    it.do(web({ ...dual, requestedAddresses: [next, "2001:db8::"] }))
    const single = { ipFamilies: ["IPv6"], ipFamilyPolicy: "SingleStack", requestedAddresses: ["2001:db8::"] } as const
    it.do(web(single))
    assert.strictEqual(phase(it, next), "withdrawing")
    const moves = finished(it, { "east-1": says(old), "east-2": says(old) })
    assert.deepStrictEqual(moves, [{ namespace: "shop", name: "web", address: old }])
    it.do({ _tag: "FinishMoves", cluster: "east", moves })
    assert.strictEqual(intent(it, old)?.state, "withdrawn")
    assert.strictEqual(intent(it, old)?.massWithdraw, undefined)
    assert.strictEqual(budgetUse(it.fleet, it.fleet.cluster("east"), it.nowMs).withdrawn, 2)
  })

  it("is not asked to end again and again while a second person is awaited", () => {
    const held = moving()
    const settings = { blastRadius: { maxWithdrawRoutes: 0 } }
    held.do({ _tag: "ApplyFleetObject", manifest: fleetObject("Fleet", "prod", settings) })
    held.do({ _tag: "ForgetService", cluster: "east", namespace: "shop", name: "web" })
    held.do({ _tag: "FinishMoves", cluster: "east", moves: finished(held, {}) })
    assert.strictEqual(phase(held, old), "assigned")
    assert.isEmpty(finished(held, {}))
  })

  it("holds a shared address for as long as it is leaving it, and then leaves the others on it alone", () => {
    const it = new World()
    announcing(it, "east")
    it.do(apply("east", pool("public", ["192.0.2.0/29"])))
    const key = { annotations: { allowSharedIp: "k" } }
    it.do(web(key))
    it.do(observe("east", service("dns", { ...key, ports: [{ protocol: "UDP", port: 53, name: "" }] })))
    it.do(web({ ...key, requestedAddresses: [next] }))
    it.do(observe("east", service("late", { ...key, requestedAddresses: [old] })))
    assert.strictEqual(it.refusal("east", "shop/late"), "LT0204", "its port is still served there")
    finish(it)
    assert.deepStrictEqual(
      it.fleet.vip("default", old)?.holders.map(({ name }) => name),
      ["dns", "late"]
    )
  })

  it("releases at once what nothing takes the place of, and what no node may have announced", () => {
    const dual = moving()
    dual.do(web({ requestedAddresses: [], ipFamilies: ["IPv6"], ipFamilyPolicy: "SingleStack" }))
    assert.notStrictEqual(dual.refusal("east", "shop/web"), undefined, "there is no IPv6 address to have")
    const quiet = new World()
    quiet.do(apply("east", pool("public", ["192.0.2.0/29"])))
    quiet.do(web())
    quiet.do(web({ requestedAddresses: [next] }))
    assert.strictEqual(phase(quiet, old), "quarantined")
  })
})

describe("a move is over", () => {
  const table: ReadonlyArray<readonly [string, boolean, Words]> = [
    [
      "when each node that announced the old one announces the new one",
      true,
      { "east-1": says(old, next), "east-2": says(next) }
    ],
    ["not while a node lags behind", false, { "east-1": says(old, next), "east-2": says(old) }],
    ["not while a node was never heard", false, { "east-1": says(old, next), "east-2": undefined }],
    [
      "when a node that announces neither has nothing to replace",
      true,
      { "east-1": says(old, next), "east-2": says() }
    ],
    [
      "when a silent node has not said so, and another one has the new one",
      true,
      { "east-1": says(old, next), "east-2": silent(old) }
    ],
    ["not when all that is known is that nobody speaks", false, { "east-1": silent(old), "east-2": silent() }],
    ["not while one is silent and the others announce neither", false, { "east-1": says(), "east-2": silent(old) }],
    ["when neither is announced anywhere", true, { "east-1": says(), "east-2": says() }]
  ]
  it.each(table)("%s", (_title, isOver, words) => {
    assert.lengthOf(finished(moving(), words), isOver ? 1 : 0)
  })

  it("never, while no advertisement lets any node announce the new one: the old one goes on", () => {
    const it = new World()
    announcing(it, "east")
    it.do(apply("east", pool("public", ["192.0.2.0/32"])))
    it.do(apply("east", pool("dark", ["198.51.100.0/32"], { autoAssign: false })))
    const all = it.fleet.cluster("east").manifests.get("BGPAdvertisement/metallb-system/all")?.manifest
    it.do(apply("east", { ...all!, spec: { ipAddressPools: ["public"] } }))
    it.do(web())
    it.do(web({ annotations: { addressPool: "dark" } }))
    assert.deepStrictEqual(it.addresses("east", "shop/web"), ["198.51.100.0"])
    assert.deepStrictEqual(finished(it, { "east-1": says(old), "east-2": says(old) }), [])
  })

  it("never, to what no node may announce, which its Service is told of for as long as that is so", () => {
    const it = new World()
    announcing(it, "east")
    it.do(apply("east", pool("public", ["192.0.2.0/32"])))
    it.do(apply("east", pool("dark", ["198.51.100.0/32"], { autoAssign: false })))
    const all = it.fleet.cluster("east").manifests.get("BGPAdvertisement/metallb-system/all")?.manifest
    const cover = (spec: object) => it.do(apply("east", { ...all!, spec }))
    const findings = () =>
      it.fleet
        .cluster("east")
        .findings.get("Service/shop/web")
        ?.findings.map(({ code, found }) => `${code} ${found}`)
    cover({ ipAddressPools: ["public"] })
    it.do(web())
    it.do(web({ annotations: { addressPool: "dark" } }))
    const stuck = ["LT0221 no advertisement of pool dark to a peer that some node has"]
    assert.deepStrictEqual(findings(), stuck)
    const ref = { kind: "Service", namespace: "shop", name: "web" }
    const told = it.message("east", messageKey({ _tag: "ObjectFindings", object: ref }))
    assert.isTrue(told?._tag === "ObjectFindings" && told.findings[0]?.code === "LT0221", "its status says so as well")
    cover({})
    assert.isUndefined(findings())
    it.do({ _tag: "RegisterCluster", cluster: "east", network: "default", allowedPrefixes: ["192.0.2.0/24"] })
    assert.match(findings()?.join() ?? "", /^LT0221 198.51.100.0 of pool dark outside of the cluster's allowedPrefixes/)
    it.do(web({ requestedAddresses: [old] }))
    assert.isUndefined(findings(), "it has its old address again")
  })

  it("when the only node that lags is gone", () => {
    const it = moving()
    it.do({ _tag: "ForgetNode", cluster: "east", name: "east-2" })
    assert.lengthOf(finished(it, { "east-1": says(old, next), "east-2": says(old) }), 1)
  })
})
