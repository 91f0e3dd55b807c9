import { assert } from "@effect/vitest"
import { type CaseRun, hasCount, hasPaths, hasRoute, nodeAsn, routerAsn, setupFor, speakArgs } from "./bgp-cases.ts"
import { eventually, linkAddresses, type Router } from "./bgp-lab.ts"

const attributes = {
  asPathPrepend: 2,
  localPref: 250,
  med: 30,
  communities: ["64496:100", "no-export", "64496:1:2", "large:65551:4294967295:0"],
  extendedCommunities: ["0002fbf000000007", "02020001000f0008"] // route targets of an AS of two octets, and of one of four
}

const ebgp =
  (transport: 4 | 6): CaseRun =>
  async ({ startRouter, speak }) => {
    const router = await startRouter(setupFor({ neighbor: linkAddresses.node[transport] }))
    const speaker = speak(speakArgs({ transport }))
    speaker.send({ announce: ["198.51.100.1/32", "2001:db8:1::1/128"], attributes, token: 1 })
    assert.strictEqual((await speaker.event("RoutesWritten")).token, 1)
    for (const [family, prefix] of [
      [4, "198.51.100.1/32"],
      [6, "2001:db8:1::1/128"]
    ] as const) {
      const route = await hasRoute(router, family, prefix)
      assert.strictEqual(route.nextHop, linkAddresses.node[family])
      assert.deepStrictEqual(route.asPath, [nodeAsn, nodeAsn, nodeAsn])
      assert.sameMembers(route.communities.map(byNumber), ["64496:100", "65535:65281"])
      assert.sameMembers([...route.largeCommunities], ["64496:1:2", "65551:4294967295:0"])
      assert.sameMembers(route.extendedCommunities.map(asPlain), ["rt:64496:7", "rt:65551:8"])
      assert.strictEqual(route.med, 30)
      assert.include([undefined, 100], route.localPref) // the router's own default, not our 250
    }
    speaker.send({ withdraw: ["198.51.100.1/32"] })
    await hasCount(router, 4, 0)
    assert.strictEqual(await router.count(6), 1)
    speaker.send({ withdraw: ["2001:db8:1::1/128"] })
    await hasCount(router, 6, 0)
  }

const ibgp =
  (transport: 4 | 6): CaseRun =>
  async ({ startRouter, speak }) => {
    const router = await startRouter(setupFor({ neighborAsn: routerAsn, neighbor: linkAddresses.node[transport] }))
    const speaker = speak(speakArgs({ transport, localAsn: routerAsn }))
    speaker.send({ announce: ["198.51.100.1/32"], attributes })
    speaker.send({ announce: ["2001:db8:1::2/128"] })
    const set = await hasRoute(router, 4, "198.51.100.1/32")
    const unset = await hasRoute(router, 6, "2001:db8:1::2/128")
    assert.deepStrictEqual([set.localPref, unset.localPref], [250, 100])
    assert.deepStrictEqual([set.asPath, unset.asPath], [[], []])
    assert.deepStrictEqual([set.nextHop, unset.nextHop], [linkAddresses.node[4], linkAddresses.node[6]])
  }

/** Routers print the well-known communities by name or by number. */
const byNumber = (community: string): string => (/^no.export$/i.test(community) ? "65535:65281" : community)

/** AS 65551 as GoBGP writes it. */
const asPlain = (community: string): string => community.replace(":1.15:", ":65551:")

/** How many routes of both families the router was told on the session with the neighbour. */
const countPaths = async (router: Router, of: string) => {
  const paths = [...(await router.paths(4)), ...(await router.paths(6))]
  return paths.filter(({ neighbor }) => neighbor === of).length
}

/** Asks over and over for the least number that is ever answered. */
const watchLeast = (count: () => Promise<number>) => {
  let isOver = false
  let least = Number.POSITIVE_INFINITY
  const watching = (async () => {
    while (!isOver) {
      least = Math.min(least, await count().catch(() => least)) // a question may get no answer
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })()
  return {
    stop: async () => {
      isOver = true
      await watching
      return least
    }
  }
}

/** The least number of routes that the router ever shows of each family. */
const watchCount = (router: Router) => {
  const watches = { 4: watchLeast(() => router.count(4)), 6: watchLeast(() => router.count(6)) }
  return { stop: async () => ({ least: { 4: await watches[4].stop(), 6: await watches[6].stop() } }) }
}

/** What arrives at the router, what it keeps and what it lets go. */
export const routeCases = {
  "ebgp 4": ebgp(4),
  "ebgp 6": ebgp(6),

  "ibgp 4": ibgp(4),
  "ibgp 6": ibgp(6),

  "only to customer": async ({ startRouter, speak }) => {
    // A router without a role adds nothing of its own and refuses nothing: what it has is what it was told.
    const router = await startRouter(setupFor())
    const marks = []
    for (const role of ["provider", "peer", "customer"]) {
      const speaker = speak([...speakArgs(), "--role", role])
      speaker.send({ announce: ["198.51.100.1/32", "2001:db8:1::1/128"] })
      const routes = [await hasRoute(router, 4, "198.51.100.1/32"), await hasRoute(router, 6, "2001:db8:1::1/128")]
      marks.push([role, ...routes.map(({ onlyToCustomer }) => onlyToCustomer)])
      speaker.send({ withdraw: ["198.51.100.1/32", "2001:db8:1::1/128"] })
      for (const family of [4, 6] as const) await hasCount(router, family, 0)
      await speaker.kill()
    }
    assert.deepStrictEqual(marks, [
      ["provider", nodeAsn, nodeAsn],
      ["peer", nodeAsn, nodeAsn],
      ["customer", undefined, undefined]
    ])
  },

  "two sessions": async ({ startRouter, speak }) => {
    const { node, router: at } = linkAddresses
    const router = await startRouter(setupFor({ neighbor: node[4], secondNeighbor: node[6] }))
    const args = speakArgs({}, "--peer", at[6], "--next-hop", node[4])
    const speaker = speak([...args, "--announce", "198.51.100.1/32", "--announce", "2001:db8:1::1/128"])
    const both = [node[4], node[6]]
    await hasPaths(router, both)
    const overIpv6 = watchLeast(() => countPaths(router, node[6]))
    await router.shutDown("replacing the line card") // the session over IPv4
    const ended = await speaker.event("SessionEnded")
    assert.include(ended.reason, `peer tor-a (${at[4]})`)
    await hasPaths(router, [node[6]])
    await router.open()
    await hasPaths(router, both)
    assert.strictEqual(await overIpv6.stop(), 2)
    const overIpv4 = watchLeast(() => countPaths(router, node[4]))
    speaker.send({ peer: at[6], stop: { subcode: "administrative-shutdown", text: "node has IPv4 alone" } })
    await hasPaths(router, [node[4]])
    assert.strictEqual(await overIpv4.stop(), 2)
  },

  "extended next hop": async ({ startRouter, speak }) => {
    const router = await startRouter(setupFor({ neighbor: linkAddresses.node[6], extendedNextHop: true }))
    speak([...speakArgs({ transport: 6, hasOtherNextHop: false }), "--announce", "198.51.100.1/32"])
    assert.strictEqual((await hasRoute(router, 4, "198.51.100.1/32")).nextHop, linkAddresses.node[6])
  },

  "link-local": async ({ startRouter, speak }) => {
    const { node } = linkAddresses
    const router = await startRouter(setupFor({ neighbor: `${node["link-local"]}%up0`, extendedNextHop: true }))
    const speaker = speak(speakArgs({ transport: "link-local", hasOtherNextHop: false }))
    speaker.send({ announce: ["198.51.100.1/32", "2001:db8:1::1/128"] })
    const routes = [await hasRoute(router, 4, "198.51.100.1/32"), await hasRoute(router, 6, "2001:db8:1::1/128")]
    assert.deepStrictEqual(
      routes.map(({ nextHop }) => nextHop),
      [node["link-local"], node["link-local"]]
    )
  },

  "extended messages": async ({ startRouter, speak }) => {
    const router = await startRouter(setupFor({ extendedMessages: true }))
    const speaker = speak([...speakArgs(), "--status"])
    await speaker.event("TableWritten")
    const before = (await speaker.status()).messages.sent.Update
    speaker.send({ range: { count: 10_000, from: "198.18.0.0" } })
    await hasCount(router, 4, 10_000)
    assert.strictEqual((await speaker.status()).messages.sent.Update - before, 1)
  },

  scale: async ({ startRouter, speak }) => {
    const router = await startRouter(setupFor())
    const speaker = speak(speakArgs())
    speaker.send({ range: { count: 10_000, from: "198.18.0.0" } })
    speaker.send({ range: { count: 1_000, from: "2001:db8:2::" } })
    await hasCount(router, 4, 10_000)
    await hasCount(router, 6, 1_000)
    speaker.send({ range: { count: 5_000, from: "198.18.0.0", op: "withdraw" } })
    await hasCount(router, 4, 5_000)
    assert.isFalse((await router.routes(4)).has("198.18.0.0/32"))
    await router.kill()
    const ended = await speaker.event("SessionEnded")
    assert.match(ended.reason, /session with peer tor-a \(192\.0\.2\.1\) ended: the TCP connection was lost/)
    const again = await startRouter(setupFor())
    await hasCount(again, 4, 5_000)
    await hasCount(again, 6, 1_000)
  },

  refresh: async ({ startRouter, speak }) => {
    const router = await startRouter(setupFor())
    const speaker = speak([...speakArgs(), "--status"])
    speaker.send({ range: { count: 1_000, from: "198.18.0.0" } })
    speaker.send({ range: { count: 500, from: "2001:db8:2::" } })
    await hasCount(router, 4, 1_000)
    await hasCount(router, 6, 500)
    const sentBefore = (await speaker.status()).messages.sent.Update
    const watch = watchCount(router)
    await router.refresh()
    await eventually(
      async () => (await speaker.status()).messages.received,
      ({ RouteRefresh }) => RouteRefresh >= 2,
      "the router asks for both families"
    )
    speaker.send({ announce: ["198.51.100.1/32"] })
    await hasRoute(router, 4, "198.51.100.1/32") // after what was sent again
    const { least } = await watch.stop()
    assert.isAtLeast(least[4], 1_000) // or one more, where it did not come to look before
    assert.strictEqual(least[6], 500)
    const { messages, prefixesSent } = await speaker.status()
    assert.strictEqual(messages.sent.RouteRefresh, 4) // where each family begins and ends again (RFC 7313)
    assert.isAtLeast(messages.sent.Update - sentBefore, 3) // one a family at the least, and the last route
    assert.strictEqual(prefixesSent, 1_501)
    assert.deepStrictEqual([await router.count(4), await router.count(6)], [1_001, 500])
  },

  "graceful restart": async ({ startRouter, speak }) => {
    const router = await startRouter(setupFor())
    const args = [...speakArgs(), "--restart-time", "60", "--announce", "198.51.100.1/32"]
    const again = [...args, "--announce", "2001:db8:1::1/128"]
    const first = speak([...again, "--announce", "198.51.100.2/32"])
    assert.strictEqual((await first.event("SessionEstablished")).keptForSeconds, 60)
    await hasCount(router, 4, 2)
    await hasCount(router, 6, 1)
    const watch = watchCount(router)
    let speaker = first
    for (let round = 0; round < 3; round++) {
      await speaker.kill()
      // From the second process on 198.51.100.2 is not among what is announced: End-of-RIB takes it away, and it alone.
      speaker = speak([...again, "--restarted"])
      await speaker.event("TableWritten")
      await hasCount(router, 4, 1)
    }
    assert.deepStrictEqual((await watch.stop()).least, { 4: 1, 6: 1 })
    // Between two looks at the table a route could have been away: a router that logs what it removes says if it was.
    const removed = await router.removed?.()
    assert.deepStrictEqual(removed ?? ["198.51.100.2/32"], ["198.51.100.2/32"])
    await hasRoute(router, 4, "198.51.100.1/32")
  },

  "kept after a NOTIFICATION": async ({ startRouter, speak }) => {
    const router = await startRouter(setupFor())
    const args = [...speakArgs(), "--restart-time", "600", "--announce", "198.51.100.1/32"]
    const speaker = speak([...args, "--announce", "2001:db8:1::1/128"])
    for (const family of [4, 6] as const) await hasCount(router, family, 1)
    speaker.send({ stop: { subcode: "administrative-reset", text: "begun anew" } })
    assert.strictEqual((await speaker.event("SessionEnded")).keptForSeconds, 600)
    await eventually(router.isUp, (isUp) => !isUp, "the session is over at the router")
    for (const family of [4, 6] as const) assert.strictEqual(await router.count(family), 1)
    await speaker.kill()
    speak([...args, "--restarted"])
    await hasCount(router, 6, 0) // what is not told again goes with the End-of-RIB
    await hasRoute(router, 4, "198.51.100.1/32")
  },

  "hard reset": async ({ startRouter, speak }) => {
    const router = await startRouter(setupFor())
    const routes = ["--announce", "198.51.100.1/32", "--announce", "2001:db8:1::1/128"]
    const speaker = speak([...speakArgs(), "--restart-time", "600", ...routes])
    assert.strictEqual((await speaker.event("SessionEstablished")).keptForSeconds, 600)
    for (const family of [4, 6] as const) await hasCount(router, family, 1)
    speaker.send({ stop: { subcode: "hard-reset", text: "node is drained" } })
    for (const family of [4, 6] as const) await hasCount(router, family, 0)
  },

  "maximum prefixes": async ({ startRouter, speak }) => {
    const router = await startRouter(setupFor({ maximumPrefixes: 5 }))
    const speaker = speak(speakArgs())
    speaker.send({ range: { count: 5, from: "198.18.0.0" } })
    await hasCount(router, 4, 5)
    speaker.send({ range: { count: 10, from: "198.18.1.0" } })
    const { reason, notification, retryInMs } = await speaker.event("SessionEnded")
    assert.deepInclude(notification, { code: 6, subcode: 1, direction: "received" })
    assert.match(reason, /NOTIFICATION 6\/1 Maximum Number of Prefixes Reached sent by the peer/)
    assert.isAbove(retryInMs!, 0)
    await hasCount(router, 4, 0)
  },

  "we shut down": async ({ startRouter, speak }) => {
    const router = await startRouter(setupFor())
    const speaker = speak(speakArgs())
    speaker.send({ announce: ["198.51.100.1/32"] })
    await hasCount(router, 4, 1)
    speaker.send({ stop: { subcode: "administrative-shutdown", text: "node is drained" } })
    await hasCount(router, 4, 0)
    assert.isUndefined((await speaker.event("SessionEnded")).retryInMs)
  }
} as const satisfies Readonly<Record<string, CaseRun>>
