import { routeViews, sessionViews } from "@lowtide/domain/announcing/bgp-view"
import type { StoredWire } from "@lowtide/ledger"
import { assert, describe, it } from "vitest"
import { type HeardNode, nodeFacts } from "../../src/http/views/bgp.ts"
import { WireFacts } from "../../src/http/views/wire-facts.ts"
import { describeWire } from "../../src/http/views/wire-rows.ts"

const address = "192.0.2.1"
const writtenAt = "2026-11-23T14:05:00.000Z"
const route = {
  ...{ advertisement: "all", prefix: `${address}/32`, peers: ["tor-a", "tor-b"], nodes: ["east-1"] },
  ...{ localPref: null, communities: [] }
}
const peerOf = (name: string) => ({ name, peerAddress: "192.0.2.254", peerPort: 179, peerAsn: 64501, myAsn: 64500 })

const heardWith = (torA: object) =>
  ({
    ...{ cluster: "east", node: "east-1", sync: "live", status: undefined },
    intent: { node: "east-1", peers: [torA, peerOf("tor-b")], excluded: null },
    vips: [{ network: "backbone", address, state: "announced", services: [], routes: [route] }]
  }) as unknown as HeardNode

/** What a node said that it told its peers, as the wire journal has it. */
const applied = (id: number, verdict: string, ...peers: ReadonlyArray<object>): StoredWire => ({
  ...{ id, cluster: "east", network: "backbone", address, kind: "applied", recordedAt: writtenAt },
  detail: JSON.stringify({
    entries: [{ node: "east-1", verdict, trigger: "session", receivedAt: null, savedAt: null, peers }]
  })
})
const told = (peer: string, more: object = {}) => ({ peer, action: "announced", writtenAt, ...more })

const pathsOf = (heard: HeardNode, ...rows: ReadonlyArray<StoredWire>) =>
  routeViews(nodeFacts(heard, new WireFacts(rows, Date.parse(writtenAt)), new Map())).map(
    ({ peer, isStandby, asPath }) => `${peer} ${isStandby ? "standby" : "equal"} ${asPath.length}`
  )

const pathsBy = (...rows: ReadonlyArray<StoredWire>) => pathsOf(heardWith(peerOf("tor-a")), ...rows)

describe("a path that a node was told to a peer as standby", () => {
  it("is one at the centre as well: of a node that came back to one peer, until it is an equal there again", () => {
    const before = applied(1, "Announced", told("tor-a"), told("tor-b"))
    const back = applied(2, "Announced", told("tor-a", { standby: true }))
    assert.deepStrictEqual(pathsBy(before), ["tor-a equal 1", "tor-b equal 1"])
    assert.deepStrictEqual(pathsBy(before, back), ["tor-a standby 4", "tor-b equal 1"])
    assert.strictEqual(
      describeWire(back, undefined)?.what,
      `on east-1: ${address} announced as standby to tor-a, as the session came up`
    )
    assert.deepStrictEqual(pathsBy(before, back, applied(3, "Announced", told("tor-a"))), [
      "tor-a equal 1",
      "tor-b equal 1"
    ])
  })

  it("is none where the peer takes no standby: neither of a standby, nor of a node that came back to it", () => {
    const pathsTo = (...rows: ReadonlyArray<StoredWire>) =>
      pathsOf(heardWith({ ...peerOf("tor-a"), standby: "none" }), ...rows)
    const kept = { ...told("tor-a"), action: "withdrawn", standby: true }
    assert.deepStrictEqual(pathsTo(applied(1, "Standby", told("tor-b", { standby: true }))), ["tor-b standby 4"])
    const back = applied(2, "Announced", kept)
    assert.deepStrictEqual(pathsTo(applied(1, "Announced", told("tor-a"), told("tor-b")), back), ["tor-b equal 1"])
    assert.strictEqual(
      describeWire(back, undefined)?.what,
      `on east-1: ${address} kept as standby from tor-a, as the session came up`
    )
  })

  it("is to every peer where the node is a standby, also by the report of a release that does not say it of each", () => {
    assert.deepStrictEqual(pathsBy(applied(1, "Standby", told("tor-a"))), ["tor-a standby 4", "tor-b standby 4"])
  })
})

describe("a session of a node where a person withheld routes", () => {
  it("has the orders that the node's status tells of, and none where it tells of none", () => {
    const order = { prefix: null, reason: "INC-42", actor: "local:ada", since: writtenAt }
    const withheld = { count: 1, orders: [order] }
    const viewsOf = (status: unknown) => {
      const heard = { ...heardWith(peerOf("tor-a")), status } as HeardNode
      return sessionViews(nodeFacts(heard, new WireFacts([], Date.parse(writtenAt)), new Map()))
    }
    assert.deepStrictEqual(
      viewsOf({ sessions: [], announcing: [], withheld }).map((view) => view.withheld),
      [withheld, withheld]
    )
    assert.isTrue(viewsOf({ sessions: [], announcing: [] }).every((view) => !("withheld" in view)))
  })
})
