import type { NodeIntent, VipIntent } from "@lowtide/domain/announcing/intent"
import { nodeRoutes, type ServiceHealth } from "@lowtide/domain/announcing/node-routes"
import { messageKey } from "@lowtide/domain/announcing/subject"
import { assert, describe, it } from "vitest"
import { Brake, brakeLimit, brakeWindowMs, type Proposed } from "../src/brake.ts"
import { RouteTable } from "../src/route-table.ts"
import { HandCentre, nodeIntent, nodeName, peer, tombstone, vip, type Wanted } from "./hand-centre.ts"

const massWithdraw = { reason: "the shop is closed", cause: 7 }

/** A node as its speaker has it, its messages put in effect at once. */
const makeNode = () => {
  const centre = new HandCentre()
  const health = new Map<string, ServiceHealth>()
  const healthOf = (service: string) => health.get(service) ?? { servesHere: true, servesAnywhere: true }
  const table = new RouteTable(healthOf)
  const brake = new Brake(nodeName, table, new Map())
  const inEffect = new Map<string, NonNullable<Proposed["previous"]>>()
  const newest = new Map<string, VipIntent | NodeIntent>()
  const clock = { nowMs: 0 }
  /** Says several things at once; answers the keys of what is held back of them. */
  const say = (...wanted: ReadonlyArray<Wanted>): ReadonlyArray<string> => {
    const proposed = wanted.map((each): Proposed & { readonly envelope: string } => {
      const message = centre.number(each) as VipIntent | NodeIntent
      const key = messageKey(message)
      newest.set(key, message)
      return { key, message, previous: inEffect.get(key), envelope: "" }
    })
    const kept = brake.judge(proposed, { nowMs: clock.nowMs, unixMs: clock.nowMs })
    const passed = proposed.filter(({ key }) => !kept.has(key))
    for (const { key, message, envelope } of passed) inEffect.set(key, { key, message, envelope, keyId: "k1" })
    table.update({
      node: passed.flatMap(({ message }) => (message._tag === "NodeIntent" ? message : [])).at(-1),
      vips: passed.flatMap(({ message }) => (message._tag === "VipIntent" ? message : []))
    })
    return [...kept.keys()]
  }
  return { centre, health, healthOf, table, brake, newest, inEffect, clock, say }
}

const addresses = (count: number, from = 1) => Array.from({ length: count }, (_, index) => `198.51.100.${from + index}`)

const withVips = (count: number) => {
  const node = makeNode()
  node.say(nodeIntent([peer()]), ...addresses(count).map((address) => vip(address)))
  return node
}

describe("what a brake lets through", () => {
  for (const [prefixes, limit] of [
    [0, 9],
    [12, 9],
    [33, 9],
    [34, 10],
    [100, 30],
    [1_000, 300]
  ] as const) {
    it(`${limit} of ${prefixes} prefixes within a minute, said at once or one by one`, () => {
      assert.strictEqual(brakeLimit(prefixes), limit)
      const count = Math.min(prefixes, 200)
      const expected = Math.min(count, brakeLimit(count))
      const atOnce = withVips(count)
      const held = atOnce.say(...addresses(count).map(tombstone))
      assert.deepStrictEqual([held.length, atOnce.table.announcedCount], [count - expected, count - expected])
      const single = withVips(count)
      for (const address of addresses(count)) single.say(tombstone(address))
      assert.strictEqual(single.table.announcedCount, count - expected)
    })
  }

  it("more when the minute is over, but nothing that it held before", () => {
    const { say, clock, table, brake } = withVips(40)
    assert.strictEqual(say(...addresses(20).map(tombstone)).length, 8)
    clock.nowMs = brakeWindowMs - 1
    assert.deepStrictEqual(say(tombstone("198.51.100.40")), ["adv.4-198-51-100-40"])
    clock.nowMs = brakeWindowMs
    assert.deepStrictEqual(say(tombstone("198.51.100.39")), [])
    assert.deepStrictEqual(say(tombstone("198.51.100.20")), ["adv.4-198-51-100-20"])
    assert.deepStrictEqual([table.announcedCount, brake.kept.size, brake.heldTotal], [27, 9, 9])
  })

  it("everything that is ordered, at this node, and nothing of it counts", () => {
    const { say, table } = withVips(40)
    const ordered = (address: string, nodes?: ReadonlyArray<string>) => ({
      ...tombstone(address),
      massWithdraw: { ...massWithdraw, ...(nodes === undefined ? {} : { nodes }) }
    })
    assert.deepStrictEqual(say(...addresses(20).map((address) => ordered(address))), [])
    assert.strictEqual(say(...addresses(20, 21).map((address) => ordered(address, ["east-2"]))).length, 11)
    assert.deepStrictEqual(say(...addresses(20, 21).map((address) => ordered(address, [nodeName, "east-2"]))), [])
    assert.strictEqual(table.announcedCount, 0)
  })

  it("an intent that no longer withdraws, in place of what it held", () => {
    const { say, table, brake } = withVips(40)
    say(...addresses(40).map(tombstone))
    assert.deepStrictEqual(say(...addresses(40).map((address) => vip(address))), [])
    assert.deepStrictEqual([table.announcedCount, brake.kept.size], [40, 0])
  })

  it("intents that lose what health has withdrawn already", () => {
    const { say, table, health } = withVips(40)
    health.set("shop/web", { servesHere: false, servesAnywhere: false })
    table.update({ services: ["shop/web"] })
    assert.strictEqual(table.announcedCount, 0)
    assert.deepStrictEqual(say(...addresses(40).map(tombstone)), [])
  })

  it("an aggregate's VIPs but the last, without a prefix of it withdrawn", () => {
    const { say, table } = makeNode()
    const held = (address: string) =>
      vip(address, { routes: vip(address).routes.map((route) => ({ ...route, prefix: "198.51.100.0/24" })) })
    say(nodeIntent([peer()]), ...addresses(60).map(held))
    assert.deepStrictEqual(say(...addresses(60).map(tombstone)), [])
    assert.strictEqual(table.announcedCount, 0)
  })
})

describe("what withdraws", () => {
  for (const [what, change] of [
    ["another list of candidates", { admission: { _tag: "Open", candidates: ["east-2"] } }],
    ["no advertisement", { routes: [] }],
    ["a Service that is served elsewhere alone", { services: [] }]
  ] as const) {
    it(what, () => {
      const { say, table } = withVips(40)
      assert.strictEqual(say(...addresses(40).map((address) => vip(address, change))).length, 28)
      assert.strictEqual(table.announcedCount, 28)
    })
  }

  for (const [what, intent] of [
    ["one peer of two is gone", nodeIntent([peer()])],
    ["a peer's router is another", nodeIntent([peer(), peer({ name: "second", peerAddress: "127.0.0.3" })])],
    ["the node is excluded", nodeIntent([peer(), peer({ name: "second" })], { excluded: "label" })]
  ] as const) {
    it(`what the node is told of itself: ${what}`, () => {
      const { say, table, brake } = makeNode()
      const routes = (address: string) =>
        vip(address).routes.map((route) => ({ ...route, peers: ["router", "second"] }))
      say(
        nodeIntent([peer(), peer({ name: "second" })]),
        ...addresses(40).map((address) => vip(address, { routes: routes(address) }))
      )
      assert.deepStrictEqual(say(intent), [`node.${nodeName}`])
      assert.strictEqual(table.wanted("second").size, 40)
      assert.deepStrictEqual(say({ ...intent, massWithdraw }), [])
      assert.strictEqual(brake.kept.size, 0)
      assert.isBelow(table.wanted("second").size + (what.includes("router") ? 0 : 40), 80)
    })
  }
})

/** A small generator of numbers, so that a failure can be repeated by its seed. */
const random = (seed: number) => {
  let state = seed
  return (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const randomWanted = (pick: (below: number) => number): Wanted => {
  const peers = [peer(), ...(pick(3) === 0 ? [] : [peer({ name: "second" })])]
  if (pick(25) === 0) return nodeIntent(peers, { excluded: pick(4) === 0 ? "label" : null })
  const address = `198.51.100.${1 + pick(60)}`
  if (pick(3) === 0) return tombstone(address)
  const route = (prefix: string) => ({ ...vip(address).routes[0], prefix, peers: ["router", "second"] }) as never
  return vip(address, {
    services: [
      { namespace: "shop", name: `s${pick(3)}`, uid: "u", trafficPolicy: pick(3) === 0 ? "Local" : "Cluster" }
    ],
    admission: { _tag: "Open", candidates: pick(8) === 0 ? ["east-2"] : [nodeName] },
    routes: [route(`${address}/32`), ...(pick(4) === 0 ? [route(`198.51.100.${16 * pick(4)}/28`)] : [])]
  })
}

const wantedPrefixes = (table: RouteTable) =>
  ["router", "second"].map((name) => [name, new Set(table.wanted(name).keys())] as const)

describe("random intents, endpoints and times", () => {
  it("never withdraw more than the limit within a minute, and hold nothing that is ordered", () => {
    let heldEver = 0
    for (let seed = 1; seed <= 40; seed++) {
      const pick = random(seed)
      const node = makeNode()
      const { table, brake, clock, newest } = node
      node.say(nodeIntent([peer(), peer({ name: "second" })]))
      const withdrawals: Array<{ readonly atMs: number; readonly prefix: string }> = []
      for (let step = 0; step < 40; step++) {
        clock.nowMs += pick(20_000)
        if (pick(4) === 0) {
          const service = `shop/s${pick(3)}`
          node.health.set(service, { servesHere: pick(2) === 0, servesAnywhere: pick(3) > 0 })
          table.update({ services: [service] })
          continue
        }
        const isOrdered = pick(6) === 0
        const wanted = Array.from({ length: 1 + pick(40) }, () => randomWanted(pick))
        const before = wantedPrefixes(table)
        node.say(...wanted.map((each) => (isOrdered ? { ...each, massWithdraw } : each)))
        if (isOrdered) continue
        for (const [name, prefixes] of before) {
          for (const prefix of prefixes) {
            if (!table.wanted(name).has(prefix)) withdrawals.push({ atMs: clock.nowMs, prefix })
          }
        }
        if (withdrawals.at(-1)?.atMs !== clock.nowMs) continue
        const minute = withdrawals.filter(({ atMs }) => atMs > clock.nowMs - brakeWindowMs).map(({ prefix }) => prefix)
        const all = new Set([...before.flatMap(([, prefixes]) => [...prefixes]), ...minute])
        assert.isAtMost(new Set(minute).size, Math.max(9, Math.floor(all.size * 0.3)), `seed ${seed}, step ${step}`)
      }
      heldEver += brake.heldTotal
      const waiting = [...brake.kept.keys()].map((key) => newest.get(key) as VipIntent | NodeIntent)
      assert.deepStrictEqual(node.say(...waiting.map((message) => ({ ...message, massWithdraw }))), [])
      assert.strictEqual(brake.kept.size, 0)
      const own = newest.get(`node.${nodeName}`) as NodeIntent
      const intents = [...newest.values()].filter((message) => message._tag === "VipIntent")
      const { byPeer } = nodeRoutes(own, intents, ({ namespace, name }) => node.healthOf(`${namespace}/${name}`))
      for (const [name, prefixes] of wantedPrefixes(table)) {
        assert.deepStrictEqual([...prefixes].sort(), [...(byPeer.get(name)?.keys() ?? [])].sort(), `seed ${seed}`)
      }
    }
    assert.isAbove(heldEver, 100)
  })
})
