import type { RouteChange } from "@lowtide/bgp/route"
import type { NodeIntent, VipIntent } from "@lowtide/domain/announcing/intent"
import { formatPrefix } from "@lowtide/net"
import { assert, describe, it } from "vitest"
import type { Peers } from "../src/peers.ts"
import { RouteTable } from "../src/route-table.ts"
import { Turns } from "../src/turns.ts"
import { HandCentre, nodeIntent, peer, tombstone, vip } from "./hand-centre.ts"

/** Turns of a node with one VIP at its one peer, and what the peer was told in them, as `turn prefix` or `turn -prefix`. */
const begin = () => {
  const centre = new HandCentre()
  const told: Array<string> = []
  const note = (turn: number, changes: ReadonlyArray<RouteChange> = []) => {
    told.push(
      `${turn}`,
      ...changes.map(
        ({ prefix, attributes }) => `${turn} ${attributes === undefined ? "-" : ""}${formatPrefix(prefix)}`
      )
    )
  }
  const onConfigure = { run: () => {} }
  const table = new RouteTable(() => ({ servesHere: true, servesAnywhere: true }))
  const peers = {
    running: [{ options: { name: "router" } }],
    up: ["router"],
    mark: (_peer: string, turn: number) => note(turn),
    change: (turn: number, changes: ReadonlyMap<string, ReadonlyArray<RouteChange>>) =>
      note(turn, changes.get("router"))
  }
  const turns = new Turns({
    table,
    peers: () => peers as unknown as Peers,
    reporter: { begin: () => {}, table: (turn) => note(turn) },
    isQuiet: () => false,
    configureSessions: () => onConfigure.run(),
    onRun: () => {}
  })
  const number = (wanted: Parameters<typeof centre.number>[0]) => centre.number(wanted)
  const accepted = (wanted: ReturnType<typeof vip>) => ({
    message: number(wanted) as VipIntent,
    ...{ receivedAtMs: 0, savedAtMs: 0 }
  })
  const node = () => number(nodeIntent([peer()])) as NodeIntent
  turns.take({ node: node(), vips: [accepted(vip("198.51.100.1"))] })
  turns.run()
  told.length = 0
  return { turns, told, node, gone: () => turns.take({ vips: [accepted(tombstone("198.51.100.1"))] }), onConfigure }
}

describe("a turn's number", () => {
  const others = [
    { what: "a peer that is told anew", run: (turns: Turns) => turns.toldAnew("router") },
    { what: "a table that is written", run: (turns: Turns) => turns.tableWritten("router") },
    {
      what: "a person's order",
      run: (turns: Turns) => void turns.runByHand({ order: "withdraw", reason: "", actor: "" })
    },
    { what: "the telling of everything", run: (turns: Turns) => turns.tellAll() }
  ]
  for (const { what, run } of others) {
    it(`is that of what was gathered for it, and ${what} has the next`, () => {
      const { turns, told, gone } = begin()
      gone()
      const noted = turns.next
      run(turns)
      assert.deepStrictEqual(told, [`${noted}`, `${noted} -198.51.100.1/32`, `${noted + 1}`])
    })
  }

  it("rises as peers are told, also where sessions change in a turn and more was gathered meanwhile", () => {
    const { turns, told, node, gone, onConfigure } = begin()
    const noted: Array<number> = []
    onConfigure.run = () => {
      gone()
      turns.toldAnew("router")
      turns.run()
    }
    turns.take({ node: node() })
    noted.push(turns.next)
    turns.run()
    const [first = 0] = noted
    assert.deepStrictEqual(told, [`${first}`, `${first + 1}`, `${first + 1} -198.51.100.1/32`, `${first + 2}`])
  })
})
