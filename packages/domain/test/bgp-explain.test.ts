import { assert, describe, it } from "vitest"
import {
  inRouteOrder,
  type RouteView,
  type SessionSaid,
  type SessionView,
  sessionFacts,
  sessionViews,
  type WithheldOrders
} from "../src/announcing/bgp-view.ts"
import { explainRoutes, explainSession } from "../src/announcing/explain.ts"
import type { NodePeer } from "../src/announcing/intent.ts"

const torA = { name: "tor-a", peerAddress: "192.0.2.1", peerPort: 179, peerAsn: 64501, myAsn: 64500 } as NodePeer

/** A session of which its speaker says this. */
const viewOf = (said: Partial<SessionSaid>, configured: Partial<NodePeer> = {}): SessionView => {
  const since = "2026-11-23T14:00:00.000Z"
  const session = { state: "Established", since, peerAsn: 64501, prefixes: 0, lastError: null, lastErrorCode: null }
  const views = sessionViews({
    ...{ cluster: "east", node: "east-1", sync: "live", agreedAt: null },
    intent: { peers: [{ ...torA, ...configured }], excluded: null },
    session: () => sessionFacts({ ...session, ...said }),
    wanted: () => new Map(),
    vipsOf: () => [],
    told: () => undefined,
    routerHas: () => undefined
  })
  return views[0]!
}

/** What is said of it. */
const explained = (said: Partial<SessionSaid>): string => explainSession(viewOf(said), [], () => "5m ago").join("\n")

describe("the settings of a session", () => {
  it("are those of its BGPPeer's annotations, null where one is not set", () => {
    const settings = { ttlSecurityHops: 2, maximumPrefixes: 100, role: "customer", standby: "none" } as const
    assert.deepStrictEqual(viewOf({}, { ...settings, roleStrict: true }).settings, { ...settings, roleStrict: true })
    assert.deepStrictEqual(viewOf({}).settings, {
      ...{ ttlSecurityHops: null, maximumPrefixes: null, role: null, roleStrict: false, standby: null }
    })
  })

  it("are not what the peer says that it is, which is known while the session is up", () => {
    assert.strictEqual(viewOf({ peerRole: "provider" }).peerRole, "provider")
    assert.isNull(viewOf({}).peerRole)
    assert.isNull(viewOf({ peerRole: "provider", state: "Active" }).peerRole)
  })
})

describe("what is said of a session that does not come up", () => {
  it("is what it waits for, whatever ended the one before", () => {
    const text = explained({
      state: "OpenSent",
      lastError: "nothing was heard for the hold time",
      lastErrorCode: "LT0304"
    })
    assert.match(
      text,
      /OpenSent \(entered 5m ago\): TCP is up, and its OPEN has not come; .*\nNothing was heard for the hold/
    )
    assert.match(explained({ state: "Active" }), /not established: Active \(entered 5m ago\)\.\n/)
  })
})

describe("what is said of a session that comes up and ends again and again", () => {
  it("is what the node found out, also while it is up", () => {
    const text = explained({ evidence: ["what we say on it does not reach it"] })
    assert.match(
      text,
      /is Established .*\nThe one before ended with nothing heard on it, and this one may as well\. When it did, the node looked: what we say/
    )
    assert.notMatch(explained({}), /The one before/)
  })
})

describe("what to do about a session", () => {
  const refusedWith = (notification: string) =>
    explained({
      ...{ state: "Active", lastErrorCode: "LT0302" },
      lastError: `peer tor-a (192.0.2.1) refused the session: NOTIFICATION ${notification} sent by the peer; it is so`
    })

  it("is what the router's NOTIFICATION asks for, where it refuses the session with one", () => {
    assert.match(
      refusedWith("6/1 Maximum Number of Prefixes Reached"),
      /\nWhat to do: Raise the router's limit of prefixes /
    )
    assert.match(
      refusedWith("2/11 Role Mismatch"),
      /\nWhat to do: Give the BGPPeer, by its annotation lowtide\.dev\/role, /
    )
    assert.match(
      refusedWith("6/9 Hard Reset (6/2 Administrative Shutdown)"),
      /\nWhat to do: Ask who shut the neighbour down /
    )
    assert.match(refusedWith("3/5 Attribute Length Error"), /\nWhat to do: Compare spec\.myASN, /)
  })

  it("is of its code, where the router refused one before and is not reached now", () => {
    const text = explained({
      ...{ state: "Connect", lastErrorCode: "LT0301", lastError: "no answer" },
      errors: { received: { at: "2026-11-23T13:59:00.000Z", reason: "it ended it", notification: "6/1 Maximum" } }
    })
    assert.match(text, /\nWhat to do: Check spec\.peerAddress /)
  })
})

describe("what is said of a session whose routes are withheld by hand", () => {
  const order = { prefix: null, reason: "INC-42.", actor: "local:ada", since: "2026-11-23T13:55:00.000Z" }

  const withheldBy = (said: Partial<SessionSaid>, withheld: WithheldOrders) =>
    explainSession({ ...viewOf(said), withheld }, [], () => "5m ago").join("\n")

  it("is who took them away, when and why, and how they are given back, and that it has none", () => {
    const text = withheldBy({}, { count: 1, orders: [order] })
    assert.match(text, /Established \(entered 5m ago\): it has no prefix, and is to have none now\.\n/)
    assert.include(
      text,
      "Withheld by hand at the node (LT0408): every route, by local:ada 5m ago (2026-11-23T13:55:00.000Z): INC-42. To give back"
    )
    assert.include(withheldBy({ state: "Active" }, { count: 1, orders: [order] }), "every route, by local:ada")
  })

  it("names three orders, and how many more there are", () => {
    const orders = [1, 2, 3, 4].map((last) => ({ ...order, prefix: `198.51.100.${last}/32` }))
    assert.match(withheldBy({}, { count: 9, orders }), /198\.51\.100\.3\/32, by local:ada [^;]*; and 6 more\./)
  })

  it("is nothing where none are", () => {
    assert.match(explained({}), /: it is to have no prefix, and has none\.$/)
  })
})

describe("what is said of a session and BFD", () => {
  it("is nothing where none is wanted", () => {
    assert.notInclude(explained({}), "BFD")
  })

  it("is that it guards the session, or that it does not and what to look at", () => {
    assert.match(explained({ bfd: "Up" }), /BFD with it is Up\.$/)
    assert.match(
      explained({ bfd: "Down" }),
      /BFD with it is Down, and only the hold time guards it: see at the router /
    )
    assert.match(explained({ bfd: "Down", state: "Active" }), /BFD with it is Down\.$/)
    assert.match(
      explained({ bfd: "AdminDown" }),
      /out of use at this end \(AdminDown\), and only the hold time guards it\.$/
    )
    assert.match(
      explained({ bfd: "Unknown", state: "Active" }),
      /BFD is not run with it yet: it begins once TCP has reached the peer\.$/
    )
    assert.match(
      explained({ bfd: "Unknown" }),
      /BFD is not run with it yet: it is being set up, and only the hold time guards it\.$/
    )
  })

  it("is what keeps it from being run, by code, with what to do", () => {
    const bfdFault = { code: "LT0312", message: "the BFD process has the connection open and answers nothing" }
    assert.match(
      explained({ bfd: "Unknown", bfdFault }),
      /BFD is not run with it: the BFD process has .* nothing \(LT0312\), and only the hold time guards it\.\nWhat to do: See that the node's BFD process runs /
    )
  })
})

describe("the order of routes", () => {
  it("is that of addresses, then of clusters, nodes and peers", () => {
    const route = (text: string) => {
      const [prefix = "", cluster = "", node = "", peer = ""] = text.split(" ")
      return { prefix, cluster, node, peer }
    }
    const sorted = [
      "192.0.2.9/32 east east-1 tor-a",
      "192.0.2.9/32 east east-1 tor-b",
      "192.0.2.9/32 east east-2 tor-a",
      "192.0.2.9/32 west east-1 tor-a",
      "192.0.2.10/32 east east-1 tor-a",
      "2001:db8::/128 east east-1 tor-a"
    ]
    const shuffled = [3, 5, 1, 4, 0, 2].map((place) => route(sorted[place]!))
    assert.deepStrictEqual(inRouteOrder(shuffled), sorted.map(route))
  })
})

describe("a prefix that is explained", () => {
  const ago = () => "5m ago"
  const released = { cluster: "east", address: "192.0.2.1", services: ["shop/web"], awaiting: ["east-1", "east-2"] }

  it("is not said to be announced by nobody while nodes have yet to withdraw it", () => {
    assert.deepStrictEqual(explainRoutes("192.0.2.1", [], [], ago, [released]), [
      "192.0.2.1, which was of shop/web in cluster east, is being withdrawn: east/east-1 and east/east-2 have yet to confirm it, and until then their routers may have it."
    ])
    assert.deepStrictEqual(explainRoutes("192.0.2.1", [], [], ago), [
      "Nobody is to announce 192.0.2.1, and nobody does."
    ])
  })

  it("has a sentence for each cluster that shares the address, and names the cluster only then", () => {
    const route = (cluster: string, seq: number) => {
      const event = { seq, type: "VipAssigned", reason: "shared-address", actor: "person:ada" }
      const vip = { network: "default", address: "192.0.2.1", services: ["shop/web"], advertisements: ["all"], event }
      const to = { cluster, node: `${cluster}-1`, peer: "tor", prefix: "192.0.2.1/32", isStandby: false, nextHop: null }
      return { ...to, vips: [vip], since: null, confirmed: { by: null, reason: "it is new" } } as unknown as RouteView
    }
    const both = explainRoutes("192.0.2.1", [route("east", 7), route("west", 9)], [], ago)
    assert.deepStrictEqual(
      both.filter((sentence) => sentence.includes(" is announced for ")),
      [
        "192.0.2.1/32 is announced for 192.0.2.1, which is of shop/web in cluster east, by advertisement all, by event 7 (VipAssigned: shared-address, by person:ada).",
        "192.0.2.1/32 is announced for 192.0.2.1, which is of shop/web in cluster west, by advertisement all, by event 9 (VipAssigned: shared-address, by person:ada)."
      ]
    )
    assert.include(explainRoutes("192.0.2.1", [route("east", 7)], [], ago)[0] ?? "", "is of shop/web, by advertisement")
  })
})
