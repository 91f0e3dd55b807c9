import type { NodeIntent, VipIntent } from "@lowtide/domain/announcing/intent"
import { assert, describe, it } from "vitest"
import { RouteTable } from "../src/route-table.ts"
import { tableTurns, vipTurns } from "../src/vip-turns.ts"
import { HandCentre, nodeIntent, nodeName, peer, vip } from "./hand-centre.ts"

const centre = new HandCentre()
const node = centre.number(nodeIntent([peer({ name: "tor-a" }), peer({ name: "tor-b" })])) as NodeIntent
const announced = (nodes: ReadonlyArray<string>) => {
  const address = "198.51.100.1"
  const routes = [{ ...vip(address).routes[0]!, peers: ["tor-a", "tor-b"] }]
  const admission = { _tag: "Listed", nodes, candidates: [nodeName, "east-2"] } as const
  return centre.number(vip(address, { admission, routes })) as VipIntent
}

describe("what is reported of a turn", () => {
  it("has the peers that are told of a VIP as standby: all of a standby, of an admitted node those that have lost it", () => {
    const standbyOf = (nodes: ReadonlyArray<string>) => {
      const table = new RouteTable(
        () => ({ servesHere: true, servesAnywhere: true }),
        (name) => name === "tor-a"
      )
      table.update({ node, vips: [announced(nodes)] })
      return tableTurns(table, "tor-a").map(({ verdict, standby }) => [verdict, ...(standby ?? [])])
    }
    assert.deepStrictEqual(standbyOf([nodeName]), [["Announced", "tor-a"]])
    assert.deepStrictEqual(standbyOf(["east-2"]), [["Standby", "tor-a", "tor-b"]])
  })

  it("has a peer that loses the route of one Service while another's stands, though the verdict is the same", () => {
    const serving = new Set(["shop/web", "shop/dns"])
    const table = new RouteTable((service) => ({
      servesHere: serving.has(service),
      servesAnywhere: serving.has(service)
    }))
    const route = vip("198.51.100.1").routes[0]!
    const services = ["web", "dns"].map((name) => ({
      ...{ namespace: "shop", name, uid: name, trafficPolicy: "Cluster" as const }
    }))
    const routes = [
      { ...route, peers: ["tor-a"], services: ["shop/web"] },
      { ...route, peers: ["tor-b"], services: ["shop/dns"] }
    ]
    table.update({ node, vips: [centre.number(vip("198.51.100.1", { services, routes })) as VipIntent] })
    serving.delete("shop/web")
    const difference = table.update({ services: ["shop/web"] })
    const turns = vipTurns(table, difference, { vips: [], before: new Map(), isNodeChange: false })
    assert.deepStrictEqual(
      turns.map(({ verdict, trigger, actions }) => [verdict, trigger, ...[...actions].flat()]),
      [["Announced", "endpoints", "tor-a", "withdrawn", "tor-b", "unchanged"]]
    )
  })

  it("has what is kept from a peer that takes no standby, when it comes up as well", () => {
    const none = nodeIntent([peer({ name: "tor-a", standby: "none" }), peer({ name: "tor-b" })])
    const turnsOf = (nodes: ReadonlyArray<string>, lostBy: string) => {
      const table = new RouteTable(
        () => ({ servesHere: true, servesAnywhere: true }),
        (name) => name === lostBy
      )
      table.update({ node: centre.number(none) as NodeIntent, vips: [announced(nodes)] })
      const told = (name: string) =>
        tableTurns(table, name).map(({ actions, standby }) => [...actions.values(), ...(standby ?? [])].join(" "))
      return { a: told("tor-a"), b: told("tor-b") }
    }
    assert.deepStrictEqual(turnsOf([nodeName], "tor-a"), { a: ["withdrawn tor-a"], b: ["announced tor-a"] })
    assert.deepStrictEqual(turnsOf(["east-2"], ""), { a: ["withdrawn tor-a tor-b"], b: ["announced tor-a tor-b"] })
    assert.deepStrictEqual(turnsOf([nodeName], "tor-b"), { a: ["announced tor-b"], b: ["announced tor-b"] })
  })

  it("has nothing of a VIP's routes for other nodes, to a peer that takes no standby or has their aggregate from another VIP", () => {
    const own = { ...vip("198.51.100.1").routes[0]!, peers: ["tor-b"] }
    const aggregate = { ...own, prefix: "198.51.100.0/24", peers: ["tor-a"] }
    const admission = { _tag: "Listed", nodes: ["east-2"], candidates: [nodeName, "east-2"] } as const
    const table = new RouteTable(() => ({ servesHere: true, servesAnywhere: true }))
    const none = nodeIntent([peer({ name: "tor-a", standby: "none" }), peer({ name: "tor-b" })])
    const routes = [own, { ...aggregate, nodes: ["east-2"] }]
    const partly = centre.number(vip("198.51.100.1", { admission, routes })) as VipIntent
    const equal = centre.number(vip("198.51.100.2", { routes: [aggregate] })) as VipIntent
    const vips = [partly, equal]
    const difference = table.update({ node: centre.number(none) as NodeIntent, vips })
    const accepted = vips.map((message) => ({ message, receivedAtMs: 0, savedAtMs: 0 }))
    const said = (turns: ReturnType<typeof tableTurns>) =>
      turns.map(({ address, actions, standby }) => [address, ...[...actions].flat(), ...(standby ?? [])])
    assert.deepStrictEqual(
      said(vipTurns(table, difference, { vips: accepted, before: new Map(), isNodeChange: false })),
      [
        ["198.51.100.1", "tor-b", "announced", "tor-b"],
        ["198.51.100.2", "tor-a", "announced"]
      ]
    )
    assert.deepStrictEqual(said(tableTurns(table, "tor-a")), [["198.51.100.2", "tor-a", "announced"]])
    assert.deepStrictEqual(said(tableTurns(table, "tor-b")), [["198.51.100.1", "tor-b", "announced", "tor-b"]])
  })

  it("has a VIP as standby by its own route, whoever else holds its aggregate up, and by the aggregate where it has none else", () => {
    const aggregate = { ...vip("198.51.100.1").routes[0]!, prefix: "198.51.100.0/24", peers: ["tor-a", "tor-b"] }
    const admission = { _tag: "Listed", nodes: ["east-2"], candidates: [nodeName, "east-2"] } as const
    const own = { ...vip("198.51.100.1").routes[0]!, peers: ["tor-a"] }
    const table = new RouteTable(() => ({ servesHere: true, servesAnywhere: true }))
    const standby = centre.number(vip("198.51.100.1", { admission, routes: [own, aggregate] })) as VipIntent
    const equal = centre.number(vip("198.51.100.2", { routes: [aggregate] })) as VipIntent
    const standbyOf = () =>
      tableTurns(table, "tor-a").flatMap(({ address, standby }) =>
        address === "198.51.100.1" ? [...(standby ?? [])] : []
      )
    table.update({ node, vips: [standby, equal] })
    assert.deepStrictEqual(standbyOf(), ["tor-a"])
    table.update({ vips: [centre.number(vip("198.51.100.2", { state: "withdrawn", routes: [] })) as VipIntent] })
    assert.deepStrictEqual(standbyOf(), ["tor-a", "tor-b"])
  })
})
