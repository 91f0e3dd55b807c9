import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import {
  type BgpLab,
  eventually,
  linkAddresses,
  makeBgpLab,
  type Router,
  type RouterSetup,
  type Speaker
} from "./bgp-lab.ts"

/** A router under test: how it is started, and what it is known to do differently. */
export interface RouterUnderTest {
  readonly name: string
  readonly start: (lab: BgpLab, setup: RouterSetup) => Promise<Router>
  /** Whether it knows roles (RFC 9234). */
  readonly knowsRoles?: boolean
}

const routerAsn = 64501
const nodeAsn = 65551 // beyond two octets: RFC 6793 is in every case

const setupFor = (neighbor: string, neighborAsn: number): RouterSetup => ({
  localAsn: routerAsn,
  neighborAsn,
  neighbor
})

const speakArgs = (transport: 4 | 6, localAsn: number, ...more: ReadonlyArray<string>): ReadonlyArray<string> => {
  const other = transport === 4 ? 6 : 4
  return ["--peer", linkAddresses.router[transport], "--peer-as", String(routerAsn), "--local-as", String(localAsn)]
    .concat(["--router-id", "192.0.2.2", "--hold", "9", "--retry", "1", "--name", "tor-a"])
    .concat(["--next-hop", linkAddresses.node[other], ...more])
}

const attributes = {
  asPathPrepend: 2,
  localPref: 250,
  med: 30,
  communities: ["64496:100", "no-export", "64496:1:2", "large:65551:4294967295:0"]
}

const hasRoute = (router: Router, family: 4 | 6, prefix: string) =>
  eventually(
    () => router.routes(family),
    (routes) => routes.has(prefix),
    `${prefix} in the router's table`
  )

const hasCount = (router: Router, family: 4 | 6, count: number) =>
  eventually(
    () => router.count(family),
    (found) => found === count,
    `${count} IPv${family} routes in the router's table`
  )

/** The same cases against each router; every assertion is on the router's own table or on what the operator is told. */
export const bgpInteropCases = ({ name, start, knowsRoles = false }: RouterUnderTest): void => {
  describe(`a session with ${name}`, () => {
    let lab: BgpLab
    let router: Router | undefined
    let speakers: Array<Speaker> = []
    const startRouter = async (setup: RouterSetup) => {
      router = await start(lab, setup)
      return router
    }
    const speak = (args: ReadonlyArray<string>) => {
      const speaker = lab.speak(args)
      speakers.push(speaker)
      return speaker
    }
    const fresh = async () => {
      await Promise.all(speakers.map((speaker) => speaker.kill()))
      speakers = []
      await router?.kill()
    }
    beforeAll(async () => {
      lab = await makeBgpLab(name.toLowerCase())
    })
    afterAll(() => lab.close())

    for (const transport of [4, 6] as const) {
      it(`eBGP over IPv${transport}: both families arrive with their attributes, and leave when withdrawn`, async () => {
        await fresh()
        const running = await startRouter(setupFor(linkAddresses.node[transport], nodeAsn))
        const speaker = speak(speakArgs(transport, nodeAsn))
        speaker.send({ announce: ["198.51.100.1/32", "2001:db8:1::1/128"], attributes, token: 1 })
        const written = await speaker.event("RoutesWritten")
        assert.strictEqual(written.token, 1)
        for (const [family, prefix] of [
          [4, "198.51.100.1/32"],
          [6, "2001:db8:1::1/128"]
        ] as const) {
          const route = (await hasRoute(running, family, prefix)).get(prefix)!
          assert.strictEqual(route.nextHop, linkAddresses.node[family])
          assert.deepStrictEqual(route.asPath, [nodeAsn, nodeAsn, nodeAsn])
          assert.sameMembers(route.communities.map(numbers), ["64496:100", "65535:65281"])
          assert.sameMembers([...route.largeCommunities], ["64496:1:2", "65551:4294967295:0"])
          assert.strictEqual(route.med, 30)
          assert.include([undefined, 100], route.localPref) // the router's own default, not our 250
        }
        speaker.send({ withdraw: ["198.51.100.1/32"] })
        await hasCount(running, 4, 0)
        assert.strictEqual(await running.count(6), 1)
        speaker.send({ withdraw: ["2001:db8:1::1/128"] })
        await hasCount(running, 6, 0)
      })
    }

    it("iBGP: an empty AS path and LOCAL_PREF, 100 unless set", async () => {
      await fresh()
      const running = await startRouter(setupFor(linkAddresses.node[4], routerAsn))
      const speaker = speak(speakArgs(4, routerAsn))
      speaker.send({ announce: ["198.51.100.1/32"], attributes })
      speaker.send({ announce: ["2001:db8:1::2/128"] })
      const set = (await hasRoute(running, 4, "198.51.100.1/32")).get("198.51.100.1/32")!
      const unset = (await hasRoute(running, 6, "2001:db8:1::2/128")).get("2001:db8:1::2/128")!
      assert.deepStrictEqual([set.localPref, unset.localPref], [250, 100])
      assert.deepStrictEqual([set.asPath, unset.asPath], [[], []])
    })

    it("10,000 routes, half of them withdrawn, and all again after the router was killed and started", async () => {
      await fresh()
      const setup = setupFor(linkAddresses.node[4], nodeAsn)
      const running = await startRouter(setup)
      const speaker = speak(speakArgs(4, nodeAsn))
      speaker.send({ range: { count: 10_000, from: "198.18.0.0" } })
      speaker.send({ range: { count: 1_000, from: "2001:db8:2::" } })
      await hasCount(running, 4, 10_000)
      await hasCount(running, 6, 1_000)
      speaker.send({ range: { count: 5_000, from: "198.18.0.0", op: "withdraw" } })
      await hasCount(running, 4, 5_000)
      assert.isFalse((await running.routes(4)).has("198.18.0.0/32"))
      await running.kill()
      const ended = await speaker.event("SessionEnded")
      assert.match(ended.reason, /session with peer tor-a \(192\.0\.2\.1\) ended: the TCP connection was lost/)
      const again = await startRouter(setup)
      await hasCount(again, 4, 5_000)
      await hasCount(again, 6, 1_000)
    })

    it("an AS number the router does not expect: the router's refusal is explained", async () => {
      await fresh()
      await startRouter(setupFor(linkAddresses.node[4], 64499))
      const failed = await speak(speakArgs(4, 64512)).event("ConnectFailed")
      assert.strictEqual(
        failed.reason,
        "peer tor-a (192.0.2.1) refused the session: NOTIFICATION 2/2 Bad Peer AS sent by the peer; it expects another ASN than our 64512"
      )
    })

    it("a router with another AS number than configured: we refuse, and say what was found", async () => {
      await fresh()
      await startRouter(setupFor(linkAddresses.node[4], nodeAsn))
      const speaker = speak([...speakArgs(4, nodeAsn), "--peer-as", "64510"])
      const failed = await speaker.event("ConnectFailed")
      assert.match(failed.reason, /its OPEN says AS 64501, our configuration expects AS 64510/)
      assert.deepInclude(failed.notification, { code: 2, subcode: 2, direction: "sent" })
    })

    it("the same password and GTSM on both sides; another password is not answered", async () => {
      await fresh()
      const running = await startRouter({
        ...setupFor(linkAddresses.node[4], nodeAsn),
        password: "spring-tide",
        gtsm: true
      })
      const wrong = speak([...speakArgs(4, nodeAsn), "--gtsm", "--password", "neap-tide"])
      assert.match((await wrong.event("ConnectFailed")).reason, /no answer to the TCP connection request/)
      await wrong.kill()
      const speaker = speak([...speakArgs(4, nodeAsn), "--gtsm", "--password", "spring-tide"])
      speaker.send({ announce: ["198.51.100.1/32"] })
      await hasCount(running, 4, 1)
    })

    it("graceful restart: the speaker is killed and started three times, and its routes never leave", async () => {
      await fresh()
      const running = await startRouter(setupFor(linkAddresses.node[4], nodeAsn))
      const args = [...speakArgs(4, nodeAsn), "--restart-time", "60", "--announce", "198.51.100.1/32"]
      const again = [...args, "--announce", "2001:db8:1::1/128"]
      const first = speak([...again, "--announce", "198.51.100.2/32"])
      assert.strictEqual((await first.event("SessionEstablished")).keptForSeconds, 60)
      await hasCount(running, 4, 2)
      await hasCount(running, 6, 1)
      const watch = watchCount(running)
      let speaker = first
      for (let round = 0; round < 3; round++) {
        await speaker.kill()
        // From the second process on 198.51.100.2 is not among what is announced: End-of-RIB takes it away, and it alone.
        speaker = speak([...again, "--restarted"])
        await speaker.event("TableWritten")
        await hasCount(running, 4, 1)
      }
      const { least } = await watch.stop()
      assert.deepStrictEqual(least, { 4: 1, 6: 1 })
      // Between two looks at the table a route could have been away: a router that logs what it removes says if it was.
      const removed = await running.removed?.()
      assert.deepStrictEqual(removed ?? ["198.51.100.2/32"], ["198.51.100.2/32"])
      await hasRoute(running, 4, "198.51.100.1/32")
    })

    it("a Hard Reset drops the routes at once, though they would be kept (RFC 8538)", async () => {
      await fresh()
      const running = await startRouter(setupFor(linkAddresses.node[4], nodeAsn))
      const speaker = speak([...speakArgs(4, nodeAsn), "--restart-time", "600", "--announce", "198.51.100.1/32"])
      await hasCount(running, 4, 1)
      speaker.send({ stop: { subcode: "hard-reset", text: "node is drained" } })
      await hasCount(running, 4, 0)
    })

    if (knowsRoles) {
      it("roles that fit come up, roles that do not are explained on our side", async () => {
        await fresh()
        const running = await startRouter({ ...setupFor(linkAddresses.node[4], nodeAsn), role: "provider" })
        const wrong = speak([...speakArgs(4, nodeAsn), "--role", "peer"])
        assert.match((await wrong.event("ConnectFailed")).reason, /2\/11 Role Mismatch/)
        await wrong.kill()
        const speaker = speak([...speakArgs(4, nodeAsn), "--role", "customer"])
        speaker.send({ announce: ["198.51.100.1/32"] })
        await hasCount(running, 4, 1)
      })
    }

    it("stopping with a text withdraws everything at once", async () => {
      await fresh()
      const running = await startRouter(setupFor(linkAddresses.node[4], nodeAsn))
      const speaker = speak(speakArgs(4, nodeAsn))
      speaker.send({ announce: ["198.51.100.1/32"] })
      await hasCount(running, 4, 1)
      speaker.send({ stop: { subcode: "administrative-shutdown", text: "node is drained" } })
      await hasCount(running, 4, 0)
      assert.isUndefined((await speaker.event("SessionEnded")).retryInMs)
    })
  })
}

/** Asks the router over and over for the least number of routes that it ever shows. */
const watchCount = (router: Router) => {
  let isOver = false
  const least = { 4: Number.POSITIVE_INFINITY, 6: Number.POSITIVE_INFINITY }
  const watching = (async () => {
    while (!isOver) {
      for (const family of [4, 6] as const) least[family] = Math.min(least[family], await router.count(family))
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })()
  return {
    stop: async () => {
      isOver = true
      await watching
      return { least }
    }
  }
}

/** Routers print the well-known communities by name or by number. */
const numbers = (community: string): string => (community === "no-export" ? "65535:65281" : community)
