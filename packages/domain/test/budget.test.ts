import { assert, describe, it } from "vitest"
import { budgetLimit } from "../src/fleet/budget.ts"
import { budgetPeriodMsMax, ReleaseTimes } from "../src/fleet/release-times.ts"
import { budgetUse, type Command, heldBy, type VipIntent } from "../src/index.ts"
import { Choices } from "./random-fleet.ts"
import { announcing, apply, fleetObject, observe, pool, service, World } from "./world.ts"

const names = (count: number, from = 0) => Array.from({ length: count }, (_, index) => `s${from + index}`)
const forget = (name: string, cluster = "east"): Command => ({
  _tag: "ForgetService",
  cluster,
  namespace: "shop",
  name
})

/** A cluster with so many Services, each with an address of its own that two nodes announce. */
const serving = (count: number, clusters: ReadonlyArray<string> = ["east"]): World => {
  const made = new World()
  for (const [index, cluster] of clusters.entries()) {
    announcing(made, cluster)
    made.do(apply(cluster, pool("public", [`198.18.${index}.0/24`])))
    made.doAll(names(count).map((name) => observe(cluster, service(name))))
  }
  return made
}

const limits = (spec: object): Command => ({
  _tag: "ApplyFleetObject",
  manifest: fleetObject("Fleet", "prod", { blastRadius: spec })
})
const only = (maxWithdrawRoutes: number, more: object = {}) => limits({ maxWithdrawRoutes, ...more })

const phases = (world: World) => {
  const counts: Record<string, number> = {}
  for (const { phase, heldRelease } of world.fleet.vips.values()) {
    const key = heldRelease === undefined ? phase : "held"
    counts[key] = (counts[key] ?? 0) + 1
  }
  return counts
}
const revision = (world: World, id: string) => world.fleet.versions.get(`approval:${id}`) ?? 0
const approve = (world: World, id: string): Command => ({
  _tag: "ApproveWithdrawals",
  id,
  revision: revision(world, id)
})
const reject = (world: World, id: string): Command => ({ _tag: "RejectWithdrawals", id, revision: revision(world, id) })

describe("how much may be withdrawn without a second person", () => {
  for (const [percent, routes, addresses, limit] of [
    [5, 50, 12, 9],
    [5, 50, 400, 20],
    [5, 50, 4_306, 50],
    [100, 5, 400, 5],
    [0, 50, 400, 9],
    [100, 0, 400, 0],
    [30, 1_000, 1_000, 300]
  ] as const) {
    it(`${percent} % and ${routes} routes, of ${addresses} addresses: ${limit}`, () => {
      assert.strictEqual(budgetLimit({ maxWithdrawPercent: percent, maxWithdrawRoutes: routes }, addresses), limit)
    })
  }

  it("is counted by cluster and over the fleet, within the period", () => {
    const it = serving(20, ["east", "west"])
    it.do(
      only(12, { per: "10m", maxWithdrawPercent: 100, perCluster: { maxWithdrawRoutes: 8, maxWithdrawPercent: 100 } })
    )
    it.doAll(names(10).map((name) => forget(name)))
    assert.deepStrictEqual(phases(it), { withdrawing: 8, held: 2, assigned: 30 })
    it.doAll(names(10).map((name) => forget(name, "west")))
    assert.deepStrictEqual(phases(it), { withdrawing: 12, held: 8, assigned: 20 })
    assert.deepStrictEqual(budgetUse(it.fleet, undefined, it.nowMs), { withdrawn: 12, limit: 12 })
    it.nowMs = 599_999
    it.do(forget("s10"))
    assert.deepStrictEqual(phases(it), { withdrawing: 12, held: 9, assigned: 19 })
    it.nowMs = 600_000
    it.do(forget("s11"))
    assert.deepStrictEqual(phases(it), { withdrawing: 13, held: 9, assigned: 18 })
  })

  it("is the standard one where no Fleet object says otherwise, again when it is deleted", () => {
    const it = serving(40)
    it.do(only(0))
    it.do(forget("s0"))
    assert.deepStrictEqual(phases(it), { held: 1, assigned: 39 })
    it.do({ _tag: "DeleteFleetObject", kind: "Fleet", name: "prod" })
    it.doAll(names(39, 1).map((name) => forget(name)))
    assert.deepStrictEqual(phases(it), { held: 31, withdrawing: 9 })
  })

  for (const [what, spec, code] of [
    ["more than all", { maxWithdrawPercent: 101 }, "LT0108"],
    ["no period", { per: "0s" }, "LT0108"],
    ["a word of no meaning", { maxWithdrawPercentage: 5 }, "LT0104"],
    ["a share of a cluster below nothing", { perCluster: { maxWithdrawRoutes: -1 } }, "LT0108"]
  ] as const) {
    it(`is refused: ${what}`, () => {
      const it = serving(0)
      assert.deepStrictEqual(it.do(limits(spec)), [])
      assert.strictEqual(it.rejection?.code, code)
    })
  }

  it("is another of a cluster that is named", () => {
    const it = serving(20, ["east", "west"])
    it.do(
      only(100, {
        maxWithdrawPercent: 100,
        perCluster: { maxWithdrawRoutes: 3 },
        clusters: [{ cluster: "west", maxWithdrawRoutes: 12, maxWithdrawPercent: 100 }]
      })
    )
    for (const cluster of ["east", "west"]) it.doAll(names(20).map((name) => forget(name, cluster)))
    const use = (cluster: string) => budgetUse(it.fleet, it.fleet.cluster(cluster), it.nowMs)
    assert.deepStrictEqual(
      [use("east"), use("west")],
      [
        { withdrawn: 3, limit: 3 },
        { withdrawn: 12, limit: 12 }
      ]
    )
    it.do(only(100, { maxWithdrawPercent: 100, clusters: [{ cluster: "west", maxWithdrawRoutes: 0 }] }))
    assert.strictEqual(use("west").limit, 0)
  })

  for (const [what, clusters, code] of [
    ["a cluster without a name", [{ maxWithdrawRoutes: 1 }], "LT0106"],
    [
      "a cluster twice",
      [
        { cluster: "east", maxWithdrawRoutes: 1 },
        { cluster: "east", maxWithdrawRoutes: 2 }
      ],
      "LT0114"
    ],
    ["a cluster of which nothing is said", [{ cluster: "east" }], "LT0106"],
    ["a share of it beyond all", [{ cluster: "east", maxWithdrawPercent: 101 }], "LT0108"],
    ["a word of no meaning", [{ cluster: "east", maxWithdrawRoutes: 1, per: "1m" }], "LT0104"]
  ] as const) {
    it(`is refused: ${what}`, () => {
      const it = serving(0)
      assert.deepStrictEqual([it.do(limits({ clusters })), it.rejection?.code], [[], code])
    })
  }

  it("forgets when an address was released, once no period counts it", () => {
    const it = serving(3)
    it.do(only(5, { per: "20m" }))
    it.do(forget("s0"))
    const released = () => [...it.fleet.vips.values()].flatMap(({ releasedAtMs }) => releasedAtMs ?? [])
    it.do({ _tag: "ConfirmWithdrawals", cluster: "east", node: "east-1", cseq: it.book.cseq("east") })
    it.do({ _tag: "ConfirmWithdrawals", cluster: "east", node: "east-2", cseq: it.book.cseq("east") })
    it.nowMs = 600_000
    it.do({ _tag: "ExpireQuarantines" })
    assert.deepStrictEqual([phases(it).free, released()], [1, [0]], "it rested for less than the period")
    it.nowMs = 1_200_000
    assert.strictEqual(budgetUse(it.fleet, undefined, it.nowMs).withdrawn, 0)
    it.do(observe("east", service("s0")))
    assert.deepStrictEqual(released(), [])
  })

  it("is said by one Fleet object", () => {
    const it = serving(0)
    it.do(only(5))
    it.do({ _tag: "ApplyFleetObject", manifest: fleetObject("Fleet", "other", { blastRadius: {} }) })
    assert.strictEqual(it.rejection?.code, "LT0107")
  })
})

describe("what is beyond it", () => {
  const held = () => {
    const it = serving(20)
    it.do(only(5))
    it.doAll(names(20).map((name) => forget(name)))
    return it
  }

  it("stays announced as it was, without a word to the speakers, in one order of its author", () => {
    const it = serving(20)
    it.do(only(5))
    const since = it.messages.length
    const events = it.doAll(names(20).map((name) => forget(name)))
    assert.strictEqual(events.filter(({ type }) => type === "ServiceGone").length, 20)
    const vips = it.messages.slice(since).filter((message) => message._tag === "VipIntent")
    assert.deepStrictEqual([vips.length, vips.every(({ state }) => state === "withdrawn")], [5, true])
    assert.strictEqual(vips[0]?._tag === "VipIntent" && vips[0].massWithdraw, undefined)
    assert.deepStrictEqual([...it.fleet.approvals.keys()], ["w-1"])
    assert.deepInclude(it.fleet.approvals.get("w-1"), { cluster: "east", phase: "pending", count: 15 })
  })

  it("goes on following nodes and configuration", () => {
    const it = held()
    it.do({ _tag: "ForgetNode", cluster: "east", name: "east-1" })
    const [vip] = heldBy(it.fleet, { id: "w-1", cluster: "east" })
    const intent = it.messages.findLast((message) => message._tag === "VipIntent" && message.address === vip?.address)
    assert.deepInclude(intent, { state: "announced" })
    assert.deepStrictEqual((intent as VipIntent).admission.candidates, ["east-2"])
  })

  it("is withdrawn, as an order, when it is approved, and counts for nobody", () => {
    const it = held()
    const since = it.messages.length
    const events = it.do(approve(it, "w-1"))
    assert.deepStrictEqual([events[0]?.type, events.length], ["WithdrawalsApproved", 16])
    assert.deepStrictEqual(phases(it), { withdrawing: 20 })
    const intents = it.messages.slice(since).filter((message) => message._tag === "VipIntent")
    assert.strictEqual(intents.length, 15)
    for (const { massWithdraw } of intents) assert.isObject(massWithdraw)
    assert.strictEqual(budgetUse(it.fleet, undefined, it.nowMs).withdrawn, 5)
    assert.deepStrictEqual(it.do(approve(it, "w-1")), [])
  })

  it("stays when it is rejected, and may be approved after all; what comes later is another order", () => {
    const it = held()
    assert.deepStrictEqual(
      it.do(reject(it, "w-1")).map(({ type }) => type),
      ["WithdrawalsRejected"]
    )
    assert.deepStrictEqual(phases(it), { withdrawing: 5, held: 15 })
    it.do(observe("east", service("late")))
    it.do(forget("late"))
    assert.deepInclude(it.fleet.approvals.get("w-2"), { phase: "pending", count: 1 })
    assert.deepStrictEqual(it.do(reject(it, "w-1")), [])
    it.do(approve(it, "w-1"))
    assert.deepStrictEqual(phases(it), { withdrawing: 20, held: 1 })
  })

  it("is the Service's again when it comes back, with no change of a route", () => {
    const it = held()
    const before = it.fleet.cluster("east").addressesOf.get("shop/s19")
    const since = it.messages.length
    it.do(observe("east", service("s19", { uid: "another" })))
    assert.deepStrictEqual(it.addresses("east", "shop/s19"), before)
    const intents = it.messages.slice(since).flatMap((message) => (message._tag === "VipIntent" ? message : []))
    assert.deepStrictEqual(
      intents.map(({ state, obliged, services }) => [state, obliged, services[0]?.uid]),
      [["announced", ["east-1", "east-2"], "another"]]
    )
    assert.deepStrictEqual(phases(it), { withdrawing: 5, held: 14, assigned: 1 })
    it.do(approve(it, "w-1"))
    assert.deepStrictEqual(phases(it), { withdrawing: 19, assigned: 1 })
  })

  it("is not withdrawn when it has grown since the person looked", () => {
    const it = held()
    const seen = approve(it, "w-1")
    it.do(observe("east", service("late")))
    it.do(forget("late"))
    assert.deepStrictEqual(it.do(seen), [])
    assert.strictEqual(it.rejection?.code, "LT0609")
    assert.deepStrictEqual(phases(it), { withdrawing: 5, held: 16 })
  })

  it("is not given to another, and said again by a repeated report of nothing", () => {
    const it = held()
    const inventory: Command = {
      _tag: "ObserveInventory",
      cluster: "east",
      services: [],
      nodes: ["east-1", "east-2"],
      namespaces: [],
      manifests: [...it.fleet.cluster("east").manifests.keys()],
      findings: []
    }
    assert.deepStrictEqual(it.do(inventory), [])
    const taken = new Set(heldBy(it.fleet, { id: "w-1", cluster: "east" }).map(({ address }) => address))
    it.doAll(names(10, 100).map((name) => observe("east", service(name))))
    for (const name of names(10, 100)) assert.isFalse(taken.has(it.addresses("east", `shop/${name}`)[0] ?? ""))
  })

  it("is of an order that there is", () => {
    const it = held()
    assert.deepStrictEqual(it.do({ _tag: "ApproveWithdrawals", id: "w-9", revision: 0 }), [])
    assert.strictEqual(it.rejection?.code, "LT0604")
  })
})

describe("random deletions", () => {
  it("never withdraw more than the budget within its period, unless a second person approved", () => {
    let approved = 0
    for (let seed = 1; seed <= 12; seed++) {
      const choose = new Choices(seed)
      const it = serving(30, ["east", "west"])
      const routes = choose.below(15)
      it.do(only(routes, { per: "10m", maxWithdrawPercent: 10, perCluster: { maxWithdrawRoutes: 6 } }))
      const withdrawals: Array<{ readonly atMs: number; readonly cluster: string; readonly address: string }> = []
      for (let step = 0; step < 120; step++) {
        it.nowMs += choose.below(60_000)
        const cluster = choose.one(["east", "west"])
        const name = `s${choose.below(30)}`
        const orders = [...it.fleet.heldBy.keys()]
        const kind = choose.below(10)
        const isApproval = kind === 0 && orders.length > 0
        const command = isApproval
          ? approve(it, choose.one(orders))
          : kind < 3
            ? observe(cluster, service(name))
            : forget(name, cluster)
        const events = it.do(command)
        if (isApproval) approved += events.length > 0 ? 1 : 0
        else {
          for (const { type, about } of events) {
            if (type === "VipReleased")
              withdrawals.push({ atMs: it.nowMs, cluster: about.cluster ?? "", address: about.address ?? "" })
          }
        }
        const recent = withdrawals.filter(({ atMs }) => it.nowMs - atMs < 600_000)
        const distinct = (some: typeof recent) => new Set(some.map(({ address }) => address)).size
        assert.isAtMost(distinct(recent), routes, `seed ${seed}`)
        for (const one of ["east", "west"]) {
          assert.isAtMost(distinct(recent.filter((each) => each.cluster === one)), 6, `seed ${seed}`)
        }
        // Whoever is gone has an address that is held, or none; whoever is there has one of his own.
        for (const vip of it.fleet.vips.values()) {
          for (const { namespace, name } of vip.holders) {
            const isThere = it.fleet.cluster(vip.cluster).services.has(`${namespace}/${name}`)
            assert.strictEqual(vip.heldRelease === undefined, isThere, `seed ${seed}`)
          }
        }
      }
      for (const id of [...it.fleet.heldBy.keys()]) it.do(approve(it, id))
      assert.strictEqual(it.fleet.heldBy.size, 0)
    }
    assert.isAbove(approved, 5)
  })
})

describe("what was released since a time", () => {
  it("is found in whatever order it was loaded, the newest first, and no more is looked at", () => {
    const times = new ReleaseTimes()
    for (const atMs of [30, 10, 20, 40]) times.add(`vip-${atMs}`, atMs)
    assert.deepStrictEqual(
      [...times.since(15)].map(({ atMs }) => atMs),
      [40, 30, 20]
    )
    times.add("vip-25", 25)
    assert.deepStrictEqual(
      [...times.since(24)].map(({ stream }) => stream),
      ["vip-40", "vip-30", "vip-25"]
    )
  })

  it("is forgotten when it is older than any period, as more is added", () => {
    const times = new ReleaseTimes()
    for (let week = 0; week < 10; week++) times.add("vip", week * budgetPeriodMsMax)
    assert.isAtMost([...times.since(Number.NEGATIVE_INFINITY)].length, 2)
  })
})
