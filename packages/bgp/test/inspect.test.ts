import { assert, describe, it } from "@effect/vitest"
import { type InspectContext, type Inspection, inspectMessage } from "../src/index.ts"
import { messageOctets, octets } from "./octets.ts"

const external: InspectContext = { isInternal: false, fourOctetAs: true }
const internal: InspectContext = { isInternal: true, fourOctetAs: true }

/** An UPDATE with these attributes, which announces 203.0.113.0/24 in its own field. */
const update = (attributes: string, nlri = "18 cb0071") => {
  const list = octets(attributes)
  return messageOctets(2, Uint8Array.from([0, 0, list.length >> 8, list.length & 255, ...list, ...octets(nlri)]))
}
const origin = "40 01 01 00"
const path = "40 02 06 02 01 0000fbf5" // 64501
const nextHop = "40 03 04 c0000201"
const good = `${origin} ${path} ${nextHop}`
const open = messageOctets(1, octets("04 fbf5 005a c0000201 0b 02 09 41 04 0000fbf5 09 01 00"))

/** `action code/subcode`, or `good`. */
const verdict = ({ error }: Inspection): string => {
  if (error === null) return "good"
  const { action, notification } = error
  return notification === null ? action : `${action} ${notification.code}/${notification.subcode}`
}

describe("a message by itself", () => {
  const cases: ReadonlyArray<readonly [string, Uint8Array, InspectContext, string]> = [
    ["a KEEPALIVE", messageOctets(4, new Uint8Array(0)), external, "good"],
    ["a header that ends", octets("ff ff ff"), external, "incomplete"],
    ["a message that ends", update(good).subarray(0, 40), external, "incomplete"],
    ["octets after a message", Uint8Array.from([...update(good), 0]), external, "incomplete"],
    ["a type that is not known", messageOctets(9, new Uint8Array(0)), external, "notification 1/3"],
    ["an OPEN", open, external, "good"],
    ["an OPEN of another AS", open, { ...external, peerAsn: 64499 }, "notification 2/2"],
    ["an OPEN of a provider to a provider", open, { ...external, localRole: "provider" }, "notification 2/11"],
    ["an OPEN of a provider to its customer", open, { ...external, localRole: "customer" }, "good"],
    ["an OPEN in Established", open, { ...external, state: "Established" }, "notification 5/3"],
    ["an UPDATE in OpenSent", update(good), { ...external, state: "OpenSent" }, "notification 5/1"],
    ["an UPDATE in OpenConfirm", update(good), { ...external, state: "OpenConfirm" }, "notification 5/2"],
    ["an UPDATE in Idle", update(good), { ...external, state: "Idle" }, "ignore"],
    ["a refresh of a family that is not spoken", messageOctets(5, octets("0019 00 41")), external, "ignore"],
    ["a refresh with an unknown subtype", messageOctets(5, octets("0001 07 01")), external, "ignore"],
    ["a NOTIFICATION", messageOctets(3, octets("06 02 03 627965")), external, "good"]
  ]
  it.each(cases)("%s: %o", (_, bytes, context, expected) => {
    assert.strictEqual(verdict(inspectMessage(bytes, context)), expected)
  })
})

describe("an UPDATE", () => {
  const announce = (reach: string) => `${origin} ${path} ${reach}`
  const cases: ReadonlyArray<readonly [string, Uint8Array, InspectContext, string]> = [
    ["that is right", update(good), { ...external, peerAsn: 64501, localAsn: 64512 }, "good"],
    ["with an ORIGIN of 9", update(`40 01 01 09 ${path} ${nextHop}`), external, "treat-as-withdraw"],
    ["without NEXT_HOP", update(`${origin} ${path}`), external, "treat-as-withdraw"],
    ["without LOCAL_PREF inside", update(good), internal, "treat-as-withdraw"],
    ["with LOCAL_PREF from outside", update(`${good} 40 05 04 00000064`), external, "attribute-discard"],
    ["with an ATOMIC_AGGREGATE of an octet", update(`${good} 40 06 01 00`), external, "attribute-discard"],
    ["with both", update(`40 01 01 09 ${path} ${nextHop} 40 06 01 00`), external, "treat-as-withdraw"],
    ["with an unknown well-known attribute", update(`${good} 40 63 01 00`), external, "notification 3/2"],
    ["whose lists run past its end", messageOctets(2, octets("00ff 0000")), external, "notification 3/1"],
    ["with a prefix of 33 bits", update(good, "21 cb007100 00"), external, "notification 3/10"],
    ["that begins with another AS", update(good), { ...external, peerAsn: 64500 }, "treat-as-withdraw"],
    [
      "that begins with another AS, from a route server (RFC 7947 §2.2.2)",
      update(good),
      { ...external, peerAsn: 64500, localRole: "rs-client" },
      "good"
    ],
    ["with our own AS", update(good), { ...external, localAsn: 64501 }, "ignore"],
    ["with AS 0", update(`${origin} 40 02 06 02 01 00000000 ${nextHop}`), external, "treat-as-withdraw"],
    ["with an empty path from outside", update(`${origin} 40 02 00 ${nextHop}`), external, "treat-as-withdraw"],
    ["with an empty path from inside", update(`${origin} 40 02 00 ${nextHop} 40 05 04 00000064`), internal, "good"],
    [
      "with confederation segments from outside",
      update(`${origin} 40 02 06 03 01 0000fbf5 ${nextHop}`),
      external,
      "treat-as-withdraw"
    ],
    ["with AGGREGATOR of AS 0", update(`${good} c0 07 08 00000000 c0000201`), external, "attribute-discard"],
    ["with next hop 0.0.0.0", update(`${origin} ${path} 40 03 04 00000000`), external, "treat-as-withdraw"],
    ["with a multicast next hop", update(`${origin} ${path} 40 03 04 e0000001`), external, "treat-as-withdraw"],
    [
      "in two octets where four were agreed",
      update(`${origin} 40 02 04 02 01 fbf5 ${nextHop}`),
      external,
      "treat-as-withdraw"
    ],
    [
      "in two octets where two were agreed",
      update(`${origin} 40 02 04 02 01 fbf5 ${nextHop}`),
      { ...external, fourOctetAs: false },
      "good"
    ],
    [
      "with ONLY_TO_CUSTOMER from a customer",
      update(`${good} c0 23 04 0000fbf5`),
      { ...external, localRole: "provider" },
      "ignore"
    ],
    [
      "with ONLY_TO_CUSTOMER of the peer itself",
      update(`${good} c0 23 04 0000fbf5`),
      { ...external, localRole: "peer", peerAsn: 64501 },
      "good"
    ],
    [
      "with ONLY_TO_CUSTOMER of another than the peer",
      update(`${good} c0 23 04 0000fbf6`),
      { ...external, localRole: "peer", peerAsn: 64501 },
      "ignore"
    ],
    [
      "with ONLY_TO_CUSTOMER from a provider",
      update(`${good} c0 23 04 0000fbf6`),
      { ...external, localRole: "customer" },
      "good"
    ],
    [
      "with an IPv6 next hop for IPv4 that was not agreed",
      update(announce("80 0e 19 0001 01 10 20010db8000000000000000000000001 00 18 cb0071"), ""),
      external,
      "notification 3/9"
    ],
    [
      "with one that was",
      update(announce("80 0e 19 0001 01 10 20010db8000000000000000000000001 00 18 cb0071"), ""),
      { ...external, extendedNextHop: true },
      "good"
    ],
    ["with path identifiers that were not agreed", update(good, "00000001 18 cb0071"), external, "notification 3/10"],
    ["with path identifiers that were", update(good, "00000001 18 cb0071"), { ...external, addPath: true }, "good"],
    ["that ends in a path identifier", update(good, "00000001"), { ...external, addPath: true }, "notification 3/10"]
  ]
  it.each(cases)("%s", (_, bytes, context, expected) => {
    const inspection = inspectMessage(bytes, context)
    assert.strictEqual(verdict(inspection), expected, inspection.error?.reason)
  })

  it("beyond 4,096 octets is refused unless extended messages were agreed", () => {
    const attributes = `${good} c0 63 ff ${"00".repeat(255)}`
      .replace("c0 63 ff", "d0 63 1388")
      .replace("00".repeat(255), "00".repeat(5000))
    assert.strictEqual(verdict(inspectMessage(update(attributes), external)), "notification 1/2")
    assert.strictEqual(verdict(inspectMessage(update(attributes), { ...external, messageBytesMax: 65_535 })), "good")
  })

  it("tells its fields as people write them", () => {
    const { type, fields } = inspectMessage(update(`${good} c0 08 04 fbf00064`, "00000007 18 cb0071"), {
      ...external,
      addPath: true
    })
    assert.strictEqual(type, "UPDATE")
    assert.deepStrictEqual(fields, {
      withdrawn: [],
      attributes: [
        { code: 1, name: "ORIGIN", value: "igp" },
        { code: 2, name: "AS_PATH", path: "64501", segments: [{ kind: "sequence", asns: [64501] }] },
        { code: 3, name: "NEXT_HOP", address: "192.0.2.1" },
        { code: 8, name: "COMMUNITIES", values: ["64496:100"] }
      ],
      nlri: [{ prefix: "203.0.113.0/24", pathId: 7 }]
    })
  })

  it("tells all that is wrong, and the strongest of it", () => {
    const { error } = inspectMessage(update(`40 01 01 09 ${path} ${nextHop} 40 06 01 00`), external)
    assert.match(error?.reason ?? "", /ORIGIN expected 0, 1 or 2, found 9 \(RFC 7606 §7.1\); ATOMIC_AGGREGATE .*§7.6/)
  })
})

it("an OPEN's capabilities are told by name", () => {
  const { fields } = inspectMessage(open, external)
  assert.deepStrictEqual(fields, {
    version: 4,
    asn: 64501,
    holdTimeSeconds: 90,
    routerId: "192.0.2.1",
    capabilities: [
      { code: 65, name: "four-octet AS number", asn: 64501 },
      { code: 9, name: "role", role: "provider" }
    ]
  })
})
