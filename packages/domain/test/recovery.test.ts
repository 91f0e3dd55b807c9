import { assert, describe, it } from "vitest"
import type { Command, ObserveInventory, RememberedVip } from "../src/fleet/index.ts"
import { announcing, apply, node, observe, pool, service, World } from "./world.ts"

const lost: Command = {
  _tag: "BeginRecovery",
  incarnation: 2,
  why: "a node is beyond the end",
  lostAfter: { incarnation: 1, seq: 9 }
}

const inventory = (services: ReadonlyArray<string>): ObserveInventory => ({
  _tag: "ObserveInventory",
  cluster: "east",
  services,
  nodes: ["n1", "n2"],
  namespaces: [],
  manifests: [],
  findings: []
})

const announced = (address: string, ...names: ReadonlyArray<string>): RememberedVip => ({
  network: "default",
  address,
  state: "announced",
  services: names.map((name) => ({ namespace: "shop", name, uid: `uid-shop-${name}` })),
  obliged: ["n1", "n2"]
})

const tombstone = (address: string): RememberedVip => ({ ...announced(address), state: "withdrawn" })

const adopt = (...vips: ReadonlyArray<RememberedVip>): Command => ({ _tag: "AdoptVips", cluster: "east", vips })

const finish: Command = { _tag: "FinishRecovery", without: [] }

const republish = (...services: ReadonlyArray<string>): Command => ({
  _tag: "RepublishCluster",
  cluster: "east",
  inventory: inventory(services)
})

/** One command after another; answers the events of the last. */
const run = (world: World, ...commands: ReadonlyArray<Command>) => commands.map((command) => world.do(command)).at(-1)

/** A cluster that announces, with one Service that has an address. */
const known = () => {
  const world = new World()
  announcing(world, "east")
  run(world, apply("east", pool("public", ["192.0.2.0/28"])))
  run(world, observe("east", service("web")))
  return world
}

const vip = (world: World, address: string) => world.fleet.vip("default", address)

describe("a fleet that lost history", () => {
  it("gives nothing, takes nothing and frees nothing before it has recovered", () => {
    const world = known()
    run(world, observe("east", service("old")), {
      _tag: "ForgetService",
      cluster: "east",
      namespace: "shop",
      name: "old"
    })
    const [resting] = [...world.fleet.vips.values()].filter(({ phase }) => phase === "withdrawing")
    run(world, lost)
    run(world, lost)
    assert.lengthOf(
      world.log.filter(({ type }) => type === "HistoryLost"),
      1,
      "begun once"
    )
    run(world, observe("east", service("new")))
    run(world, observe("east", service("web", { type: "ClusterIP" })))
    run(world, { _tag: "ConfirmWithdrawals", cluster: "east", node: "n1", cseq: 999 })
    run(world, { _tag: "ConfirmWithdrawals", cluster: "east", node: "n2", cseq: 999 })
    world.nowMs += 10_000_000
    run(world, { _tag: "ExpireQuarantines" })
    assert.deepStrictEqual(world.addresses("east", "shop/new"), [])
    assert.deepStrictEqual(world.addresses("east", "shop/web"), ["192.0.2.0"])
    assert.strictEqual(vip(world, resting?.address ?? "")?.phase, "withdrawing")
    run(world, finish)
    assert.deepStrictEqual(world.addresses("east", "shop/new"), [], "its cluster is frozen still")
    run(world, republish("shop/new", "shop/web"))
    assert.lengthOf(world.addresses("east", "shop/new"), 1)
    assert.deepStrictEqual(world.addresses("east", "shop/web"), [])
  })

  it("takes over what speakers hold, keeps it from others, and gives it to the Service that is seen", () => {
    const world = known()
    run(world, lost, adopt(announced("192.0.2.1", "back"), announced("192.0.2.2", "never")))
    assert.isTrue(vip(world, "192.0.2.1")?.holders[0]?.adopted)
    run(world, observe("east", service("back")), observe("east", service("other")))
    run(world, finish, republish("shop/web", "shop/back", "shop/other"))
    assert.deepStrictEqual(world.addresses("east", "shop/back"), ["192.0.2.1"])
    assert.isUndefined(vip(world, "192.0.2.1")?.holders[0]?.adopted)
    assert.deepStrictEqual(world.addresses("east", "shop/other"), ["192.0.2.3"], "not the one that is reserved")
    assert.isTrue(vip(world, "192.0.2.2")?.holders[0]?.adopted)
    assert.isUndefined(world.message("east", "adv.4-192-0-2-2"), "what speakers hold of it stays")
  })

  it("knows a cluster whose addresses were taken over before its agent told of its network", () => {
    const told = (network: string): Command => ({
      _tag: "RegisterCluster",
      cluster: "east",
      network,
      labels: { a: "b" }
    })
    const codes = ({ fleet }: World) =>
      [...fleet.cluster("east").findings.values()].flatMap(({ findings }) => findings.map(({ code }) => code))
    const held: RememberedVip = { ...announced("192.0.2.1", "back"), network: "backbone" }
    const world = new World()
    run(world, lost, adopt(held, { ...tombstone("192.0.2.2"), network: "left" }), told("backbone"))
    announcing(world, "east")
    run(world, apply("east", pool("public", ["192.0.2.0/28"])), observe("east", service("back")))
    run(world, finish, republish("shop/back"))
    assert.deepStrictEqual(world.addresses("east", "shop/back"), ["192.0.2.1"])
    assert.notInclude(codes(world), "LT0212")

    const other = new World()
    run(other, lost, adopt(held), told("elsewhere"))
    const { network, labels } = other.fleet.cluster("east")
    assert.deepStrictEqual([network, labels], ["backbone", { a: "b" }], "it is of what it has, and not waited for")
    assert.deepStrictEqual(codes(other), ["LT0212"])
  })

  it("keeps an address that several shared with all of them, whatever their key", () => {
    const world = known()
    const shared = { annotations: { allowSharedIp: "key" } }
    run(world, lost, adopt(announced("192.0.2.5", "one", "two")))
    run(world, observe("east", service("one", { ...shared, ports: [{ protocol: "TCP", port: 1, name: "" }] })))
    run(world, observe("east", service("two", { ...shared, ports: [{ protocol: "TCP", port: 2, name: "" }] })))
    run(world, finish, republish("shop/web", "shop/one", "shop/two"))
    assert.deepStrictEqual(
      vip(world, "192.0.2.5")?.holders.map(({ name, sharingKey, adopted }) => [name, sharingKey, adopted]),
      [
        ["one", "key", undefined],
        ["two", "key", undefined]
      ]
    )
  })

  it("announces anew what several shared once all of them are seen, also where they clash by now", () => {
    const world = known()
    run(world, lost, adopt(announced("192.0.2.5", "one", "two"), announced("192.0.2.6", "here", "gone")))
    run(world, observe("east", service("one", { annotations: { allowSharedIp: "key" } })))
    run(world, observe("east", service("here", { annotations: { allowSharedIp: "key" } })))
    // It asks by name for what it cannot share any more, so it keeps what it has.
    run(world, observe("east", service("two", { requestedAddresses: ["192.0.2.5"] })))
    run(world, finish, republish("shop/web", "shop/one", "shop/two", "shop/here"))
    const services = (address: string) => {
      const message = world.message("east", `adv.4-192-0-2-${address}`)
      return message?._tag === "VipIntent" ? message.services.map(({ name }) => name) : undefined
    }
    assert.deepStrictEqual(services("5"), ["one", "two"])
    assert.isUndefined(services("6"), "one of its Services was not seen")
    run(world, { _tag: "ReleaseAdopted", network: "default", address: "192.0.2.5" })
    assert.deepStrictEqual(world.addresses("east", "shop/two"), ["192.0.2.5"], "nothing of it is reserved")
    run(world, { _tag: "ReleaseAdopted", network: "default", address: "192.0.2.6" })
    assert.deepStrictEqual(services("6"), ["here"])
  })

  it("takes over a withdrawal that it had lost, with the nodes that are to confirm it", () => {
    const world = known()
    run(world, lost, adopt(tombstone("192.0.2.0")))
    const { phase, obliged } = vip(world, "192.0.2.0") ?? { phase: "", obliged: [] }
    assert.deepStrictEqual([phase, obliged], ["withdrawing", ["east-1", "east-2", "n1", "n2"]])
  })

  it("takes over what a status says, unless somebody is known to hold it", () => {
    const world = known()
    run(world, lost, adopt(announced("192.0.2.7", "other")))
    run(world, { ...observe("east", service("told")), statusAddresses: ["192.0.2.6", "192.0.2.7"] } as Command)
    assert.deepStrictEqual(world.addresses("east", "shop/told"), ["192.0.2.6"])
    assert.deepStrictEqual(world.addresses("east", "shop/other"), ["192.0.2.7"])
    run(world, {
      ...observe("east", service("told", { labels: { a: "b" } })),
      statusAddresses: ["192.0.2.6"]
    } as Command)
    assert.lengthOf(
      world.log.filter(({ type, about }) => type === "VipAdopted" && about.service === "told"),
      1,
      "said twice is taken over once"
    )
  })

  it("lets what the agent says is gone go before anything is given out", () => {
    const world = known()
    run(world, lost, adopt(tombstone("192.0.2.0")), finish, republish("shop/other"))
    assert.isUndefined(world.fleet.cluster("east").services.get("shop/web"))
    assert.strictEqual(vip(world, "192.0.2.0")?.phase, "withdrawing", "and not given to it again for a moment")
  })

  it("lets a reserved address go by a person's order, through withdrawal like every other", () => {
    const world = known()
    run(world, lost, adopt(announced("192.0.2.2", "never")), finish, republish("shop/web"))
    const release: Command = { _tag: "ReleaseAdopted", network: "default", address: "192.0.2.2" }
    run(world, release)
    assert.strictEqual(vip(world, "192.0.2.2")?.phase, "withdrawing")
    assert.deepStrictEqual(vip(world, "192.0.2.2")?.obliged, ["n1", "n2"])
    assert.strictEqual((world.message("east", "adv.4-192-0-2-2") as { state?: string }).state, "withdrawn")
    assert.deepStrictEqual(run(world, release), [], "once")
    run(world, { _tag: "ReleaseAdopted", network: "default", address: "192.0.2.0" })
    assert.strictEqual(vip(world, "192.0.2.0")?.phase, "assigned", "what is held is nobody's to release so")
  })

  it("leaves a cluster frozen that is heard of later, until it is published anew", () => {
    const world = known()
    run(world, lost, finish, republish("shop/web"))
    run(world, { _tag: "RegisterCluster", cluster: "west", network: "default" })
    run(world, apply("west", pool("public", ["192.0.2.0/28"])), {
      _tag: "ObserveNode",
      cluster: "west",
      node: node("w1")
    })
    run(world, observe("west", service("web")))
    assert.deepStrictEqual(world.addresses("west", "shop/web"), [])
    run(world, {
      ...republish("shop/web"),
      cluster: "west",
      inventory: { ...inventory(["shop/web"]), cluster: "west" }
    } as Command)
    assert.lengthOf(world.addresses("west", "shop/web"), 1)
  })

  it("gives an address that is reserved for one Service to no other, who asks for it by name", () => {
    const world = known()
    run(world, lost, adopt(announced("192.0.2.9", "gone")), finish, republish("shop/web"))
    run(world, observe("east", service("web", { requestedAddresses: ["192.0.2.9"] })))
    assert.notInclude(world.addresses("east", "shop/web"), "192.0.2.9")
  })

  it("takes over what a node holds that is heard later, where nobody has it, and lets a Service that is there take it", () => {
    const world = known()
    run(world, lost, finish, republish("shop/web"))
    run(world, adopt(announced("192.0.2.4", "gone"), announced("192.0.2.0", "other")))
    assert.deepStrictEqual(world.addresses("east", "shop/gone"), ["192.0.2.4"])
    assert.isTrue(vip(world, "192.0.2.4")?.holders[0]?.adopted)
    assert.isUndefined(world.message("east", "adv.4-192-0-2-4"), "what the node holds of it stays")
    assert.deepStrictEqual(world.addresses("east", "shop/web"), ["192.0.2.0"], "who has it keeps it")
    assert.deepStrictEqual(run(world, adopt(announced("192.0.2.4", "gone"))), [], "once")
    run(world, observe("east", service("here", { type: "ClusterIP" })), adopt(announced("192.0.2.6", "here")))
    assert.strictEqual(vip(world, "192.0.2.6")?.phase, "withdrawing", "it wants none")
  })

  it("leaves an address with the cluster that was given it after the loss", () => {
    const world = known()
    announcing(world, "west")
    run(world, apply("west", pool("public", ["192.0.2.0/28"])), lost, finish)
    run(world, {
      _tag: "RepublishCluster",
      cluster: "west",
      inventory: { ...inventory([]), cluster: "west", nodes: ["west-1", "west-2"] }
    })
    run(world, observe("west", service("new")))
    const [given = ""] = world.addresses("west", "shop/new")
    assert.deepStrictEqual(run(world, adopt(announced(given, "old"))), [], "east is frozen still")
    assert.deepStrictEqual(world.addresses("west", "shop/new"), [given])
    run(world, republish("shop/web"))
    assert.deepStrictEqual(run(world, adopt(announced(given, "old"))), [])
  })
})
