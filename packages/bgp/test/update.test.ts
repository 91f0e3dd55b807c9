import { assert, describe, it } from "@effect/vitest"
import { formatIpAddress, formatPrefix } from "@lowtide/net"
import { Result } from "effect"
import { formatAsPath, mergeAs4Path, sequence } from "../src/wire/as-path.ts"
import {
  decodeUpdate,
  effectOf,
  encodeUpdate,
  endOfRib,
  endOfRibFamily,
  findAttribute,
  truePath
} from "../src/wire/update.ts"
import { octets } from "./octets.ts"

const external = { fourOctetAs: true, isInternal: false }
const internal = { fourOctetAs: true, isInternal: true }

const ipv4Update = octets(`
  0005                  # withdrawn routes: 5 octets
  20 c6336401           # 198.51.100.1/32
  0039                  # path attributes: 57 octets
  40 01 01 00           # ORIGIN: IGP
  40 02 0a 02 02 0001000f 0001000f   # AS_PATH: sequence of two, AS 65551 twice
  40 03 04 c0000202     # NEXT_HOP 192.0.2.2
  80 04 04 0000001e     # MULTI_EXIT_DISC 30
  c0 08 08 fbf00064 ffffff01         # COMMUNITIES 64496:100, no-export
  c0 20 0c 0000fbf0 00000001 00000002   # LARGE_COMMUNITY 64496:1:2
  20 c6336402           # 198.51.100.2/32
  18 cb0071             # 203.0.113.0/24`)

const ipv6Update = octets(`
  0000                  # no withdrawn routes
  0042                  # path attributes: 66 octets
  90 0e 0026            # MP_REACH_NLRI, extended length: 38 octets
    0002 01             # IPv6 unicast
    10 20010db8000000000000000000000002   # next hop 2001:db8::2
    00                  # reserved
    80 20010db8000100000000000000000001   # 2001:db8:1::1/128
  40 01 01 00           # ORIGIN: IGP
  40 02 06 02 01 0001000f   # AS_PATH: AS 65551
  c0 10 08 0002fbf000000064 # EXTENDED COMMUNITIES: one`)

const decode = (bytes: Uint8Array, context = external) => Result.getOrThrow(decodeUpdate(bytes, context))

describe("UPDATE, RFC 4271 §4.3 and RFC 4760 §3", () => {
  it("IPv4: withdrawn, attributes and NLRI are read", () => {
    const update = decode(ipv4Update)
    assert.deepStrictEqual(update.faults, [])
    assert.deepStrictEqual(update.withdrawn.map(formatPrefix), ["198.51.100.1/32"])
    assert.deepStrictEqual(update.nlri.map(formatPrefix), ["198.51.100.2/32", "203.0.113.0/24"])
    assert.strictEqual(formatAsPath(truePath(update.attributes)), "65551 65551")
    assert.deepStrictEqual(findAttribute(update.attributes, "Communities")?.values, [0xfbf00064, 0xffffff01])
    assert.deepStrictEqual(findAttribute(update.attributes, "LargeCommunities")?.values, [
      { globalAdministrator: 64496, data1: 1, data2: 2 }
    ])
    assert.strictEqual(formatIpAddress(findAttribute(update.attributes, "NextHop")!.address), "192.0.2.2")
    assert.deepStrictEqual(encodeUpdate(update, external), ipv4Update)
  })

  it("IPv6: next hop and prefixes stand in MP_REACH_NLRI", () => {
    const update = decode(ipv6Update)
    assert.deepStrictEqual(update.faults, [])
    const { announced, withdrawn } = effectOf(update)
    assert.deepStrictEqual(announced.map(formatPrefix), ["2001:db8:1::1/128"])
    assert.deepStrictEqual(withdrawn, [])
    const reach = findAttribute(update.attributes, "MpReachNlri")
    assert.strictEqual(reach?.family === 6 && formatIpAddress(reach.nextHop), "2001:db8::2")
  })

  it("a link-local next hop beside the global one is read, RFC 2545 §3", () => {
    const update = decode(
      octets(
        `0000 0036
      90 0e 0025 0002 01 20 20010db8000000000000000000000002 fe800000000000000000000000000002 00
      40 01 01 00  40 02 06 02 01 0001000f`
      )
    )
    const reach = findAttribute(update.attributes, "MpReachNlri")
    assert.strictEqual(reach?.family === 6 && formatIpAddress(reach.linkLocalNextHop!), "fe80::2")
  })

  it("bits beyond a prefix's length have no meaning", () => {
    assert.deepStrictEqual(decode(octets("0003 0f c633 0000")).withdrawn.map(formatPrefix), ["198.50.0.0/15"])
  })

  it("End-of-RIB is an empty UPDATE, or an empty MP_UNREACH_NLRI: RFC 4724 §2", () => {
    assert.deepStrictEqual(encodeUpdate(endOfRib(4), external), octets("0000 0000"))
    assert.deepStrictEqual(encodeUpdate(endOfRib(6), external), octets("0000 0006 80 0f 03 0002 01"))
    assert.strictEqual(endOfRibFamily(decode(octets("0000 0000"))), 4)
    assert.strictEqual(endOfRibFamily(decode(octets("0000 0006 80 0f 03 0002 01"))), 6)
    assert.isUndefined(endOfRibFamily(decode(octets("0005 20 c6336401 0000"))))
  })

  it("an unknown optional transitive attribute survives a round trip", () => {
    const bytes = octets("0000 0006 e0 63 03 010203")
    const update = decode(bytes)
    assert.deepStrictEqual(update.attributes, [
      { _tag: "UnknownAttribute", code: 99, flags: 0xe0, value: octets("010203") }
    ])
    assert.deepStrictEqual(encodeUpdate(update, external), bytes)
  })
})

describe("two-octet peers, RFC 6793 §4.2", () => {
  const twoOctet = { fourOctetAs: false, isInternal: false }
  it("AS numbers that do not fit become AS_TRANS, AS4_PATH has the true ones", () => {
    const segments = sequence([65551, 64496])
    const update = {
      ...endOfRib(4),
      attributes: [
        { _tag: "AsPath", segments },
        { _tag: "As4Path", segments }
      ] as const
    }
    const bytes = encodeUpdate(update, twoOctet)
    assert.deepStrictEqual(
      bytes,
      octets(`0000 0016
        40 02 06 02 02 5ba0 fbf0                # AS_PATH: 23456 64496
        c0 11 0a 02 02 0001000f 0000fbf0        # AS4_PATH: 65551 64496`)
    )
    assert.strictEqual(formatAsPath(truePath(decode(bytes, twoOctet).attributes)), "65551 64496")
  })
  it("AS numbers that a two-octet speaker added in front stay, §4.2.3", () => {
    const merged = mergeAs4Path(sequence([64500, 64501, 23456, 64496]), sequence([65551, 64496]))
    assert.strictEqual(formatAsPath(merged), "64500 64501 65551 64496")
  })
  it("an AS4_PATH longer than the AS_PATH is ignored, §4.2.3", () => {
    assert.strictEqual(formatAsPath(mergeAs4Path(sequence([23456]), sequence([65551, 64496]))), "23456")
  })
})

/** ORIGIN, AS_PATH, NEXT_HOP and LOCAL_PREF as they should be, so that only the attribute in question is at fault. */
const good = { 1: "40 01 01 00", 2: "40 02 06 02 01 0001000f", 3: "40 03 04 c0000202", 5: "40 05 04 00000064" }
const nlri = "20 c6336402"

const update = (attributes: string): Uint8Array => {
  const list = octets(attributes)
  return Uint8Array.from([0, 0, list.length >> 8, list.length & 255, ...list, ...octets(nlri)])
}
const withGood = (without: number, attribute: string) =>
  update(
    Object.entries(good)
      .filter(([code]) => Number(code) !== without)
      .map(([, text]) => text)
      .concat(attribute)
      .join(" ")
  )

describe("malformed attributes, RFC 7606", () => {
  const milder: ReadonlyArray<readonly [string, number, string, "treat-as-withdraw" | "attribute-discard"]> = [
    ["§7.1 ORIGIN of two octets", 1, "40 01 02 0000", "treat-as-withdraw"],
    ["§7.1 ORIGIN 3", 1, "40 01 01 03", "treat-as-withdraw"],
    ["§7.2 AS_PATH segment type 5", 2, "40 02 06 05 01 0001000f", "treat-as-withdraw"],
    ["§7.2 AS_PATH segment of no AS numbers", 2, "40 02 02 02 00", "treat-as-withdraw"],
    ["§7.2 AS_PATH segment beyond its attribute", 2, "40 02 06 02 02 0001000f", "treat-as-withdraw"],
    ["§7.2 AS_PATH with one octet left over", 2, "40 02 07 02 01 0001000f 02", "treat-as-withdraw"],
    ["§7.3 NEXT_HOP of 16 octets", 3, `40 03 10 ${"00".repeat(16)}`, "treat-as-withdraw"],
    ["§7.4 MULTI_EXIT_DISC of three octets", 0, "80 04 03 000000", "treat-as-withdraw"],
    ["§7.5 LOCAL_PREF of five octets", 5, "40 05 05 0000000000", "treat-as-withdraw"],
    ["§7.6 ATOMIC_AGGREGATE with a value", 0, "40 06 01 00", "attribute-discard"],
    ["§7.7 AGGREGATOR of six octets from a four-octet peer", 0, "c0 07 06 fbf0 c0000201", "attribute-discard"],
    ["§7.8 COMMUNITIES of six octets", 0, "c0 08 06 fbf000640000", "treat-as-withdraw"],
    ["§7.8 COMMUNITIES of none", 0, "c0 08 00", "treat-as-withdraw"],
    ["§7.9 ORIGINATOR_ID of three octets", 0, "80 09 03 000000", "treat-as-withdraw"],
    ["§7.10 CLUSTER_LIST of five octets", 0, "80 0a 05 0000000000", "treat-as-withdraw"],
    ["§7.14 EXTENDED COMMUNITIES of four octets", 0, "c0 10 04 00000000", "treat-as-withdraw"],
    ["RFC 6793 §6 AS4_PATH beyond its attribute", 0, "c0 11 06 02 02 0001000f", "attribute-discard"],
    ["RFC 6793 §6 AS4_AGGREGATOR of six octets", 0, "c0 12 06 fbf0 c0000201", "attribute-discard"],
    ["RFC 8092 §5 LARGE_COMMUNITY of eleven octets", 0, `c0 20 0b ${"00".repeat(11)}`, "treat-as-withdraw"],
    ["§3 (c) ORIGIN flagged optional", 1, "c0 01 01 00", "treat-as-withdraw"],
    ["§3 (c) COMMUNITIES flagged non-transitive", 0, "80 08 04 fbf00064", "treat-as-withdraw"],
    ["§3 (g) a second ORIGIN", 0, "40 01 01 00", "attribute-discard"],
    ["§4 an attribute beyond the list", 0, "80 04 09 0000", "treat-as-withdraw"],
    ["§4 COMMUNITIES of eight octets, of which the list has four", 0, "c0 08 08 fbf00064", "treat-as-withdraw"],
    ["§4 an attribute of one octet", 0, "80", "treat-as-withdraw"],
    ["§3 (d) no ORIGIN", 1, "", "treat-as-withdraw"],
    ["§3 (d) no AS_PATH", 2, "", "treat-as-withdraw"],
    ["§3 (d) no NEXT_HOP", 3, "", "treat-as-withdraw"],
    ["§3 (d) no LOCAL_PREF from an internal peer", 5, "", "treat-as-withdraw"]
  ]
  it.each(milder)("%s", (_, without, attribute, action) => {
    const decoded = decode(withGood(without, attribute), internal)
    assert.include(
      decoded.faults.map((fault) => fault.action),
      action
    )
    const { announced, withdrawn } = effectOf(decoded)
    const [kept, lost] = action === "treat-as-withdraw" ? [withdrawn, announced] : [announced, withdrawn]
    assert.deepStrictEqual(kept.map(formatPrefix), ["198.51.100.2/32"])
    assert.deepStrictEqual(lost, [])
  })

  it.each([
    ["§7.5 LOCAL_PREF", 5, good[5]],
    ["§7.9 ORIGINATOR_ID", 5, "80 09 04 c0000201"],
    ["§7.10 CLUSTER_LIST", 5, "80 0a 04 c0000201"]
  ] as const)("%s from an external peer is discarded, the route stays", (_, without, attribute) => {
    const decoded = decode(withGood(without, attribute), external)
    assert.deepStrictEqual(
      decoded.faults.map((fault) => fault.action),
      ["attribute-discard"]
    )
    assert.lengthOf(effectOf(decoded).announced, 1)
    assert.isUndefined(findAttribute(decoded.attributes, "LocalPref"))
  })

  const resets: ReadonlyArray<readonly [string, Uint8Array, number]> = [
    ["§4 withdrawn routes beyond the message: 3/1", octets("0009 20 c6336401 0000"), 1],
    ["§4 path attributes beyond the message: 3/1", octets("0000 0009 40 01 01 00"), 1],
    ["RFC 4271 §6.3 a well-known attribute that nobody knows: 3/2", withGood(0, "40 63 01 00"), 2],
    ["§3 (j) an IPv4 prefix of 33 bits: 3/10", octets("0006 21 c633640100 0000"), 10],
    ["§3 (j) an IPv4 prefix beyond the message: 3/10", octets("0000 0000 20 c63364"), 10],
    ["§3 (g) MP_REACH_NLRI twice: 3/1", withGood(0, "80 0e 05 0001 80 00 00 80 0e 05 0001 80 00 00"), 1],
    ["§7.11 MP_REACH_NLRI of three octets: 3/9", withGood(0, "80 0e 03 0002 01"), 9],
    ["§7.11 MP_REACH_NLRI with a next hop beyond it: 3/9", withGood(0, "80 0e 06 0002 01 10 00 00"), 9],
    ["§7.11 MP_REACH_NLRI with a next hop of 5 octets: 3/9", withGood(0, "80 0e 0a 0002 01 05 0000000000 00"), 9],
    [
      "§7.11 MP_REACH_NLRI with a prefix of 129 bits: 3/9",
      withGood(0, `90 0e 0016 0002 01 10 ${"00".repeat(17)} 81`),
      9
    ],
    ["§3 (c) MP_REACH_NLRI flagged transitive: 3/4", withGood(0, "c0 0e 05 0001 80 00 00"), 4],
    ["§7.12 MP_UNREACH_NLRI of two octets: 3/9", withGood(0, "80 0f 02 0002"), 9],
    ["§7.12 MP_UNREACH_NLRI with a prefix beyond it: 3/9", withGood(0, "80 0f 04 0002 01 80"), 9]
  ]
  it.each(resets)("%s", (_, bytes, subcode) => {
    const { notification } = Result.getOrThrow(Result.flip(decodeUpdate(bytes, internal)))
    assert.deepInclude(notification, { code: 3, subcode })
  })

  it("a family that is not spoken here is kept unread", () => {
    const decoded = decode(withGood(0, "80 0e 06 0001 80 00 00 ff"), internal)
    assert.deepStrictEqual(decoded.faults, [])
    assert.deepInclude(findAttribute(decoded.attributes, "MpReachNlri"), { family: "other", afi: 1, safi: 128 })
  })
})
