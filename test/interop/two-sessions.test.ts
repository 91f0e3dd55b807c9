import { describe, it } from "vitest"
import { hasPaths } from "./bgp-cases.ts"
import { linkAddresses } from "./bgp-lab.ts"
import { startBird } from "./bgp-routers/bird.ts"
import { startFrr } from "./bgp-routers/frr.ts"
import { loneBench } from "./explain-lab.ts"

const { node: at, router: of } = linkAddresses

// What such sessions are at each router is in the cases of each.
describe.each([
  ["BIRD", startBird],
  ["FRR", startFrr]
] as const)("a speaker with two peers that are one router, over IPv4 and over IPv6, with %s", (_name, start) => {
  const bench = loneBench()

  it("has each VIP at both; one that the router closes is explained, and the other has them still, also after a restart", async () => {
    const router = await bench.router(start, { secondNeighbor: at[6] })
    const node = await bench.node({
      peer: {},
      secondPeer: { name: "tor-b", peerAddress: of[6] },
      prefixes: ["198.51.100.1", "2001:db8:1::1"]
    })
    await hasPaths(router, [at[4], at[6]])
    await router.shutDown("replacing the line card") // the session over IPv4
    await hasPaths(router, [at[6]])
    await node.explained("tor-a", /is not established/)
    await node.explained("tor-b", /is Established/)
    await node.restart()
    await hasPaths(router, [at[6]])
    await router.open()
    await hasPaths(router, [at[4], at[6]])
    await node.explained("tor-a", /is Established/)
  })
})
