import type { NodeIntent, VipIntent } from "@lowtide/domain/announcing/intent"
import { assert, describe, it } from "vitest"
import { RouteTable } from "../src/route-table.ts"
import { tableTurns } from "../src/vip-turns.ts"
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
