import { assert, describe, it } from "vitest"
import { type Command, messageKey, type VipState } from "../src/index.ts"
import { announcing, apply, node, observe, pool, service, World } from "./world.ts"

const forget: Command = { _tag: "ForgetService", cluster: "east", namespace: "shop", name: "web" }
const gone = (name: string): Command => ({ _tag: "ForgetNode", cluster: "east", name })
const retire = (name: string): Command => ({ _tag: "RetireNode", cluster: "east", node: name })
const force: Command = { _tag: "ForceRelease", network: "default", address: "192.0.2.0" }
const confirm = (name: string, world: World): Command => ({
  _tag: "ConfirmWithdrawals",
  cluster: "east",
  node: name,
  cseq: world.book.cseq("east")
})

/** Two nodes that announce 192.0.2.0, the only address of its pool. */
const serving = (): World => {
  const made = new World()
  announcing(made, "east")
  made.do(apply("east", pool("public", ["192.0.2.0/32"])))
  made.do(observe("east", service("web")))
  return made
}

const phase = (world: World) => world.fleet.vip("default", "192.0.2.0")?.phase
const types = (events: ReturnType<World["do"]>) => events.map(({ type, reason }) => `${type} (${reason})`)

describe("a node that is retired", () => {
  it("is taken as confirmed: an address that waits for it alone rests, one that waits for others goes on waiting", () => {
    const it = serving()
    it.do(gone("east-1"))
    it.do(gone("east-2"))
    it.do(forget)
    assert.deepStrictEqual(types(it.do(retire("east-1"))), [
      "NodeRetired (node-retired)",
      "VipObligationLifted (node-retired)"
    ])
    assert.strictEqual(phase(it), "withdrawing")
    assert.deepStrictEqual(it.fleet.vip("default", "192.0.2.0")?.obliged, ["east-2"])
    assert.deepStrictEqual(types(it.do(retire("east-2"))), [
      "NodeRetired (node-retired)",
      "VipObligationLifted (node-retired)",
      "VipQuarantined (node-retired)"
    ])
    assert.deepStrictEqual(it.do(retire("east-2")), [])
    assert.isUndefined(it.rejection)
  })

  it("does not make another one confirm again", () => {
    const it = serving()
    it.do(gone("east-1"))
    it.do(forget)
    it.do(observe("east", service("other")))
    it.do(confirm("east-2", it))
    it.do(gone("east-2"))
    assert.strictEqual(phase(it), "withdrawing")
    it.do(retire("east-1"))
    assert.strictEqual(phase(it), "quarantined")
  })

  it("is not waited for by what is released later", () => {
    const it = serving()
    it.do(gone("east-1"))
    it.do(retire("east-1"))
    it.do(forget)
    assert.deepStrictEqual(it.fleet.vip("default", "192.0.2.0")?.obliged, ["east-2"])
  })

  it("nor by what is released in the same batch", () => {
    const it = serving()
    it.do(gone("east-1"))
    it.doAll([retire("east-1"), forget])
    assert.deepStrictEqual(it.fleet.vip("default", "192.0.2.0")?.obliged, ["east-2"])
  })

  it("begins anew when it comes back: what it announces then it has to withdraw", () => {
    const it = serving()
    it.do(gone("east-1"))
    it.do(retire("east-1"))
    it.do({ _tag: "ObserveNode", cluster: "east", node: node("east-1") })
    assert.isUndefined(it.fleet.cluster("east").nodes.get("east-1")?.retired)
    it.do(forget)
    assert.deepStrictEqual(it.fleet.vip("default", "192.0.2.0")?.obliged, ["east-1", "east-2"])
  })

  it("is one whose Node object is gone, and known", () => {
    const it = serving()
    assert.deepStrictEqual(it.do(retire("east-1")), [])
    assert.strictEqual(it.rejection?.code, "LT0605")
    it.do(retire("east-9"))
    assert.strictEqual(it.rejection?.code, "LT0604")
    it.do({ _tag: "RetireNode", cluster: "typo", node: "east-1" })
    assert.strictEqual(it.rejection?.code, "LT0604")
    assert.isFalse(it.fleet.clusters.has("typo"), "a cluster that is named by mistake is not made")
  })
})

describe("an address released by force", () => {
  it("rests, and then is for whoever waits for it", () => {
    const it = serving()
    it.do(forget)
    it.do(observe("east", service("next")))
    assert.strictEqual(it.refusal("east", "shop/next"), "LT0201")
    assert.deepStrictEqual(types(it.do(force)), ["VipForceReleased (force-released)"])
    assert.deepStrictEqual([phase(it), it.do(force)], ["quarantined", []])
    it.nowMs += 600_000
    it.do({ _tag: "ExpireQuarantines" })
    assert.deepStrictEqual(it.addresses("east", "shop/next"), ["192.0.2.0"])
  })

  it("names the nodes alone that have not confirmed", () => {
    const it = serving()
    it.do(forget)
    it.do(confirm("east-1", it))
    const messages = it.messages.length
    const events = it.do(force)
    assert.deepStrictEqual(types(events), [
      "VipObligationLifted (withdrawal-confirmed)",
      "VipForceReleased (force-released)"
    ])
    const [noted, released] = events.map(({ before, after }) => [before, after].map((vip) => (vip as VipState).obliged))
    assert.deepStrictEqual(noted, [["east-1", "east-2"], ["east-2"]])
    assert.deepStrictEqual(released, [["east-2"], []])
    const said = it.messages.slice(messages).filter(({ _tag }) => _tag === "VipIntent")
    assert.lengthOf(said, 1, "nobody is told the same tombstone twice")
  })

  it("is not released by force where all have confirmed: the withdrawal was confirmed", () => {
    const it = serving()
    it.do(forget)
    for (const name of ["east-1", "east-2"]) it.confirmed.set(`east/${name}`, it.book.cseq("east"))
    assert.deepStrictEqual(types(it.do(force)), ["VipQuarantined (withdrawal-confirmed)"])
  })

  it("is one that was released", () => {
    const it = serving()
    assert.deepStrictEqual(it.do(force), [])
    assert.strictEqual(it.rejection?.code, "LT0606")
    assert.include(it.rejection?.message, "held by east/shop/web")
    it.do({ ...force, network: "lab" } as Command)
    assert.strictEqual(it.rejection?.code, "LT0604")
  })
})

describe("a brake that is released", () => {
  const release = (node?: string): Command => ({
    _tag: "ReleaseBrake",
    cluster: "east",
    ...(node === undefined ? {} : { node })
  })
  /** Keys of what was said since, with the nodes to which it is said as an order. */
  const ordered = (it: World, since: number) =>
    Object.fromEntries(
      it.messages
        .slice(since)
        .map((message) => [
          messageKey(message),
          message._tag === "VipIntent" || message._tag === "NodeIntent" ? (message.massWithdraw ?? null) : undefined
        ])
    )

  it("has everything that the cluster is told said again, as an order, though it says nothing new", () => {
    const it = serving()
    it.do(observe("west", service("web")))
    it.do(forget)
    const since = it.messages.length
    assert.deepStrictEqual(types(it.do(release())), ["BrakeReleased (brake-released)"])
    const order = { reason: "test", cause: it.log.length }
    assert.deepStrictEqual(ordered(it, since), {
      "node.east-1": order,
      "node.east-2": order,
      "adv.4-192-0-2-0": order
    })
    assert.deepStrictEqual(types(it.do(release())), ["BrakeReleased (brake-released)"], "each order is one")
  })

  it("is one node's where one is named, in what it is told itself and in what all are", () => {
    const it = serving()
    const since = it.messages.length
    it.do(release("east-2"))
    const order = { reason: "test", cause: it.log.length, nodes: ["east-2"] }
    assert.deepStrictEqual(ordered(it, since), { "node.east-2": order, "adv.4-192-0-2-0": order })
  })

  it("is several nodes' when they are named in one batch, and all nodes' when one order names none", () => {
    const it = serving()
    const since = it.messages.length
    it.doAll([release("east-1"), release("east-2")])
    const order = { reason: "test", cause: it.log.length, nodes: ["east-1", "east-2"] }
    const { "node.east-1": first, "node.east-2": second, "adv.4-192-0-2-0": address } = ordered(it, since)
    assert.deepStrictEqual(address, order)
    assert.deepStrictEqual(first, { reason: "test", cause: it.log.length - 1, nodes: ["east-1"] })
    assert.deepStrictEqual(second, { reason: "test", cause: it.log.length, nodes: ["east-2"] })

    it.do(forget)
    const forced = it.messages.length
    it.doAll([force, release("east-1")])
    assert.deepStrictEqual(ordered(it, forced)["adv.4-192-0-2-0"], { reason: "test", cause: it.log.length - 1 })
  })

  it("lasts for what was said with it: the next change is none that was ordered", () => {
    const it = serving()
    it.do(release())
    const since = it.messages.length
    it.do(forget)
    assert.isNull(ordered(it, since)["adv.4-192-0-2-0"])
  })

  it("is not asked for an address that is released by force", () => {
    const it = serving()
    it.do(forget)
    const since = it.messages.length
    it.do(force)
    assert.isObject(ordered(it, since)["adv.4-192-0-2-0"])
  })

  it("is of a cluster and a node that there are", () => {
    const it = serving()
    assert.deepStrictEqual(it.do({ _tag: "ReleaseBrake", cluster: "typo" }), [])
    assert.strictEqual(it.rejection?.code, "LT0604")
    assert.deepStrictEqual(it.do(release("east-9")), [])
    assert.strictEqual(it.rejection?.code, "LT0604")
  })
})
