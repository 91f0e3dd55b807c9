import { assert, describe, it } from "@effect/vitest"
import { type InspectContext, inspectMessage } from "../src/index.ts"
import { messageOctets, octets } from "./octets.ts"

/**
 * What a receiver owes each message, by the words of the RFC that the table's title names: `ok`, an action, or the NOTIFICATION
 * that ends the session. What the codec is tested for elsewhere is here once more from the outside, as `lowtide bgp decode` says it.
 */
type Verdict = "ok" | "treat-as-withdraw" | "attribute-discard" | "ignore" | "incomplete" | `${number}/${number}`
type Case = readonly [title: string, message: Uint8Array, verdict: Verdict, context?: Partial<InspectContext>]

const base: InspectContext = { isInternal: false, fourOctetAs: true }
const ibgp = { isInternal: true } as const
const as2 = { fourOctetAs: false } as const
const extended = { messageBytesMax: 65_535 } as const

const verdictOf = (message: Uint8Array, context: Partial<InspectContext> = {}): Verdict => {
  const { error } = inspectMessage(message, { ...base, ...context })
  if (error === null) return "ok"
  const { action, notification } = error
  return notification === null ? (action as Verdict) : `${notification.code}/${notification.subcode}`
}

const table = (title: string, cases: ReadonlyArray<Case>) =>
  describe(title, () => {
    for (const [name, message, verdict, context] of cases) {
      it(`${name}: ${verdict}`, () => {
        const { error } = inspectMessage(message, { ...base, ...context })
        assert.strictEqual(verdictOf(message, context), verdict, error?.reason)
      })
    }
  })

const hex = (number: number, bytes: number) => number.toString(16).padStart(2 * bytes, "0")
const marker = "ff".repeat(16)
const raw = (text: string) => octets(text)

// --- header -----------------------------------------------------------------------------------------------------------

table("header, RFC 4271 §6.1, RFC 8654 §4", [
  ["a KEEPALIVE", raw(`${marker} 0013 04`), "ok"],
  ["no octets but one", raw("ff"), "incomplete"],
  ["18 octets of a header", raw(`${marker} 0013`), "incomplete"],
  ["a marker of zeros", raw(`${"00".repeat(16)} 0013 04`), "1/1"],
  ["a marker whose last octet is wrong", raw(`${"ff".repeat(15)}fe 0013 04`), "1/1"],
  ["a wrong marker and a wrong length", raw(`${"ff".repeat(15)}00 0000 09`), "1/1"],
  ["length 0", raw(`${marker} 0000 04`), "1/2"],
  ["length 18", raw(`${marker} 0012 04`), "1/2"],
  ["a KEEPALIVE of 20 octets", raw(`${marker} 0014 04 00`), "1/2"],
  ["a KEEPALIVE of 4,096 octets, of which one has come", raw(`${marker} 1000 04 00`), "1/2"],
  ["an OPEN of 28 octets", raw(`${marker} 001c 01 ${"00".repeat(9)}`), "1/2"],
  ["an UPDATE of 22 octets", raw(`${marker} 0016 02 000000`), "1/2"],
  ["a NOTIFICATION of 20 octets", raw(`${marker} 0014 03 06`), "1/2"],
  ["a ROUTE-REFRESH of 20 octets", raw(`${marker} 0014 05 00`), "1/2"],
  ["an UPDATE of 4,097 octets", raw(`${marker} 1001 02`), "1/2"],
  ["an UPDATE of 4,097 octets where that was agreed", raw(`${marker} 1001 02`), "incomplete", extended],
  ["an OPEN of 4,097 octets where that was agreed", raw(`${marker} 1001 01`), "1/2", extended],
  ["a KEEPALIVE of 4,097 octets where that was agreed", raw(`${marker} 1001 04`), "1/2", extended],
  ["a NOTIFICATION of 4,097 octets where that was agreed", raw(`${marker} 1001 03`), "incomplete", extended],
  ["type 0", raw(`${marker} 0013 00`), "1/3"],
  ["type 6", raw(`${marker} 0013 06`), "1/3"],
  ["type 128", raw(`${marker} 0017 80 00010001`), "1/3"],
  ["octets behind a KEEPALIVE", raw(`${marker} 0013 04 ff`), "incomplete"],
  ["an UPDATE that ends too early", raw(`${marker} 0017 02 0000`), "incomplete"]
])

// --- OPEN -------------------------------------------------------------------------------------------------------------

/** An OPEN of AS 64501 with these parameters; the length octet is right unless `length` is given. */
const open = (
  parameters = "",
  { version = "04", asn = "fbf5", hold = "005a", id = "c0000201", length }: Readonly<Record<string, string>> = {}
) => {
  const list = octets(parameters)
  return messageOctets(1, octets(`${version} ${asn} ${hold} ${id} ${length ?? hex(list.length, 1)} ${parameters}`))
}
const capabilities = (list: string) => `02 ${hex(octets(list).length, 1)} ${list}`
/** The form of RFC 9072 §2: both lengths in two octets. */
const longForm = (parameters: string, first = "ff") =>
  messageOctets(1, octets(`04 fbf5 005a c0000201 ${first} ff ${hex(octets(parameters).length, 2)} ${parameters}`))
const longCapabilities = (list: string) => `02 ${hex(octets(list).length, 2)} ${list}`
const as4 = "41 04 0000fbf5"

table("OPEN, RFC 4271 §6.2, RFC 5492, RFC 6286, RFC 7607", [
  ["without parameters", open(), "ok"],
  ["version 3", open("", { version: "03" }), "2/1"],
  ["version 5", open("", { version: "05" }), "2/1"],
  ["AS 0", open("", { asn: "0000" }), "2/2"],
  ["AS 0 in the capability", open(capabilities("41 04 00000000")), "2/2"],
  ["AS 0 in its own field, whatever the capability says", open(capabilities(as4), { asn: "0000" }), "2/2"],
  ["AS_TRANS and a capability", open(capabilities("41 04 0001000f"), { asn: "5ba0" }), "ok"],
  ["the AS that is expected", open(), "ok", { peerAsn: 64_501 }],
  ["another AS", open(), "2/2", { peerAsn: 64_502 }],
  [
    "a four-octet AS that is expected",
    open(capabilities("41 04 0001000f"), { asn: "5ba0" }),
    "ok",
    { peerAsn: 65_551 }
  ],
  ["another AS inside", open(), "2/2", { ...ibgp, localAsn: 64_496 }],
  ["our own AS inside", open(), "ok", { ...ibgp, localAsn: 64_501 }],
  ["hold time 0", open("", { hold: "0000" }), "ok"],
  ["hold time 1", open("", { hold: "0001" }), "2/6"],
  ["hold time 2", open("", { hold: "0002" }), "2/6"],
  ["hold time 3", open("", { hold: "0003" }), "ok"],
  ["identifier 0.0.0.0", open("", { id: "00000000" }), "2/3"],
  ["identifier 255.255.255.255, which RFC 6286 allows", open("", { id: "ffffffff" }), "ok"],
  ["parameter 1, authentication", open("01 01 00"), "2/4"],
  ["parameter 3", open("03 00"), "2/4"],
  ["parameter 255 behind another", open(`${capabilities(as4)} ff 00`), "2/4"],
  ["parameters shorter than said", open("", { length: "04" }), "2/0"],
  ["parameters longer than said", open(capabilities(as4), { length: "04" }), "2/0"],
  ["a parameter without a length", open("02"), "2/0"],
  ["a parameter that runs past the end", open("02 09 4104"), "2/0"],
  ["a parameter with no capability in it", open("02 00"), "ok"],
  ["two such parameters", open("02 00 02 00"), "ok"],
  ["each capability in a parameter of its own", open(`${capabilities("0104 00010001")} ${capabilities(as4)}`), "ok"],
  ["a capability twice", open(capabilities(`0104 00010001 0104 00010001 ${as4} ${as4}`)), "ok"],
  ["a capability without a length", open("02 01 41"), "2/0"],
  ["a capability that runs past its parameter", open("02 04 41 04 0000"), "2/0"],
  ["a multiprotocol capability of three octets", open(capabilities("0103 000100")), "2/0"],
  ["a four-octet AS of two octets", open(capabilities("4102 fbf5")), "2/0"],
  ["a graceful restart capability of one octet", open(capabilities("4001 00")), "2/0"],
  ["a graceful restart capability of five octets", open(capabilities("4005 0078 000101")), "2/0"],
  ["a graceful restart capability without families", open(capabilities("4002 4078")), "ok"],
  ["a route refresh capability of one octet", open(capabilities("0201 00")), "2/0"],
  ["an extended next hop capability of five octets", open(capabilities("0505 0001000100")), "2/0"],
  ["unknown capabilities", open(capabilities("4900 4b03 026869 80 00 ff02 0102")), "ok"]
])

table("OPEN with long parameters, RFC 9072 §2", [
  ["none", longForm(""), "ok"],
  ["one capability", longForm(longCapabilities(as4)), "ok"],
  ["the first length is not 255, which is not looked at", longForm(longCapabilities(as4), "04"), "ok"],
  ["300 octets of capabilities", longForm(longCapabilities(`${as4} ${`ff 1b ${"00".repeat(27)}`.repeat(10)}`)), "ok"],
  ["200 octets in the short form", open(capabilities(`${as4} ff c0 ${"00".repeat(192)}`)), "ok"],
  ["a length that the message cuts off", raw(`${marker} 001e 01 04 fbf5 005a c0000201 ff ff`), "2/0"],
  ["a length beyond the message", open("ff 00ff 02 0006 4104 0000fbf5", { length: "ff" }), "2/0"],
  ["a length below what follows", open("ff 0003 02 0006 4104 0000fbf5", { length: "ff" }), "2/0"],
  ["a parameter that runs past the end", longForm("02 0100 4104"), "2/0"],
  ["a parameter cut off in its length", longForm("02 00"), "2/0"],
  ["an unknown parameter", longForm("03 0000"), "2/4"],
  ["parameter 255 again", longForm("ff 0000"), "2/4"],
  ["AS 0 in it", longForm(longCapabilities("41 04 00000000")), "2/2"]
])

const role = (code: string) => open(capabilities(`09 01 ${code}`))
table("OPEN with a role, RFC 9234 §4.2: 0 provider, 1 rs, 2 rs-client, 3 customer, 4 peer", [
  ["customer to provider", role("03"), "ok", { localRole: "provider" }],
  ["provider to provider", role("00"), "2/11", { localRole: "provider" }],
  ["provider to customer", role("00"), "ok", { localRole: "customer" }],
  ["customer to customer", role("03"), "2/11", { localRole: "customer" }],
  ["peer to peer", role("04"), "ok", { localRole: "peer" }],
  ["customer to peer", role("03"), "2/11", { localRole: "peer" }],
  ["rs-client to rs", role("02"), "ok", { localRole: "rs" }],
  ["peer to rs", role("04"), "2/11", { localRole: "rs" }],
  ["rs to rs-client", role("01"), "ok", { localRole: "rs-client" }],
  ["customer to rs-client", role("03"), "2/11", { localRole: "rs-client" }],
  ["a role that nobody knows", role("09"), "2/11", { localRole: "peer" }],
  ["none to peer", open(), "ok", { localRole: "peer" }],
  ["peer to none", role("04"), "ok"],
  ["peer twice to peer", open(capabilities("0901 04 0901 04")), "ok", { localRole: "peer" }],
  ["peer and customer to peer", open(capabilities("0901 04 0901 03")), "2/11", { localRole: "peer" }],
  ["peer and customer to none", open(capabilities("0901 04 0901 03")), "2/11"],
  ["peer to provider inside, where roles have no meaning", role("04"), "ok", { ...ibgp, localRole: "provider" }],
  ["a role of two octets", open(capabilities("0902 0404")), "2/0", { localRole: "peer" }]
])

// --- UPDATE -----------------------------------------------------------------------------------------------------------

const origin = "400101 00"
const path = "400206 0201 0000fbf5" // 64501
const nextHop = "400304 c0000201"
const localPref = "400504 00000064"
const good = `${origin} ${path} ${nextHop}`
const route = "18 cb0071" // 203.0.113.0/24

const update = (attributes: string, nlri = route, withdrawn = "") =>
  messageOctets(
    2,
    octets(
      `${hex(octets(withdrawn).length, 2)} ${withdrawn} ${hex(octets(attributes).length, 2)} ${attributes} ${nlri}`
    )
  )
/** An attribute with a right length. */
const attribute = (flags: string, code: number, value: string) =>
  `${flags} ${hex(code, 1)} ${hex(octets(value).length, 1)} ${value}`
const hop6 = "20010db8000000000000000000000001"
const linkLocal = "fe800000000000000000000000000001"
const route6 = "40 20010db800010000" // 2001:db8:1::/64
const reach6 = (hops = hop6, nlri = route6) =>
  attribute("80", 14, `0002 01 ${hex(octets(hops).length, 1)} ${hops} 00 ${nlri}`)
const reach4 = (hops: string, nlri = route) =>
  attribute("80", 14, `0001 01 ${hex(octets(hops).length, 1)} ${hops} 00 ${nlri}`)
const unreach6 = (nlri = route6) => attribute("80", 15, `0002 01 ${nlri}`)

table("UPDATE, RFC 4271 §6.3 and RFC 7606 §3, §4, §5: lengths and lists", [
  ["one route", update(good), "ok"],
  ["End-of-RIB", update("", ""), "ok"],
  ["a withdrawal", update("", "", route), "ok"],
  ["a withdrawal and a route", update(good, route, "20 c6336401"), "ok"],
  ["withdrawn routes that run past the end", messageOctets(2, octets("0004 18cb00")), "3/1"],
  ["withdrawn routes that leave no room for the attributes' length", messageOctets(2, octets("0004 18cb0071")), "3/1"],
  ["attributes that run past the end", messageOctets(2, octets("0000 0005 400101")), "3/1"],
  ["both", messageOctets(2, octets("ffff ffff")), "3/1"],
  ["a withdrawn prefix of 33 bits", update("", "", "21 cb00710000"), "3/10"],
  ["a withdrawn prefix that is cut off", update("", "", "18 cb00"), "3/10"],
  ["a prefix of 32 bits", update(good, "20 cb007101"), "ok"],
  ["a prefix of 33 bits", update(good, "21 cb00710100"), "3/10"],
  ["a prefix of 255 bits", update(good, `ff ${"00".repeat(32)}`), "3/10"],
  ["a prefix that is cut off", update(good, "18 cb00"), "3/10"],
  ["a good prefix and one that is cut off", update(good, `${route} 18`), "3/10"],
  ["the default route", update(good, "00"), "ok"],
  ["bits behind a prefix's length", update(good, "17 cb0071"), "ok"],
  ["a multicast prefix", update(good, "04 e0"), "ignore"],
  ["all addresses from 128.0.0.0 on, of which some are multicast", update(good, "01 80"), "ok"],
  ["an attribute that runs past the list", update(`${good} 800404 0000`), "treat-as-withdraw"],
  ["an attribute of one octet", update(`${good} 80`), "treat-as-withdraw"],
  ["an attribute of two octets", update(`${good} 8004`), "treat-as-withdraw"],
  ["an extended attribute of three octets", update(`${good} d06300`), "treat-as-withdraw"],
  ["such an attribute and no route", update("400101 00 80", ""), "3/1"],
  ["MP_REACH_NLRI that runs past the list", update(`${good} 800e40 000201`), "3/1"],
  ["MP_UNREACH_NLRI that runs past the list", update(`${good} 800f40 000201`), "3/1"],
  ["ORIGIN twice", update(`${good} ${origin}`), "attribute-discard"],
  ["a second ORIGIN that is wrong, which is not read", update(`${good} 400101 09`), "attribute-discard"],
  ["a first ORIGIN that is wrong and a second that is not", update(`400101 09 ${good}`), "treat-as-withdraw"],
  ["COMMUNITIES twice", update(`${good} c00804 fbf50001 c00804 fbf50002`), "attribute-discard"],
  ["an unknown attribute twice", update(`${good} c06300 c06300`), "attribute-discard"],
  ["MP_REACH_NLRI twice", update(`${origin} ${path} ${reach6()} ${reach6()}`, ""), "3/1"],
  ["MP_UNREACH_NLRI twice", update(`${unreach6()} ${unreach6()}`, ""), "3/1"],
  ["an unknown well-known attribute", update(`${good} 406300`), "3/2"],
  ["an unknown optional attribute", update(`${good} 806300`), "ok"],
  ["an unknown optional transitive attribute, partial", update(`${good} e06301 00`), "ok"],
  ["an extended length that was not needed", update(`50010001 00 ${path} ${nextHop}`), "ok"],
  ["no ORIGIN", update(`${path} ${nextHop}`), "treat-as-withdraw"],
  ["no AS_PATH", update(`${origin} ${nextHop}`), "treat-as-withdraw"],
  ["no NEXT_HOP", update(`${origin} ${path}`), "treat-as-withdraw"],
  ["no attributes", update(""), "treat-as-withdraw"],
  ["no LOCAL_PREF inside", update(good), "treat-as-withdraw", ibgp],
  ["LOCAL_PREF inside", update(`${good} ${localPref}`), "ok", ibgp],
  ["attributes without a route", update(good, ""), "ok"],
  ["a wrong attribute and no route (§5.2)", update(`400101 09 ${path} ${nextHop}`, ""), "3/6"],
  ["a wrong attribute and withdrawals alone (§5.2)", update(`400101 09 ${path}`, "", route), "3/6"],
  ["a wrong attribute beside MP_UNREACH_NLRI (§5.2)", update(`${unreach6()} 400101 09`, ""), "3/6"],
  [
    "a wrong attribute beside an empty MP_REACH_NLRI (§5.2)",
    update(`${reach6(hop6, "")} 400101 09 ${path}`, ""),
    "3/6"
  ],
  ["what is discarded, and no route (§5.2)", update(`${good} 400601 00`, ""), "attribute-discard"],
  ["flags that are wrong, and no route (§5.2)", update("c00101 00", ""), "3/4"],
  ["a length that is wrong, and no route (§5.2)", update("800403 000000", ""), "3/5"]
])

const without = (missing: string, instead: string) => update(good.replace(missing, instead))
table("UPDATE: each attribute, RFC 7606 §7", [
  ["ORIGIN 2", without(origin, "400101 02"), "ok"],
  ["ORIGIN 3", without(origin, "400101 03"), "treat-as-withdraw"],
  ["ORIGIN 255", without(origin, "400101 ff"), "treat-as-withdraw"],
  ["ORIGIN of no octets", without(origin, "400100"), "treat-as-withdraw"],
  ["ORIGIN of two octets", without(origin, "400102 0000"), "treat-as-withdraw"],
  ["ORIGIN flagged optional", without(origin, "c00101 00"), "treat-as-withdraw"],
  ["ORIGIN flagged non-transitive", without(origin, "000101 00"), "treat-as-withdraw"],
  ["ORIGIN flagged partial, which §3 (c) does not name", without(origin, "600101 00"), "ok"],
  ["AS_PATH with a segment of type 0", without(path, "400206 0001 0000fbf5"), "treat-as-withdraw"],
  ["AS_PATH with a segment of type 5", without(path, "400206 0501 0000fbf5"), "treat-as-withdraw"],
  ["AS_PATH with a segment of no AS numbers", without(path, "400208 0200 0201 0000fbf5"), "treat-as-withdraw"],
  ["AS_PATH with a segment beyond it", without(path, "400206 0202 0000fbf5"), "treat-as-withdraw"],
  ["AS_PATH with an octet left over", without(path, "400207 0201 0000fbf5 02"), "treat-as-withdraw"],
  ["AS_PATH in two octets where four were agreed", without(path, "400204 0201 fbf5"), "treat-as-withdraw"],
  ["AS_PATH in four octets where two were agreed", update(good), "treat-as-withdraw", as2],
  ["AS_PATH with AS 0 (RFC 7607)", without(path, "40020a 0202 0000fbf5 00000000"), "treat-as-withdraw"],
  ["AS_PATH with a set", without(path, "40020c 0201 0000fbf5 0101 0000fbf6"), "ok"],
  [
    "AS_PATH of 256 AS numbers in two segments",
    without(path, `50020404 02ff ${"0000fbf5".repeat(255)} 0201 0000fbf5`),
    "ok"
  ],
  ["AS_PATH flagged optional", without(path, "c00206 0201 0000fbf5"), "treat-as-withdraw"],
  ["AS_PATH with a confederation sequence (RFC 5065)", without(path, "400206 0301 0000fbf5"), "treat-as-withdraw"],
  ["AS_PATH with a confederation set behind", without(path, "40020c 0201 0000fbf5 0401 0000fbf6"), "treat-as-withdraw"],
  ["AS_PATH that is empty, from outside", without(path, "400200"), "treat-as-withdraw"],
  ["AS_PATH that is empty, from inside", update(`${origin} 400200 ${nextHop} ${localPref}`), "ok", ibgp],
  ["AS_PATH that begins with the peer's AS", update(good), "ok", { peerAsn: 64_501 }],
  ["AS_PATH that begins with another", update(good), "treat-as-withdraw", { peerAsn: 64_502 }],
  ["AS_PATH that begins with a set", without(path, "400206 0101 0000fbf5"), "treat-as-withdraw", { peerAsn: 64_501 }],
  ["AS_PATH with our own AS", update(good), "ignore", { localAsn: 64_501 }],
  ["NEXT_HOP of three octets", without(nextHop, "400303 c00002"), "treat-as-withdraw"],
  ["NEXT_HOP of 16 octets", without(nextHop, `400310 ${hop6}`), "treat-as-withdraw"],
  ["NEXT_HOP 0.0.0.0", without(nextHop, "400304 00000000"), "treat-as-withdraw"],
  ["NEXT_HOP 127.0.0.1", without(nextHop, "400304 7f000001"), "treat-as-withdraw"],
  ["NEXT_HOP 224.0.0.5", without(nextHop, "400304 e0000005"), "treat-as-withdraw"],
  ["NEXT_HOP 255.255.255.255", without(nextHop, "400304 ffffffff"), "treat-as-withdraw"],
  ["NEXT_HOP flagged optional", without(nextHop, "c00304 c0000201"), "treat-as-withdraw"],
  ["MULTI_EXIT_DISC", update(`${good} 800404 0000001e`), "ok"],
  ["MULTI_EXIT_DISC of three octets", update(`${good} 800403 00001e`), "treat-as-withdraw"],
  ["MULTI_EXIT_DISC flagged transitive", update(`${good} c00404 0000001e`), "treat-as-withdraw"],
  ["LOCAL_PREF from outside", update(`${good} ${localPref}`), "attribute-discard"],
  ["LOCAL_PREF of three octets from outside", update(`${good} 400503 000064`), "attribute-discard"],
  ["LOCAL_PREF of three octets from inside", update(`${good} 400503 000064`), "treat-as-withdraw", ibgp],
  ["LOCAL_PREF flagged optional, from inside", update(`${good} c00504 00000064`), "treat-as-withdraw", ibgp],
  [
    "LOCAL_PREF flagged optional, from outside: of both the stronger",
    update(`${good} c00504 00000064`),
    "treat-as-withdraw"
  ],
  ["ATOMIC_AGGREGATE", update(`${good} 400600`), "ok"],
  ["ATOMIC_AGGREGATE of one octet", update(`${good} 400601 00`), "attribute-discard"],
  ["AGGREGATOR of eight octets", update(`${good} c00708 0000fbf5 c0000201`), "ok"],
  [
    "AGGREGATOR of six octets where four an AS were agreed",
    update(`${good} c00706 fbf5 c0000201`),
    "attribute-discard"
  ],
  ["AGGREGATOR of AS 0 (RFC 7607)", update(`${good} c00708 00000000 c0000201`), "attribute-discard"],
  ["COMMUNITIES", update(`${good} c00804 fbf50001`), "ok"],
  ["COMMUNITIES of no octets", update(`${good} c00800`), "treat-as-withdraw"],
  ["COMMUNITIES of five octets", update(`${good} c00805 fbf5000100`), "treat-as-withdraw"],
  ["COMMUNITIES flagged non-transitive", update(`${good} 800804 fbf50001`), "treat-as-withdraw"],
  ["COMMUNITIES flagged well-known", update(`${good} 400804 fbf50001`), "treat-as-withdraw"],
  ["ORIGINATOR_ID from outside", update(`${good} 800904 c0000201`), "attribute-discard"],
  [
    "ORIGINATOR_ID of three octets from inside",
    update(`${good} ${localPref} 800903 c00002`),
    "treat-as-withdraw",
    ibgp
  ],
  ["CLUSTER_LIST from outside", update(`${good} 800a04 c0000201`), "attribute-discard"],
  ["CLUSTER_LIST from inside", update(`${good} ${localPref} 800a08 c0000201 c0000202`), "ok", ibgp],
  ["CLUSTER_LIST of no octets from inside", update(`${good} ${localPref} 800a00`), "treat-as-withdraw", ibgp],
  ["EXTENDED COMMUNITIES", update(`${good} c01008 0002fbf500000001`), "ok"],
  ["EXTENDED COMMUNITIES of seven octets", update(`${good} c01007 0002fbf5000000`), "treat-as-withdraw"],
  ["EXTENDED COMMUNITIES of no octets", update(`${good} c01000`), "treat-as-withdraw"],
  ["IPv6 EXTENDED COMMUNITIES", update(`${good} c01914 0002 ${hop6} 0001`), "ok"],
  ["IPv6 EXTENDED COMMUNITIES of 19 octets", update(`${good} c01913 0002 ${hop6} 00`), "treat-as-withdraw"],
  ["IPv6 EXTENDED COMMUNITIES of no octets", update(`${good} c01900`), "treat-as-withdraw"],
  ["LARGE_COMMUNITY (RFC 8092)", update(`${good} c0200c 0000fbf5 00000001 00000002`), "ok"],
  ["LARGE_COMMUNITY of no octets", update(`${good} c02000`), "treat-as-withdraw"],
  ["LARGE_COMMUNITY of 13 octets", update(`${good} c0200d 0000fbf5 00000001 00000002 00`), "treat-as-withdraw"],
  ["LARGE_COMMUNITY flagged non-transitive", update(`${good} 80200c 0000fbf5 00000001 00000002`), "treat-as-withdraw"],
  ["two that are discarded", update(`${good} 400601 00 c00706 fbf5 c0000201`), "attribute-discard"],
  ["one discarded, one a withdrawal: the stronger", update(`${good} 400601 00 c00800`), "treat-as-withdraw"],
  ["a withdrawal, then one that ends the session", update(`400101 09 ${path} ${nextHop} c00800 406300`), "3/2"],
  ["one that ends the session, then a withdrawal", update(`406300 ${good} c00800`), "3/2"]
])

const path2 = (...asns: ReadonlyArray<number>) =>
  attribute("40", 2, `02 ${hex(asns.length, 1)} ${asns.map((asn) => hex(asn, 2)).join("")}`)
const path4 = (...asns: ReadonlyArray<number>) =>
  attribute("c0", 17, `02 ${hex(asns.length, 1)} ${asns.map((asn) => hex(asn, 4)).join("")}`)
const from2 = (asPath: string, ...more: ReadonlyArray<string>) =>
  update(`${origin} ${asPath} ${nextHop} ${more.join(" ")}`)
table("UPDATE: AS4_PATH and AS4_AGGREGATOR, RFC 6793 §4.2.3 and §6", [
  ["from a two-octet peer", from2(path2(64_501, 23_456), path4(64_501, 65_551)), "ok", as2],
  ["from a four-octet peer", update(`${good} ${path4(65_551)}`), "attribute-discard"],
  ["AS4_AGGREGATOR from a four-octet peer", update(`${good} c01208 0001000f c0000201`), "attribute-discard"],
  ["of no octets", from2(path2(64_501), "c01100"), "attribute-discard", as2],
  ["of a segment beyond it", from2(path2(64_501), "c01106 0202 0001000f"), "attribute-discard", as2],
  ["of a segment of type 9", from2(path2(64_501), "c01106 0901 0001000f"), "attribute-discard", as2],
  ["of AS 0 (RFC 7607)", from2(path2(64_501), path4(0)), "attribute-discard", as2],
  ["longer than AS_PATH, which is not looked at", from2(path2(64_501), path4(64_501, 65_551)), "ok", as2],
  [
    "with a confederation segment, which is dropped",
    from2(path2(64_501), "c01106 0301 0001000f"),
    "attribute-discard",
    as2
  ],
  ["flagged non-transitive", from2(path2(64_501), "801106 0201 0001000f"), "treat-as-withdraw", as2],
  ["with our own AS", from2(path2(64_501, 23_456), path4(64_501, 65_551)), "ignore", { ...as2, localAsn: 65_551 }],
  [
    "with our own AS, outdated by an AGGREGATOR",
    from2(path2(64_501, 23_456), path4(64_501, 65_551), "c00706 fbf5 c0000201 c01208 0001000f c0000201"),
    "ok",
    { ...as2, localAsn: 65_551 }
  ],
  [
    "with our own AS, beside an AGGREGATOR of AS_TRANS",
    from2(path2(64_501, 23_456), path4(64_501, 65_551), "c00706 5ba0 c0000201 c01208 0001000f c0000201"),
    "ignore",
    { ...as2, localAsn: 65_551 }
  ],
  ["AS4_AGGREGATOR of six octets", from2(path2(64_501), "c01206 fbf5 c0000201"), "attribute-discard", as2],
  ["AS4_AGGREGATOR of AS 0", from2(path2(64_501), "c01208 00000000 c0000201"), "attribute-discard", as2],
  [
    "AGGREGATOR of eight octets where two an AS were agreed",
    from2(path2(64_501), "c00708 0000fbf5 c0000201"),
    "attribute-discard",
    as2
  ]
])

const mp = `${origin} ${path}`
table("UPDATE: MP_REACH_NLRI and MP_UNREACH_NLRI, RFC 4760, RFC 2545, RFC 8950, RFC 7606 §5.3, §7.11, §7.12", [
  ["IPv6 by a global next hop", update(`${reach6()} ${mp}`, ""), "ok"],
  ["IPv6 by a global and a link-local one", update(`${reach6(`${hop6}${linkLocal}`)} ${mp}`, ""), "ok"],
  ["IPv6 by a link-local one alone", update(`${reach6(linkLocal)} ${mp}`, ""), "ok"],
  ["at the end of the list", update(`${mp} ${reach6()}`, ""), "ok"],
  ["IPv4 and IPv6 in one message", update(`${good} ${reach6()}`), "ok"],
  ["a NEXT_HOP beside it, which is not looked at", update(`${mp} ${nextHop} ${reach6()}`, ""), "ok"],
  ["without ORIGIN", update(`${path} ${reach6()}`, ""), "treat-as-withdraw"],
  ["without AS_PATH", update(`${origin} ${reach6()}`, ""), "treat-as-withdraw"],
  ["without LOCAL_PREF inside", update(`${mp} ${reach6()}`, ""), "treat-as-withdraw", ibgp],
  ["IPv6 by ::", update(`${mp} ${reach6("00".repeat(16))}`, ""), "treat-as-withdraw"],
  ["IPv6 by ::1", update(`${mp} ${reach6(`${"00".repeat(15)}01`)}`, ""), "treat-as-withdraw"],
  ["IPv6 by ff02::1", update(`${mp} ${reach6(`ff02${"00".repeat(13)}01`)}`, ""), "treat-as-withdraw"],
  ["IPv6 by no octets", update(`${mp} ${reach6("")}`, ""), "3/9"],
  ["IPv6 by four octets", update(`${mp} ${reach6("c0000201")}`, ""), "3/9"],
  ["IPv6 by 24 octets", update(`${mp} ${reach6(`${"00".repeat(8)}${hop6}`)}`, ""), "3/9"],
  ["IPv6 by 33 octets", update(`${mp} ${reach6(`${hop6}${linkLocal}00`)}`, ""), "3/9"],
  ["a next hop beyond it", update(`${mp} ${attribute("80", 14, "0002 01 10 2001")}`, ""), "3/9"],
  [
    "a next hop beyond it, of a family that is not read",
    update(`${mp} ${attribute("80", 14, "0019 41 20 2001")}`, ""),
    "3/9"
  ],
  ["no reserved octet", update(`${mp} ${attribute("80", 14, `0002 01 10 ${hop6}`)}`, ""), "3/9"],
  ["of four octets", update(`${mp} ${attribute("80", 14, "0002 01 00")}`, ""), "3/9"],
  ["of no octets", update(`${mp} 800e00`, ""), "3/9"],
  ["a prefix of 128 bits", update(`${mp} ${reach6(hop6, `80 ${hop6}`)}`, ""), "ok"],
  ["a prefix of 129 bits", update(`${mp} ${reach6(hop6, `81 ${hop6}00`)}`, ""), "3/9"],
  ["a prefix that is cut off", update(`${mp} ${reach6(hop6, "40 2001")}`, ""), "3/9"],
  ["a multicast prefix", update(`${mp} ${reach6(hop6, "08 ff")}`, ""), "ignore"],
  ["flagged transitive", update(`${mp} ${reach6().replace(/^80/, "c0")}`, ""), "3/4"],
  ["flagged well-known", update(`${mp} ${reach6().replace(/^80/, "40")}`, ""), "3/4"],
  ["IPv4 by four octets", update(`${mp} ${reach4("c0000201")}`, ""), "ok"],
  ["IPv4 by IPv6 that was not agreed", update(`${mp} ${reach4(hop6)}`, ""), "3/9"],
  ["IPv4 by IPv6 that was", update(`${mp} ${reach4(hop6)}`, ""), "ok", { extendedNextHop: true }],
  [
    "IPv4 by IPv6, global and link-local",
    update(`${mp} ${reach4(`${hop6}${linkLocal}`)}`, ""),
    "ok",
    { extendedNextHop: true }
  ],
  [
    "IPv4 by IPv6 of 24 octets",
    update(`${mp} ${reach4(`${hop6}${"00".repeat(8)}`)}`, ""),
    "3/9",
    { extendedNextHop: true }
  ],
  ["IPv4 of 33 bits", update(`${mp} ${reach4("c0000201", "21 cb00710000")}`, ""), "3/9"],
  [
    "a family that is not read",
    update(`${mp} ${attribute("80", 14, "0001 80 0c 0000000000000000c0000201 00 70 00")}`, ""),
    "ok"
  ],
  ["IPv6 withdrawn", update(unreach6(), ""), "ok"],
  ["IPv6 End-of-RIB", update(unreach6(""), ""), "ok"],
  ["withdrawn, of two octets", update("800f02 0002", ""), "3/9"],
  ["withdrawn, a prefix of 129 bits", update(unreach6(`81 ${hop6}00`), ""), "3/9"],
  ["withdrawn, a prefix that is cut off", update(unreach6("80 2001"), ""), "3/9"],
  ["withdrawn, flagged transitive", update(unreach6().replace(/^80/, "c0"), ""), "3/4"],
  ["withdrawn, of a family that is not read", update(attribute("80", 15, "0019 41 ff"), ""), "ok"]
])

const id = "00000007"
table("UPDATE with path identifiers, RFC 7911 §3", [
  ["agreed, IPv4", update(good, `${id} ${route}`), "ok", { addPath: true }],
  ["agreed, withdrawn", update("", "", `${id} ${route}`), "ok", { addPath: true }],
  ["agreed, IPv6", update(`${mp} ${reach6(hop6, `${id} ${route6}`)}`, ""), "ok", { addPath: true }],
  ["agreed, IPv6 withdrawn", update(unreach6(`${id} ${route6}`), ""), "ok", { addPath: true }],
  ["agreed, but none is there", update(good), "3/10", { addPath: true }],
  ["agreed, but it is cut off", update(good, "000000"), "3/10", { addPath: true }],
  ["agreed, but nothing follows", update(good, id), "3/10", { addPath: true }],
  ["agreed, but IPv6 is cut off", update(`${mp} ${reach6(hop6, `${id} 40`)}`, ""), "3/9", { addPath: true }],
  ["not agreed: four default routes, then one cut off", update(good, `${id} ${route}`), "3/10"]
])

const otc = (asn: string) => update(`${good} c02304 ${asn}`)
table("UPDATE with ONLY_TO_CUSTOMER, RFC 9234 §5", [
  ["no role of ours", otc("0000fbf6"), "ok"],
  ["from a customer", otc("0000fbf6"), "ignore", { localRole: "provider" }],
  ["from a route server's client", otc("0000fbf6"), "ignore", { localRole: "rs" }],
  ["from a provider", otc("0000fbf6"), "ok", { localRole: "customer" }],
  ["from a route server", otc("0000fbf6"), "ok", { localRole: "rs-client" }],
  ["from a peer, its own AS", otc("0000fbf5"), "ok", { localRole: "peer", peerAsn: 64_501 }],
  ["from a peer, another AS", otc("0000fbf6"), "ignore", { localRole: "peer", peerAsn: 64_501 }],
  ["from a peer, another AS, where only the path tells the peer's", otc("0000fbf6"), "ignore", { localRole: "peer" }],
  ["from a peer, its own AS, where only the path tells it", otc("0000fbf5"), "ok", { localRole: "peer" }],
  ["none, from a customer", update(good), "ok", { localRole: "provider" }],
  ["none, from a peer", update(good), "ok", { localRole: "peer" }],
  [
    "inside, where it has no meaning",
    update(`${good} ${localPref} c02304 0000fbf6`),
    "ok",
    { ...ibgp, localRole: "provider" }
  ],
  ["of three octets", update(`${good} c02303 00fbf6`), "treat-as-withdraw"],
  ["of five octets", update(`${good} c02305 0000fbf600`), "treat-as-withdraw", { localRole: "customer" }],
  ["of no octets", update(`${good} c02300`), "treat-as-withdraw"],
  ["flagged non-transitive", update(`${good} 802304 0000fbf6`), "treat-as-withdraw"],
  [
    "of three octets and from a customer: the stronger",
    update(`${good} c02303 00fbf6`),
    "treat-as-withdraw",
    { localRole: "provider" }
  ]
])

// --- the others -------------------------------------------------------------------------------------------------------

const notice = (text: string) => messageOctets(3, octets(text))
table("NOTIFICATION, RFC 4271 §6.4, RFC 9003, RFC 8538: it is never answered", [
  ["hold timer expired", notice("04 00"), "ok"],
  ["bad peer AS", notice("02 02"), "ok"],
  ["role mismatch", notice("02 0b"), "ok"],
  ["with data", notice("03 03 01"), "ok"],
  ["FSM error with the type", notice("05 01 04"), "ok"],
  ["send hold timer expired", notice("08 00"), "ok"],
  ["BFD down", notice("06 0a"), "ok"],
  ["error code 0", notice("00 00"), "ignore"],
  ["error code 99", notice("63 01"), "ignore"],
  ["subcode 99 of a known code", notice("06 63"), "ignore"],
  ["shutdown without a text", notice("06 02"), "ok"],
  ["shutdown with a text of no octets", notice("06 02 00"), "ok"],
  ["shutdown with a text", notice("06 02 03 627965"), "ok"],
  ["shutdown with a text of 255 octets", notice(`06 02 ff ${"61".repeat(255)}`), "ok"],
  ["reset with a text", notice("06 04 03 627965"), "ok"],
  ["shutdown with a text shorter than it says", notice("06 02 04 627965"), "ignore"],
  ["shutdown with octets behind its text", notice("06 02 02 627965"), "ignore"],
  ["shutdown with a text that is not UTF-8", notice("06 02 02 c328"), "ignore"],
  ["another Cease, whose data is no text", notice("06 06 04 627965"), "ok"],
  ["Hard Reset with a shutdown within", notice("06 09 06 02 03 627965"), "ok"],
  ["Hard Reset with an expired hold timer within", notice("06 09 04 00"), "ok"],
  ["Hard Reset with a text within that is not UTF-8", notice("06 09 06 02 02 c328"), "ignore"],
  ["Hard Reset with an unknown code within", notice("06 09 63 00"), "ignore"],
  ["Hard Reset with a Hard Reset within", notice("06 09 06 09 06 02 03 627965"), "ignore"],
  ["Hard Reset with nothing within", notice("06 09"), "ignore"],
  ["Hard Reset with a code alone within", notice("06 09 06"), "ignore"]
])

const refresh = (text: string) => messageOctets(5, octets(text))
table("ROUTE-REFRESH, RFC 2918, RFC 7313 §5", [
  ["of IPv4", refresh("0001 00 01"), "ok"],
  ["of IPv6", refresh("0002 00 01"), "ok"],
  ["its beginning", refresh("0001 01 01"), "ok"],
  ["its end", refresh("0001 02 01"), "ok"],
  ["subtype 3", refresh("0001 03 01"), "ignore"],
  ["subtype 255", refresh("0001 ff 01"), "ignore"],
  ["a family that is not spoken", refresh("0019 00 46"), "ignore"],
  ["a beginning of five octets", refresh("0001 01 01 00"), "7/1"],
  ["an end of three octets", refresh("0001 02"), "7/1"],
  ["an end of 44 octets", refresh(`0001 02 01 ${"00".repeat(40)}`), "7/1"],
  ["a request of three octets", refresh("0001 00"), "1/2"],
  ["a request with filters that were not agreed", refresh("0001 00 01 01 80 0000"), "1/2"],
  ["subtype 3 of five octets", refresh("0001 03 01 00"), "ignore"]
])

const idle = { state: "Idle" } as const
const openSent = { state: "OpenSent" } as const
const openConfirm = { state: "OpenConfirm" } as const
const established = { state: "Established" } as const
const alive = messageOctets(4, new Uint8Array(0))
table("messages in each state, RFC 4271 §8.2.2, RFC 6608 §4", [
  ["OPEN in Idle", open(), "ignore", idle],
  ["OPEN in Connect", open(), "ignore", { state: "Connect" }],
  ["KEEPALIVE in Active", alive, "ignore", { state: "Active" }],
  ["a wrong marker in Idle", raw(`${"00".repeat(16)} 0013 04`), "ignore", idle],
  ["a wrong OPEN in Idle", open("", { version: "03" }), "ignore", idle],
  ["OPEN in OpenSent", open(), "ok", openSent],
  ["a wrong OPEN in OpenSent", open("", { version: "03" }), "2/1", openSent],
  ["KEEPALIVE in OpenSent", alive, "5/1", openSent],
  ["UPDATE in OpenSent", update(good), "5/1", openSent],
  ["a wrong UPDATE in OpenSent", update("", "ff"), "5/1", openSent],
  ["ROUTE-REFRESH in OpenSent", refresh("0001 00 01"), "5/1", openSent],
  ["a wrong ROUTE-REFRESH in OpenSent", refresh("0001 01 01 00"), "5/1", openSent],
  ["NOTIFICATION in OpenSent", notice("02 02"), "ok", openSent],
  ["a wrong header in OpenSent", raw(`${marker} 0014 04 00`), "1/2", openSent],
  ["KEEPALIVE in OpenConfirm", alive, "ok", openConfirm],
  ["NOTIFICATION in OpenConfirm", notice("06 07"), "ok", openConfirm],
  ["OPEN in OpenConfirm", open(), "5/2", openConfirm],
  ["UPDATE in OpenConfirm", update(good), "5/2", openConfirm],
  ["ROUTE-REFRESH in OpenConfirm", refresh("0001 00 01"), "5/2", openConfirm],
  ["OPEN in Established", open(), "5/3", established],
  ["a wrong OPEN in Established", open("", { version: "03" }), "5/3", established],
  ["UPDATE in Established", update(good), "ok", established],
  ["KEEPALIVE in Established", alive, "ok", established],
  ["ROUTE-REFRESH in Established", refresh("0001 00 01"), "ok", established],
  ["NOTIFICATION in Established", notice("06 04"), "ok", established],
  ["an unknown type in Established", raw(`${marker} 0013 06`), "1/3", established]
])

describe("what is told of a message", () => {
  const inspect = (message: Uint8Array, context: Partial<InspectContext> = {}) =>
    inspectMessage(message, { ...base, ...context })

  it("its kind as soon as the header says it, whatever else is wrong", () => {
    const kinds = [
      raw(`${marker} 0014 04 00`),
      raw(`${marker} 0040 02 0000`),
      raw(`${marker} 1001 01`),
      open("01 01 00")
    ]
    assert.deepStrictEqual(
      kinds.map((message) => inspect(message).type),
      ["KEEPALIVE", "UPDATE", "OPEN", "OPEN"]
    )
    assert.isNull(inspect(raw(`${marker} 0013 09`)).type)
    assert.isNull(inspect(raw("ff ff")).type)
    assert.isNull(inspect(raw(`00 ${marker.slice(2)} 0013 04`)).type)
  })

  it("the path that AS_PATH and AS4_PATH give together", () => {
    const truePath = (...parts: Parameters<typeof from2>) => inspect(from2(...parts), as2).fields?.truePath
    assert.strictEqual(truePath(path2(64_501, 23_456, 64_502), path4(65_551, 64_502)), "64501 65551 64502")
    assert.strictEqual(truePath(path2(64_501), path4(64_501, 65_551)), "64501")
    const confederation = "400210 0301 fbff 0201 fbf5 0401 fbfe 0201 5ba0" // (64511) 64501 [64510] 23456
    assert.strictEqual(truePath(confederation, path4(65_551)), "(64511) 64501 [64510] 65551")
    assert.strictEqual(truePath(path2(23_456), "c0110c 0301 0000fbff 0201 0001000f"), "65551")
    assert.isUndefined(inspect(update(good)).fields?.truePath)
  })

  it("what a Hard Reset stands for, and its text", () => {
    assert.deepStrictEqual(inspect(notice("06 09 06 02 03 627965")).fields, {
      code: 6,
      subcode: 9,
      name: "6/9 Hard Reset",
      hardReset: { code: 6, subcode: 2, name: "6/2 Administrative Shutdown" },
      text: "bye",
      data: "060203627965"
    })
  })

  it("all that is wrong, each with where it is written", () => {
    const { error } = inspect(update("400101 09 400206 0501 0000fbf5 400303 c00002 c00800 400601 00"))
    for (const section of ["§7.1", "§7.2", "§7.3", "§7.8", "§7.6"])
      assert.include(error?.reason, `RFC 7606 ${section})`)
  })
})
