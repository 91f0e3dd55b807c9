import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { nodeAsn, routerAsn, speakArgs } from "./bgp-cases.ts"
import { type BgpLab, eventually, linkAddresses, makeBgpLab, type Speaker } from "./bgp-lab.ts"
import { type Exabgp, startExabgp } from "./bgp-routers/exabgp.ts"

/**
 * Odd attributes of a route, as ExaBGP's API writes them (type, flags, value), and what RFC 7606 makes of each: the route
 * counts as withdrawn, or the route is taken, if need be without the attribute.
 */
const oddAttributes: ReadonlyArray<
  readonly [what: string, outcome: "withdrawn" | "taken whole" | "taken without it", attribute: string]
> = [
  ["ORIGIN 9", "withdrawn", "0x01 0x40 0x09"],
  ["AS_PATH that ends in its segment", "withdrawn", "0x02 0x40 0x09ff"],
  ["MED of two octets", "withdrawn", "0x04 0x80 0x0000"],
  ["COMMUNITIES of three octets", "withdrawn", "0x08 0xc0 0x000102"],
  ["LARGE_COMMUNITY of two octets", "withdrawn", "0x20 0xc0 0x0102"],
  ["AGGREGATOR of three octets", "taken without it", "0x07 0xc0 0x000102"],
  ["ATOMIC_AGGREGATE with a value", "taken without it", "0x06 0x40 0x00"],
  ["an unknown optional transitive attribute", "taken whole", "0x63 0xc0 0x000102"],
  ["a broken Prefix-SID, which nobody here reads", "taken whole", "0x28 0xc0 0x0102"]
]

describe("ExaBGP as a hostile peer", () => {
  let lab: BgpLab
  let exabgp: Exabgp
  let speaker: Speaker
  beforeAll(async () => {
    lab = await makeBgpLab()
    exabgp = await startExabgp(lab.router, {
      address: linkAddresses.router[4],
      neighbor: linkAddresses.node[4],
      localAsn: routerAsn,
      neighborAsn: nodeAsn
    })
    speaker = lab.speak([...speakArgs(), "--status", "--announce", "203.0.113.1/32"])
  })
  afterAll(() => lab?.close())

  const ended = () => speaker.events.filter(({ _tag }) => _tag === "SessionEnded")
  const untilStatus = (what: string, fits: (status: Awaited<ReturnType<Speaker["status"]>>) => boolean) =>
    eventually(speaker.status, fits, what)

  it("comes up with capabilities that we do not have, and has our route", async () => {
    await speaker.event("TableWritten")
    await eventually(
      async () => ({ text: await exabgp.heard() }),
      ({ text }) => text.includes("203.0.113.1/32"),
      "our route in what ExaBGP was told"
    )
  })

  it.each(oddAttributes)("%s: the route is %s, and the session stays", async (what, outcome, attribute) => {
    const before = await speaker.status()
    const prefix = `198.51.100.${1 + oddAttributes.findIndex(([other]) => other === what)}/32`
    await exabgp.say(`announce route ${prefix} next-hop 192.0.2.1 attribute [ ${attribute} ]`)
    const after = await untilStatus(
      "the UPDATE came",
      ({ messages }) => messages.received.Update > before.messages.received.Update
    )
    assert.strictEqual(after.malformedUpdates - before.malformedUpdates, outcome === "taken whole" ? 0 : 1)
    assert.strictEqual(after.prefixesReceived - before.prefixesReceived, outcome === "withdrawn" ? 0 : 1)
    assert.deepStrictEqual([after.state, ended()], ["Established", []])
  })

  it("what no router should say is counted, and nothing of it is used or passed on", async () => {
    const before = await speaker.status()
    await exabgp.say("announce route 198.51.100.100/32 next-hop 0.0.0.0")
    await exabgp.say(`announce route 198.51.100.101/32 next-hop 192.0.2.1 as-path [ ${nodeAsn} ${nodeAsn} ]`)
    await exabgp.say("announce route 203.0.113.1/32 next-hop 192.0.2.1") // our own
    await exabgp.say("announce route 0.0.0.0/0 next-hop 192.0.2.1")
    await exabgp.say("withdraw route 198.51.100.200/32 next-hop 192.0.2.1")
    await exabgp.say("announce route-refresh ipv4 unicast")
    const after = await untilStatus(
      "all of it came",
      ({ messages, prefixesReceived }) =>
        messages.received.RouteRefresh > 0 && prefixesReceived >= before.prefixesReceived + 4
    )
    assert.deepStrictEqual([after.prefixesSent, after.prefixesWanted, ended()], [1, 1, []])
    const spoken = (await exabgp.heard()).match(/198\.51\.100\.\d+/g)
    assert.isNull(spoken, "a route of ExaBGP's came back to it")
  })

  it("an attribute that everyone has to know and nobody does ends the session, which comes back", async () => {
    const from = speaker.events.length
    const route = "route 198.51.100.150/32 next-hop 192.0.2.1 attribute [ 0x63 0x00 0x000102 ]"
    await exabgp.say(`announce ${route}`)
    const { notification, reason } = await speaker.event("SessionEnded", from)
    await exabgp.say(`withdraw ${route}`)
    assert.deepInclude(notification, { code: 3, subcode: 2, direction: "sent" })
    assert.include(reason, "attribute type 99 is not known here")
    await untilStatus("it is up again", ({ state }) => state === "Established")
  })

  it("a Cease of any kind is told with its meaning, and a peer that is killed is a lost connection", async () => {
    const from = speaker.events.length
    await exabgp.say(`neighbor ${linkAddresses.node[4]} teardown 4`)
    const ceased = await speaker.event("SessionEnded", from)
    assert.deepInclude(ceased.notification, { code: 6, subcode: 4, direction: "received" })
    assert.include(ceased.reason, "6/4 Administrative Reset")
    await speaker.event("SessionEstablished", speaker.events.indexOf(ceased))
    const last = speaker.events.length
    await exabgp.kill()
    assert.include((await speaker.event("SessionEnded", last)).reason, "the TCP connection was lost")
  })
})
