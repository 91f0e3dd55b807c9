import { assert, describe, it } from "@effect/vitest"
import { parsePrefix } from "@lowtide/net"
import { Result } from "effect"
import { evidenceOf } from "../src/view/evidence.ts"
import { RouterView, settleMs, type ViewChange } from "../src/view/router-view.ts"
import { bmpTypes, takeBmpFrame } from "../src/wire/frame.ts"
import { type BmpMessage, decodeBmp, type PeerUp, type RouteMonitoring } from "../src/wire/message.ts"
import { captures, messagesOf } from "./captures.ts"
import { octets } from "./octets.ts"

const prefix = (text: string) => Result.getOrThrow(parsePrefix(text))
const limits = { routesMax: 1_000, peersMax: 16, isWanted: () => true }

const decode = (bytes: Uint8Array): BmpMessage => {
  const frame = takeBmpFrame(bytes, 0)
  if (frame._tag !== "Frame") throw new Error(JSON.stringify(frame))
  return Result.getOrThrow(decodeBmp(frame))
}

/** A capture replayed, one message a second from 1,000 ms on; `until` is asked before each. */
const replay = (name: string, until: (message: BmpMessage, index: number) => boolean = () => false) => {
  const view = new RouterView(limits)
  const changes: Array<ViewChange> = []
  let nowMs = 0
  for (const [index, bytes] of messagesOf(captures.find((capture) => capture.name === name)!.bytes).entries()) {
    const message = decode(bytes)
    if (until(message, index)) break
    nowMs += 1_000
    changes.push(...view.take(message, nowMs))
  }
  return { view, changes, nowMs }
}

const frrEnds = { nodeAddress: "192.0.2.2", routerAddress: "192.0.2.1" }
const isDown = ({ _tag }: BmpMessage) => _tag === "PeerDown"

describe("FRR 8.4, before and after policy, without soft reconfiguration", () => {
  const { view, nowMs } = replay("frr-8.4", isDown)

  it("says its version and name", () => {
    assert.match(view.description, /^FRRouting 8\.4/)
    assert.strictEqual(view.name, "vm")
  })

  it("has what it got, by the view after policy", () => {
    for (const text of ["198.51.100.1/32", "2001:db8:1::1/128"]) {
      assert.deepInclude(evidenceOf(view, frrEnds, prefix(text), nowMs), { _tag: "Has", view: "adj-rib-in-post" })
    }
  })

  it("the view before policy, in which it takes back what it never told, counts for nothing", () => {
    assert.strictEqual(view.peers[0]?.views.get("adj-rib-in-pre")?.isHollow, true)
  })

  it("let go what was withdrawn, when it was", () => {
    assert.deepInclude(evidenceOf(view, frrEnds, prefix("198.51.100.2/32"), nowMs), {
      _tag: "LetGo",
      view: "adj-rib-in-post"
    })
  })

  it("never had another route; its End-of-RIB says that the table is whole", () => {
    assert.deepInclude(evidenceOf(view, frrEnds, prefix("198.51.100.9/32"), nowMs), { _tag: "Never" })
  })

  it("reports no session with another node, nor this node's with another router", () => {
    const asked = prefix("198.51.100.1/32")
    assert.deepStrictEqual(evidenceOf(view, { ...frrEnds, nodeAddress: "192.0.2.3" }, asked, nowMs), {
      _tag: "NotReported"
    })
    assert.deepStrictEqual(evidenceOf(view, { ...frrEnds, routerAddress: "192.0.2.9" }, asked, nowMs), {
      _tag: "NotReported"
    })
  })

  it("a session that went says so, and has nothing", () => {
    const { view, nowMs, changes } = replay("frr-8.4")
    assert.deepStrictEqual(evidenceOf(view, frrEnds, prefix("198.51.100.1/32"), nowMs), {
      _tag: "SessionDown",
      atMs: nowMs,
      reason: "the router ended it without a NOTIFICATION"
    })
    assert.strictEqual(view.routes, 0)
    assert.strictEqual(changes.at(-1)?._tag, "PeerDown")
  })
})

describe("GoBGP 3.10, all views, without End-of-RIB and without a Peer Up for its Loc-RIB", () => {
  const ends = { nodeAddress: "192.0.2.1", routerAddress: "192.0.2.2" }
  const { changes } = replay("gobgp-3.10", isDown)

  it("had a route and let it go, in each view", () => {
    const of = (tag: ViewChange["_tag"]) =>
      changes.flatMap((change) =>
        change._tag === tag && "prefix" in change && change.prefix.address.value === 0xcb007100n ? change.view : []
      )
    assert.deepStrictEqual(of("RouteAdded").sort(), ["adj-rib-in-post", "adj-rib-in-pre", "loc-rib"])
    assert.deepStrictEqual(of("RouteGone").sort(), ["adj-rib-in-post", "loc-rib"])
  })

  it("its Loc-RIB says whether the route is used", () => {
    const withRoute = replay("gobgp-3.10", (_, index) => index === 8)
    assert.deepInclude(evidenceOf(withRoute.view, ends, prefix("203.0.113.0/24"), withRoute.nowMs), {
      _tag: "Has",
      nextHop: "192.0.2.1",
      isOlder: true,
      isSelected: true
    })
  })

  it("a withdrawal that it tells in the view before policy alone is one", () => {
    const withRoute = replay("gobgp-3.10", (_, index) => index === 8)
    const told = decode(messagesOf(captures.find(({ name }) => name === "gobgp-3.10")!.bytes)[5]!) as RouteMonitoring
    assert.strictEqual(told.peer.view, "adj-rib-in-pre")
    const withdrawal = { ...told, update: octets(`${"ff".repeat(16)} 001b 02 0004 18 cb0071 0000`) }
    withRoute.view.take(withdrawal, 20_000)
    const asked = prefix("203.0.113.0/24")
    const letGo = { _tag: "LetGo", view: "adj-rib-in-pre", atMs: 20_000 } as const
    assert.deepStrictEqual(evidenceOf(withRoute.view, ends, asked, 21_000), letGo)
    withRoute.view.take(told, 30_000)
    assert.deepInclude(evidenceOf(withRoute.view, ends, asked, 31_000), { _tag: "Has", sinceMs: 30_000 })
  })

  it("what it does not tell is unsure until it had the time to", () => {
    const early = replay("gobgp-3.10", (_, index) => index === 8)
    const asked = prefix("203.0.113.9/32")
    assert.deepInclude(evidenceOf(early.view, ends, asked, early.nowMs), { _tag: "Unsure" })
    assert.deepInclude(evidenceOf(early.view, ends, asked, early.nowMs + settleMs), { _tag: "Never" })
  })
})

describe("what a table cannot hold or read makes its silence worth nothing", () => {
  const [up, ...more] = messagesOf(captures.find(({ name }) => name === "frr-8.4")!.bytes)
    .slice(1)
    .map(decode)
  const routes = more.filter((message): message is RouteMonitoring => message._tag === "RouteMonitoring")

  it("routes beyond the bound", () => {
    const view = new RouterView({ ...limits, routesMax: 1 })
    const changes = [up!, ...routes.slice(0, 8)].flatMap((message) => view.take(message, 1_000))
    assert.strictEqual(changes.filter(({ _tag }) => _tag === "Doubt").length, 1)
    assert.strictEqual(view.routes, 1)
    assert.deepInclude(evidenceOf(view, frrEnds, prefix("198.51.100.1/32"), 90_000), { _tag: "Has" })
    const unsure = evidenceOf(view, frrEnds, prefix("198.51.100.2/32"), 90_000)
    assert.match(unsure._tag === "Unsure" ? unsure.why : "", /more than 1 routes/)
  })

  it("an UPDATE that cannot be read", () => {
    const view = new RouterView(limits)
    const broken = octets(`${"ff".repeat(16)} 0019 02 0002 21c0 0000`)
    const changes = [up!, { ...routes[0]!, update: broken }].flatMap((message) => view.take(message, 1_000))
    assert.match(changes.flatMap((change) => (change._tag === "Doubt" ? change.reason : []))[0] ?? "", /prefix length/)
    assert.deepInclude(evidenceOf(view, frrEnds, prefix("198.51.100.1/32"), 90_000), { _tag: "Unsure" })
  })

  it("sessions beyond the bound", () => {
    const view = new RouterView({ ...limits, peersMax: 1 })
    const second = up as PeerUp
    view.take(second, 1_000)
    view.take({ ...second, peer: { ...second.peer, distinguisher: 1n } }, 1_000)
    assert.strictEqual(view.peers.length, 1)
    assert.strictEqual(view.peersLeftOut, 1)
  })

  it("prefixes that nobody asked for take no room", () => {
    const view = new RouterView({ ...limits, isWanted: ({ address }) => address.family === 6 })
    for (const message of [up!, ...routes]) view.take(message, 1_000)
    assert.strictEqual(view.routes, 1)
  })
})

describe("path identifiers, RFC 7911", () => {
  const [, upMessage] = messagesOf(captures.find(({ name }) => name === "frr-8.4")!.bytes).map(decode)
  const up = upMessage as PeerUp
  const open = (sendReceive: string) =>
    octets(`${"ff".repeat(16)} 0025 01 04 fbf5 005a c0000201 08 02 06 45 04 0001 01 ${sendReceive}`)
  const monitoring = (body: string): RouteMonitoring => ({
    _tag: "RouteMonitoring",
    peer: { ...up.peer, view: "adj-rib-in-post" },
    update: octets(body)
  })
  const path = (id: string) =>
    monitoring(`${"ff".repeat(16)} 0034 02 0000 0014 40010100 4002060201 0000fc00 400304c0000202 ${id} 20 c6336401`)

  it("a route is gone when its last path is", () => {
    const view = new RouterView(limits)
    view.take({ ...up, sentOpen: open("01"), receivedOpen: open("02") }, 1_000)
    view.take(path("00000001"), 2_000)
    view.take(path("00000002"), 3_000)
    const asked = () => evidenceOf(view, frrEnds, prefix("198.51.100.1/32"), 90_000)._tag
    view.take(monitoring(`${"ff".repeat(16)} 0020 02 0009 00000001 20 c6336401 0000`), 4_000)
    assert.strictEqual(asked(), "Has")
    view.take(monitoring(`${"ff".repeat(16)} 0020 02 0009 00000002 20 c6336401 0000`), 5_000)
    assert.strictEqual(asked(), "LetGo")
  })
})

it("the captures have each kind of message that FRR and GoBGP send", () => {
  const types = captures.map(({ bytes }) => new Set(messagesOf(bytes).map((message) => message[5])))
  assert.includeMembers([...types[0]!], [bmpTypes.RouteMirroring, bmpTypes.StatisticsReport, bmpTypes.PeerUp])
})
