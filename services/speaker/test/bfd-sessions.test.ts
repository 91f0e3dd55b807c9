import { assert, describe, it } from "vitest"
import { LinkMemory, wantedBfd } from "../src/bfd-sessions.ts"
import { isOnLink } from "../src/on-link.ts"
import { clusterName, nodeName, peer } from "./hand-centre.ts"

const bfd = {
  receiveIntervalMs: 300,
  transmitIntervalMs: 300,
  detectMultiplier: 3,
  passiveMode: false,
  minimumTtl: 254
}
const settings = { cluster: clusterName, node: nodeName }
const interfaces = { eth0: [{ cidr: "192.0.2.2/24" }, { cidr: "2001:db8::2/64" }], lo: [{ cidr: null }] }
const near = (address: string) => isOnLink(interfaces, address)

describe("where BFD runs", () => {
  it("is the link of an external peer, unless it is configured to be further away", () => {
    const hops = (change: Parameters<typeof peer>[0]) =>
      wantedBfd(settings, { peers: [peer({ peerAddress: "192.0.2.1", bfd, ...change })] }, near)[0]?.path.hops
    assert.strictEqual(hops({ hops: "one" }), "single")
    assert.strictEqual(hops({ hops: "many" }), "multi")
    assert.strictEqual(hops({ hops: "one", peerAsn: 64496 }), "single") // internal, and on our network
    assert.strictEqual(hops({ hops: "one", peerAsn: 64496, peerAddress: "203.0.113.1" }), "multi")
    assert.strictEqual(hops({ dynamicAsn: "internal", peerAsn: 0, peerAddress: "2001:db8::1" }), "single")
    assert.strictEqual(hops({ peerAddress: "203.0.113.1" }), "multi") // said by an older centre
  })

  it("is the VRF, and the address, that the BGP session has", () => {
    const peers = [
      peer({ name: "a", peerAddress: "192.0.2.1", bfd, vrf: "red", sourceAddress: "192.0.2.9" }),
      peer({ name: "b", peerAddress: "2001:db8::1", bfd }),
      peer({ name: "c", peerAddress: "192.0.2.3" })
    ]
    assert.deepStrictEqual(
      wantedBfd({ ...settings, localAddress: "2001:db8::2" }, { peers }, near).map(({ peer, path }) => [peer, path]),
      [
        ["a", { peerAddress: "192.0.2.1", localAddress: "192.0.2.9", hops: "single", device: "red" }],
        ["b", { peerAddress: "2001:db8::1", localAddress: "2001:db8::2", hops: "single" }]
      ]
    )
  })

  it("is the interface of an unnumbered peer, once it is known who is there", () => {
    const paths = (peerAddress: string) => {
      const unnumbered = peer({ peerAddress, interface: "eth0", sourceAddress: "2001:db8::9", hops: "many", bfd })
      return wantedBfd({ ...settings, localAddress: "2001:db8::2" }, { peers: [unnumbered] }, near).map(
        ({ path }) => path
      )
    }
    assert.deepStrictEqual(paths(""), [])
    const path = { peerAddress: "fe80::1%eth0", localAddress: undefined, hops: "single" } as const
    assert.deepStrictEqual(paths("fe80::1%eth0"), [path])
  })

  it("stays what it was while an interface is down, and is looked at again when the peer is met", () => {
    let networks: Parameters<typeof isOnLink>[0] = {}
    const links = new LinkMemory((address) => isOnLink(networks, address))
    const internal = peer({ peerAddress: "192.0.2.1", peerAsn: 64496, bfd })
    const hops = () => wantedBfd(settings, { peers: [internal] }, links.isOnLink)[0]?.path.hops
    assert.strictEqual(hops(), "multi") // the speaker began before the interface had its address
    networks = interfaces
    assert.strictEqual(hops(), "multi")
    assert.deepStrictEqual([links.judgeAnew("192.0.2.1"), hops()], [true, "single"])
    assert.isFalse(links.judgeAnew("192.0.2.1"))
    networks = {}
    assert.strictEqual(hops(), "single", "its link went down: no reason to look over hops")
    assert.isFalse(links.judgeAnew("203.0.113.9"), "nobody asked for it")
  })

  it("is on the link for what is in a network of an interface, and for link-local addresses", () => {
    assert.deepStrictEqual(
      ["192.0.2.200", "192.0.3.1", "2001:db8::99", "2001:db8:1::1", "fe80::1%eth0", "nonsense"].map(near),
      [true, false, true, false, true, false]
    )
  })
})
