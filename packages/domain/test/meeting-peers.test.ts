import { assert, it } from "vitest"
import { apply, node, raw, World } from "./world.ts"

const peer = (name: string, rack: string) =>
  raw("BGPPeer", name, {
    myASN: 64496,
    peerASN: 64500,
    peerAddress: "10.1.0.1",
    nodeSelectors: [{ matchLabels: { [rack]: "true" } }]
  })

const peersOf = (world: World, name: string): ReadonlyArray<string> => {
  const message = world.message("east", `node.${name}`)
  return message?._tag === "NodeIntent" ? message.peers.map((session) => session.name) : []
}

it("two peers with one address that come to meet on a node keep their sessions on all others; there the older one stays", () => {
  const world = new World()
  const label = (name: string, ...racks: ReadonlyArray<string>) =>
    world.do({
      _tag: "ObserveNode",
      cluster: "east",
      node: node(name, { labels: Object.fromEntries(racks.map((rack) => [rack, "true"])) })
    })
  label("a1", "a")
  label("b1", "b")
  world.do(apply("east", peer("tor-a", "a")))
  world.do(apply("east", peer("tor-b", "b")))
  label("a1", "a", "b")
  assert.deepStrictEqual([peersOf(world, "a1"), peersOf(world, "b1")], [["tor-a"], ["tor-b"]])
  const findings = world.fleet.cluster("east").findings.get("BGPPeer/metallb-system/tor-b")?.findings
  assert.deepStrictEqual(
    findings?.map(({ code }) => code),
    ["LT0143"]
  )
  label("a1", "a")
  assert.isUndefined(world.fleet.cluster("east").findings.get("BGPPeer/metallb-system/tor-b"))
})

it("a peer that is changed to meet another one on a node stays as it was, and takes no session from the younger", () => {
  const world = new World()
  for (const rack of ["a", "b"]) {
    world.do({ _tag: "ObserveNode", cluster: "east", node: node(`${rack}1`, { labels: { [rack]: "true" } }) })
    world.do(apply("east", peer(`tor-${rack}`, rack)))
  }
  const everywhere = raw("BGPPeer", "tor-a", { myASN: 64496, peerASN: 64500, peerAddress: "10.1.0.1" })
  world.do(apply("east", everywhere))
  assert.deepStrictEqual([peersOf(world, "a1"), peersOf(world, "b1")], [["tor-a"], ["tor-b"]])
  const findings = world.fleet.cluster("east").findings.get("BGPPeer/metallb-system/tor-a")?.findings
  assert.deepStrictEqual(
    findings?.map(({ code }) => code),
    ["LT0143", "LT0142"]
  )
})
