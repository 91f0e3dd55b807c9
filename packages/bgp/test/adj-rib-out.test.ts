import { assert, describe, it } from "@effect/vitest"
import { formatPrefix, parseCommunity, parseIpAddress, parsePrefix } from "@lowtide/net"
import { Result } from "effect"
import { AdjRibOut, type Difference, type SendContext } from "../src/adj-rib-out.ts"
import { attributeSetKey, pathAttributes, type RouteAttributes } from "../src/route.ts"

const plain: RouteAttributes = { asPathPrepend: 0, communities: [], largeCommunities: [] }
const longer: RouteAttributes = { ...plain, asPathPrepend: 2 }
const prefix = (text: string) => Result.getOrThrow(parsePrefix(text))
const address = (text: string) => Result.getOrThrow(parseIpAddress(text))
const announce = (text: string, attributes = plain) => ({ prefix: prefix(text), attributes })
const withdraw = (text: string) => ({ prefix: prefix(text), attributes: undefined })

const context: SendContext = {
  localAsn: 65551,
  fourOctetAs: true,
  isInternal: false,
  families: [4, 6],
  nextHops: { 4: address("192.0.2.2"), 6: address("2001:db8::2") }
}
const shown = ({ batch }: Difference) => ({
  announced: batch.announced.map(({ prefixes }) => prefixes.map(formatPrefix)),
  withdrawn: [...batch.withdrawn[4], ...batch.withdrawn[6]].map(formatPrefix)
})
const begun = (...changes: ReadonlyArray<ReturnType<typeof announce>>) => {
  const rib = new AdjRibOut()
  rib.change(changes)
  rib.begin()
  rib.takeDifference(context)
  return rib
}

describe("Adj-RIB-Out, RFC 4271 §3.2", () => {
  it("routes of one attribute set and family are one group", () => {
    const rib = new AdjRibOut()
    rib.change([
      announce("192.0.2.10/32"),
      announce("192.0.2.11/32", longer),
      announce("192.0.2.12/32", { ...plain }),
      announce("2001:db8::10/128")
    ])
    rib.begin()
    const difference = rib.takeDifference(context)
    assert.deepStrictEqual(shown(difference), {
      announced: [["192.0.2.10/32", "192.0.2.12/32"], ["192.0.2.11/32"], ["2001:db8::10/128"]],
      withdrawn: []
    })
    assert.deepStrictEqual([difference.announced, rib.sent, rib.wanted], [4, 4, 4])
  })

  it("only the last of several changes of a route counts", () => {
    const rib = begun(announce("192.0.2.10/32"))
    rib.change([withdraw("192.0.2.10/32"), announce("192.0.2.11/32"), withdraw("192.0.2.11/32")])
    rib.change([announce("192.0.2.10/32")])
    const difference = rib.takeDifference(context)
    assert.deepStrictEqual(shown(difference), { announced: [], withdrawn: [] })
    assert.deepStrictEqual([rib.sent, rib.wanted], [1, 1])
  })

  it("a route withdrawn and announced anew while its withdrawal waits is kept", () => {
    const rib = begun(announce("192.0.2.10/32"))
    rib.change([withdraw("192.0.2.10/32")])
    assert.deepStrictEqual(shown(rib.takeDifference(context)).withdrawn, ["192.0.2.10/32"])
    rib.change([announce("192.0.2.10/32", longer)])
    assert.deepStrictEqual(shown(rib.takeDifference(context)).announced, [["192.0.2.10/32"]])
    assert.strictEqual(rib.sent, 1)
  })

  it("new attributes replace the old without a withdrawal; equal ones in another order send nothing", () => {
    const rib = begun(announce("192.0.2.10/32"))
    rib.change([announce("192.0.2.10/32", longer)])
    assert.deepStrictEqual(shown(rib.takeDifference(context)), { announced: [["192.0.2.10/32"]], withdrawn: [] })
    rib.change([announce("192.0.2.10/32", { ...longer })])
    assert.deepStrictEqual(shown(rib.takeDifference(context)).announced, [])
  })

  it("after a session ended the next one gets what is wanted by then", () => {
    const rib = begun(announce("192.0.2.10/32"), announce("192.0.2.11/32"))
    rib.end()
    assert.strictEqual(rib.sent, 0)
    rib.change([withdraw("192.0.2.10/32"), announce("192.0.2.12/32")])
    assert.isFalse(rib.hasChanges())
    rib.begin()
    assert.deepStrictEqual(shown(rib.takeDifference(context)), {
      announced: [["192.0.2.11/32", "192.0.2.12/32"]],
      withdrawn: []
    })
  })

  it("what was withdrawn while no session was up is forgotten, not gathered", () => {
    const rib = begun(announce("192.0.2.10/32"))
    rib.end()
    rib.change([announce("192.0.2.11/32"), withdraw("192.0.2.10/32"), withdraw("192.0.2.11/32")])
    rib.begin()
    assert.isFalse(rib.hasChanges())
  })

  it("a route that could not be sent is not withdrawn either", () => {
    const rib = new AdjRibOut()
    rib.change([announce("192.0.2.10/32")])
    rib.begin()
    rib.takeDifference({ ...context, nextHops: {} })
    rib.change([withdraw("192.0.2.10/32")])
    assert.deepStrictEqual(shown(rib.takeDifference(context)).withdrawn, [])
    assert.strictEqual(rib.sent, 0)
  })

  it("a family asked for again is sent again, the other is not: RFC 2918 §4", () => {
    const rib = begun(announce("192.0.2.10/32"), announce("2001:db8::10/128"))
    rib.sendAgain(6)
    assert.deepStrictEqual(shown(rib.takeDifference(context)), { announced: [["2001:db8::10/128"]], withdrawn: [] })
    assert.strictEqual(rib.sent, 2)
  })

  it("however often a family is asked for before it is sent, its table is gone through once", () => {
    let looks = 0
    const { address, lengthBits } = prefix("192.0.2.10/32")
    const watched = {
      lengthBits,
      get address() {
        looks++
        return address
      }
    }
    const rib = begun({ prefix: watched, attributes: plain })
    rib.sendAgain(4)
    const once = looks
    for (let request = 0; request < 1_000; request++) rib.sendAgain(4)
    assert.strictEqual(looks, once)
    assert.strictEqual(rib.takeDifference(context).announced, 1)
    rib.sendAgain(4)
    assert.strictEqual(rib.takeDifference(context).announced, 1)
  })

  const refusals: ReadonlyArray<readonly [string, Partial<SendContext>, string, RouteAttributes, RegExp]> = [
    ["no next hop", { nextHops: { 4: address("192.0.2.2") } }, "2001:db8::10/128", plain, /no IPv6 next hop/],
    ["a family not agreed", { families: [4] }, "2001:db8::10/128", plain, /did not agree to IPv6/],
    [
      "attributes too large for a message",
      {},
      "192.0.2.10/32",
      {
        ...plain,
        communities: Array.from({ length: 1_000 }, (_, value) => ({ _tag: "StandardCommunity", value }) as const)
      },
      /4\d\d\d octets, more than the 3900/
    ]
  ]
  it.each(refusals)("%s: the route is not sent, and that is told", (_, part, text, attributes, reason) => {
    const rib = new AdjRibOut()
    rib.change([announce(text, attributes)])
    rib.begin()
    const difference = rib.takeDifference({ ...context, ...part })
    assert.deepStrictEqual(difference.batch.announced, [])
    assert.strictEqual(difference.refusals[0]?.routes, 1)
    assert.match(difference.refusals[0]?.reason ?? "", reason)
    assert.deepStrictEqual([rib.sent, rib.wanted], [0, 1])
  })

  it("a sent route whose new attributes cannot be sent is withdrawn", () => {
    const rib = begun(announce("192.0.2.10/32"))
    rib.change([announce("192.0.2.10/32", longer)])
    const difference = rib.takeDifference({ ...context, nextHops: {} })
    assert.deepStrictEqual(shown(difference), { announced: [], withdrawn: ["192.0.2.10/32"] })
    assert.strictEqual(rib.sent, 0)
  })
})

describe("path attributes of a route, RFC 4271 §5.1", () => {
  const community = (text: string) => Result.getOrThrow(parseCommunity(text))
  const rich = {
    asPathPrepend: 1,
    med: 7,
    localPref: 200,
    communities: [community("64496:2"), community("64496:1"), community("64496:2")],
    largeCommunities: [community("64496:1:2")]
  } as RouteAttributes
  it("to an external peer: our AS, prepended, no LOCAL_PREF", () => {
    assert.deepStrictEqual(pathAttributes(rich, { localAsn: 65551, isInternal: false, fourOctetAs: true }), [
      { _tag: "Origin", value: "igp" },
      { _tag: "AsPath", segments: [{ kind: "sequence", asns: [65551, 65551] }] },
      { _tag: "MultiExitDisc", value: 7 },
      { _tag: "Communities", values: [0xfbf00001, 0xfbf00002] },
      { _tag: "LargeCommunities", values: [{ globalAdministrator: 64496, data1: 1, data2: 2 }] }
    ])
  })
  it("to an internal peer: an empty path, and LOCAL_PREF even when none is set", () => {
    const toInternal = pathAttributes(longer, { localAsn: 65551, isInternal: true, fourOctetAs: true })
    assert.deepStrictEqual(toInternal, [
      { _tag: "Origin", value: "igp" },
      { _tag: "AsPath", segments: [] },
      { _tag: "LocalPref", value: 100 }
    ])
  })
  it("to a two-octet peer: AS4_PATH beside AS_PATH, when our AS needs it (RFC 6793 §4.2.2)", () => {
    const tags = (localAsn: number) =>
      pathAttributes(plain, { localAsn, isInternal: false, fourOctetAs: false }).map(({ _tag }) => _tag)
    assert.deepStrictEqual(tags(65551), ["Origin", "AsPath", "As4Path"])
    assert.deepStrictEqual(tags(64496), ["Origin", "AsPath"])
  })
  it("the key is the same whatever the order of communities, and differs with each attribute", () => {
    const reversed = { ...rich, communities: rich.communities.toReversed() }
    assert.strictEqual(attributeSetKey(reversed), attributeSetKey(rich))
    const others = [
      { ...rich, asPathPrepend: 2 },
      { ...rich, med: 8 },
      { ...rich, localPref: 201 },
      { ...rich, communities: [] },
      { ...rich, largeCommunities: [] }
    ]
    assert.lengthOf(new Set([rich, ...others].map(attributeSetKey)), 6)
  })
})
