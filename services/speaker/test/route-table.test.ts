import type { NodeIntent, VipIntent } from "@lowtide/domain/announcing/intent"
import { nodeRoutes, type ServiceHealth } from "@lowtide/domain/announcing/node-routes"
import { assert, describe, it } from "vitest"
import { RouteTable } from "../src/route-table.ts"
import { HandCentre, nodeIntent, peer, tombstone, vip, type Wanted } from "./hand-centre.ts"

const peerNames = ["router", "second"]

/** A small generator of numbers, so that a failure can be repeated by its seed. */
const random = (seed: number) => {
  let state = seed
  return (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const arbitraryVip = (pick: (below: number) => number) => {
  const address = `198.51.100.${pick(6)}`
  if (pick(4) === 0) return tombstone(address)
  const route = (prefix: string) => ({
    advertisement: "all",
    prefix,
    peers: peerNames.slice(0, 1 + pick(2)),
    nodes: pick(5) === 0 ? [] : ["east-1"],
    localPref: pick(2) === 0 ? null : 100 + pick(3),
    communities: [`64496:${pick(3)}`],
    ...(pick(2) === 0 ? {} : { med: pick(2) }),
    ...(pick(2) === 0 ? {} : { prepend: pick(2) }),
    ...(pick(3) === 0 ? { services: [`shop/s${pick(3)}`] } : {})
  })
  return vip(address, {
    services: [
      { namespace: "shop", name: `s${pick(3)}`, uid: "u", trafficPolicy: pick(2) === 0 ? "Local" : "Cluster" },
      { namespace: "shop", name: `s${pick(3)}`, uid: "u", trafficPolicy: "Local" }
    ],
    admission:
      pick(2) === 0
        ? { _tag: "Open", candidates: ["east-1"] }
        : { _tag: "Listed", nodes: pick(2) === 0 ? ["east-1"] : ["east-2"], candidates: ["east-1", "east-2"] },
    routes: [route(`${address}/32`), ...(pick(2) === 0 ? [route("198.51.100.0/24")] : [])]
  })
}

describe("RouteTable", () => {
  it("comes step by step to what computing everything anew comes to", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const pick = random(seed)
      const centre = new HandCentre()
      const health = new Map<string, ServiceHealth>()
      const healthOf = (service: string) => health.get(service) ?? { servesHere: false, servesAnywhere: false }
      const table = new RouteTable(healthOf)
      const vips = new Map<string, VipIntent>()
      const told = new Map(peerNames.map((name) => [name, new Map<string, unknown>()]))
      let node: NodeIntent | undefined
      const number = <A>(wanted: Wanted) => centre.number(wanted) as A
      for (let step = 0; step < 40; step++) {
        const change: { node?: NodeIntent; vips: Array<VipIntent>; services: Array<string> } = {
          vips: [],
          services: []
        }
        for (let count = pick(3); count > 0; count--) {
          const intent = number<VipIntent>(arbitraryVip(pick))
          change.vips.push(intent)
          vips.set(intent.address, intent)
        }
        if (pick(2) === 0) {
          const service = `shop/s${pick(3)}`
          const servesHere = pick(2) === 0
          health.set(service, { servesHere, servesAnywhere: servesHere || pick(2) === 0 })
          change.services.push(service)
        }
        if (step === 3 || pick(8) === 0) {
          const standby = pick(2) === 0 ? ({ standby: "none" } as const) : {}
          const peers = peerNames.slice(0, pick(3)).map((name) => peer({ name, ...standby }))
          node = number<NodeIntent>(nodeIntent(peers, { excluded: pick(4) === 0 ? "label" : null }))
          change.node = node
        }
        const difference = table.update(change)
        for (const [name, routes] of difference.byPeer) {
          for (const [prefix, route] of routes) {
            if (route === undefined) assert.isTrue(told.get(name)?.delete(prefix), `seed ${seed}: nothing to withdraw`)
            else told.get(name)?.set(prefix, route)
          }
        }
        if (node === undefined) continue
        const whole = nodeRoutes(node, vips.values(), (service) => healthOf(`shop/${service.name}`))
        for (const name of peerNames) {
          const expected = Object.fromEntries(whole.byPeer.get(name) ?? [])
          assert.deepStrictEqual(Object.fromEntries(table.wanted(name)), expected, `seed ${seed} step ${step}`)
          assert.deepStrictEqual(Object.fromEntries(told.get(name) ?? []), expected, `seed ${seed} step ${step}: told`)
        }
        assert.deepStrictEqual(Object.fromEntries(table.verdicts), Object.fromEntries(whole.verdicts), `seed ${seed}`)
      }
    }
  })

  it("touches nothing when nothing changes", () => {
    const centre = new HandCentre()
    const table = new RouteTable(() => ({ servesHere: true, servesAnywhere: true }))
    const intent = centre.number(vip("198.51.100.1")) as VipIntent
    table.update({ node: centre.number(nodeIntent([peer()])) as NodeIntent, vips: [intent] })
    const again = table.update({ vips: [{ ...intent, cseq: 9 }], services: ["shop/web", "shop/other"] })
    assert.deepStrictEqual([again.byPeer.size, again.verdicts.size], [0, 0])
    assert.deepStrictEqual([...table.addressesOf("198.51.100.1/32")], ["198.51.100.1"])
  })
})
