import { assert, describe, it } from "vitest"
import { parseBirdProtocols, parseBirdRoutes } from "../src/lab/bird-output.ts"
import { readFrrSessions, readFrrTable, readFrrUpdateCounts } from "../src/lab/frr-output.ts"
import { readGobgpSessions, readGobgpTable } from "../src/lab/gobgp-output.ts"
import { bestNextHops, canonicalPrefix } from "../src/lab/router.ts"

/** As BIRD 2.0.12 prints it, reply codes taken off: two equal paths, one with prepends, and an IPv6 prefix with a link-local next hop. */
const birdRoutes = `Table master4:
198.51.100.1/32      unicast [peer0 2026-11-23 13:53:25.242] * (100) [AS64500i]
	via 192.0.2.11 on br0
	Type: BGP univ
	BGP.origin: IGP
	BGP.as_path: 64500
	BGP.next_hop: 192.0.2.11
	BGP.med: 10
	BGP.local_pref: 100
	BGP.community: (64500,1) (65535,65281)
	BGP.large_community: (64500, 1, 2) (64500, 3, 4)
                     unicast [peer1 2026-11-23 13:53:25.500] (100) [AS64500i]
	via 192.0.2.12 on br0
	Type: BGP univ
	BGP.origin: IGP
	BGP.as_path: 64500
	BGP.next_hop: 192.0.2.12
	BGP.med: 10
	BGP.local_pref: 100
                     unicast [peer2 2026-11-23 13:53:33.442] (100) [AS64500i]
	via 192.0.2.13 on br0
	Type: BGP univ
	BGP.origin: IGP
	BGP.as_path: 64500 64500 64500
	BGP.next_hop: 192.0.2.13
	BGP.med: 10
	BGP.local_pref: 100
203.0.113.7/32       blackhole [originated_ipv4 2026-11-23 13:53:24.361] * (200)
	Type: static univ
10.254.0.0/30        unicast [direct1 2026-11-23 13:53:24.361] * (240)
	dev up0
	Type: device univ

Table master6:
2001:db8:100::1/128  unicast [peer0 2026-11-23 13:53:25.286 from 192.0.2.11] * (100) [AS64500i]
	via 2001:db8:1::11 on br0
	Type: BGP univ
	BGP.origin: IGP
	BGP.as_path: 64500
	BGP.next_hop: 2001:db8:1::11 fe80::f86d:bbff:fe87:19f5
	BGP.local_pref: 100`

const birdNeighbor = (protocol: string) => ({ peer0: "192.0.2.11", peer1: "192.0.2.12", peer2: "192.0.2.13" })[protocol]

describe("BIRD's table", () => {
  const routes = parseBirdRoutes(birdRoutes, birdNeighbor)

  it("has the prefixes of BGP and the router's own, and no connected ones", () => {
    assert.deepStrictEqual(
      routes.map((route) => route.prefix),
      ["198.51.100.1/32", "2001:db8:100::1/128", "203.0.113.7/32"]
    )
    assert.isUndefined(routes[2]?.paths[0]?.neighbor)
  })

  it("has all attributes of a path", () => {
    assert.deepStrictEqual(routes[0]?.paths[0], {
      nextHop: "192.0.2.11",
      neighbor: "192.0.2.11",
      best: true,
      asPath: [64500],
      communities: ["64500:1", "65535:65281"],
      largeCommunities: ["64500:1:2", "64500:3:4"],
      localPref: 100,
      med: 10
    })
  })

  it("counts a path among the best when it is equal to the marked one, and not with a longer AS path", () => {
    assert.deepStrictEqual(bestNextHops(routes, "198.51.100.1/32"), ["192.0.2.11", "192.0.2.12"])
    assert.deepStrictEqual(routes[0]?.paths[2]?.asPath, [64500, 64500, 64500])
  })

  it("takes the global address of an IPv6 next hop", () => {
    assert.deepStrictEqual(bestNextHops(routes, "2001:db8:100::1/128"), ["2001:db8:1::11"])
  })
})

describe("BIRD's sessions", () => {
  it("have state, time and the routes announced and withdrawn, both families", () => {
    const text = `Name       Proto      Table      State  Since         Info
device1    Device     ---        up     2026-11-23 13:53:24.361
peer0      BGP        ---        up     2026-11-23 13:53:25.242  Established
  BGP state:          Established
    Neighbor address: 192.0.2.11
    Neighbor AS:      64500
  Channel ipv4
    Route change stats:     received   rejected   filtered    ignored   accepted
      Import updates:              3          0          0          0          3
      Import withdraws:            1          0        ---          0          1
      Export updates:              9          0          0        ---          9
  Channel ipv6
      Import updates:              2          0          0          0          2
      Import withdraws:            0          0        ---          0          0
peer1      BGP        ---        start  2026-11-23 13:53:20.000  Passive
  BGP state:          Passive
    Neighbor address: 192.0.2.12
    Neighbor AS:      64501`
    const sinceMs = new Date(2026, 10, 23, 13, 53, 25, 242).getTime()
    const [first, second, ...rest] = parseBirdProtocols(text)
    assert.deepStrictEqual(first, { neighbor: "192.0.2.11", asn: 64500, state: "Established", sinceMs, updates: 6 })
    assert.deepInclude(second, { neighbor: "192.0.2.12", asn: 64501, state: "Passive", updates: 0 })
    assert.isEmpty(rest)
  })
})

describe("FRR's answers", () => {
  const path = (ip: string, more: object) => ({
    aspath: { segments: [{ type: "as-sequence", list: [64500] }] },
    metric: 0,
    nexthops: [
      { ip, scope: "global" },
      { ip: "fe80::1", scope: "link-local" }
    ],
    peer: { peerId: "192.0.2.11" },
    ...more
  })

  it("give the paths of a prefix, those of the multipath set as best", () => {
    const prefix = "198.51.100.1/32"
    const best = path("192.0.2.11", {
      bestpath: { overall: true },
      community: { string: "64500:1 no-export local-AS" }
    })
    const equal = path("192.0.2.12", { multipath: true, largeCommunity: { string: "64500:1:2" }, locPrf: 200 })
    const paths = readFrrTable({ routes: { [prefix]: [{}, best, equal, path("192.0.2.13", {})] } }).get(prefix) ?? []
    assert.deepStrictEqual(
      paths.map((found) => [found.nextHop, found.best]),
      [
        ["192.0.2.11", true],
        ["192.0.2.12", true],
        ["192.0.2.13", false]
      ]
    )
    assert.deepStrictEqual(paths[0]?.communities, ["64500:1", "65535:65281", "65535:65283"])
    assert.deepStrictEqual([paths[1]?.largeCommunities, paths[1]?.localPref], [["64500:1:2"], 200])
  })

  it("give sessions, and the UPDATE messages of each", () => {
    const up = { remoteAs: 64500, bgpState: "Established", bgpTimerUpMsec: 7000, messageStats: { updatesRecv: 4 } }
    const down = { remoteAs: 64501, bgpState: "Active", bgpTimerUpMsec: 1, messageStats: { updatesRecv: 0 } }
    const neighbors = { "192.0.2.11": up, "192.0.2.12": down }
    assert.deepStrictEqual(readFrrSessions(neighbors), [
      { neighbor: "192.0.2.11", asn: 64500, state: "Established", uptimeMs: 7000 },
      { neighbor: "192.0.2.12", asn: 64501, state: "Active", uptimeMs: undefined }
    ])
    assert.deepStrictEqual(readFrrUpdateCounts(neighbors)[0], { neighbor: "192.0.2.11", updates: 4 })
  })
})

describe("GoBGP's answers", () => {
  it("give the paths of a prefix", () => {
    const attrs = [
      { type: 1, value: 0 },
      { type: 2, as_paths: [{ segment_type: 2, num: 1, asns: [64500] }] },
      { type: 3, nexthop: "192.0.2.11" },
      { type: 4, metric: 10 },
      { type: 5, value: 200 },
      { type: 8, communities: [64500 * 65536 + 1] },
      { type: 32, value: [{ ASN: 64500, LocalData1: 1, LocalData2: 2 }] }
    ]
    const prefix = "198.51.100.1/32"
    assert.deepStrictEqual(
      readGobgpTable({ [prefix]: [{ best: true, "neighbor-ip": "192.0.2.11", attrs }] }).get(prefix),
      [
        {
          nextHop: "192.0.2.11",
          neighbor: "192.0.2.11",
          best: true,
          asPath: [64500],
          communities: ["64500:1"],
          largeCommunities: ["64500:1:2"],
          localPref: 200,
          med: 10
        }
      ]
    )
  })

  it("give sessions by the names of RFC 4271's states", () => {
    const conf = { neighbor_address: "192.0.2.1", peer_asn: 64512 }
    const state = (session_state: number) => readGobgpSessions([{ conf, state: { session_state } }])[0]?.state
    assert.deepStrictEqual([1, 2, 3, 4, 5, 6].map(state), [
      "Idle",
      "Connect",
      "Active",
      "OpenSent",
      "OpenConfirm",
      "Established"
    ])
  })
})

describe("a prefix as a router or the kernel writes it", () => {
  it("has its length also when it is of one address", () => {
    assert.deepStrictEqual(["198.51.100.1", "198.51.100.0/24", "2001:DB8:0::1", "default"].map(canonicalPrefix), [
      "198.51.100.1/32",
      "198.51.100.0/24",
      "2001:db8::1/128",
      "default"
    ])
  })
})
