import { assert, describe, it } from "@effect/vitest"
import { parseIpAddress } from "@lowtide/net"
import { Result } from "effect"
import { takeBmpFrame } from "../src/wire/frame.ts"
import { decodeBmp, encodeBmp, type KnownBmpMessage } from "../src/wire/message.ts"
import type { PeerHeader } from "../src/wire/peer-header.ts"
import { textTlv } from "../src/wire/tlv.ts"
import { octets } from "./octets.ts"

const address = (text: string) => Result.getOrThrow(parseIpAddress(text))

const peer: PeerHeader = {
  peerType: 0,
  view: "adj-rib-in-pre",
  legacyAsPath: false,
  isFiltered: false,
  distinguisher: 0n,
  address: address("192.0.2.2"),
  asn: 64512,
  routerId: 0xc0000202,
  seconds: 1_795_712_414,
  microseconds: 500_000
}

/** The per-peer header of RFC 7854 §4.2 with the given type and flags. */
const header = (type: string, flags: string, text = "000000000000000000000000 c0000202") => `
  ${type}              # peer type
  ${flags}             # flags
  0000000000000000     # peer distinguisher
  ${text}              # peer address
  0000fc00             # peer AS 64512
  c0000202             # peer BGP ID
  6b08659e             # seconds
  0007a120             # microseconds
`

const update = octets(`${"ff".repeat(16)} 0017 02 0000 0000`)
const open = octets(`${"ff".repeat(16)} 001d 01 04 fbf5 005a c0000201 00`)
const notification = octets(`${"ff".repeat(16)} 0015 03 06 02`)

const rows: ReadonlyArray<readonly [string, KnownBmpMessage, string]> = [
  [
    "Initiation, RFC 7854 §4.3",
    { _tag: "Initiation", information: [textTlv(1, "Lowtide"), textTlv(2, "tor-a")] },
    `03 0000001a 04       # version, length 26, type
     0001 0007 4c6f7774696465   # sysDescr
     0002 0005 746f722d61       # sysName`
  ],
  [
    "Termination, RFC 7854 §4.5",
    { _tag: "Termination", information: [{ type: 1, value: Uint8Array.of(0, 0) }] },
    `03 0000000c 05
     0001 0002 0000             # reason 0: administratively closed`
  ],
  [
    "Route Monitoring of the Adj-RIB-In before policy, RFC 7854 §4.6",
    { _tag: "RouteMonitoring", peer, update },
    `03 00000047 00 ${header("00", "00")} ${"ff".repeat(16)} 0017 02 0000 0000`
  ],
  [
    "Route Monitoring of the Adj-RIB-In after policy (L flag)",
    { _tag: "RouteMonitoring", peer: { ...peer, view: "adj-rib-in-post" }, update },
    `03 00000047 00 ${header("00", "40")} ${"ff".repeat(16)} 0017 02 0000 0000`
  ],
  [
    "Route Monitoring with AS_PATH of two octets an AS (A flag)",
    { _tag: "RouteMonitoring", peer: { ...peer, legacyAsPath: true }, update },
    `03 00000047 00 ${header("00", "20")} ${"ff".repeat(16)} 0017 02 0000 0000`
  ],
  [
    "Route Monitoring of the Adj-RIB-Out after policy, RFC 8671 §4 (O and L flags)",
    { _tag: "RouteMonitoring", peer: { ...peer, view: "adj-rib-out-post" }, update },
    `03 00000047 00 ${header("00", "50")} ${"ff".repeat(16)} 0017 02 0000 0000`
  ],
  [
    "Route Monitoring of the Loc-RIB, RFC 9069 §4 (peer type 3, no address, F flag)",
    {
      _tag: "RouteMonitoring",
      peer: { ...peer, peerType: 3, view: "loc-rib", address: address("0.0.0.0"), isFiltered: true },
      update
    },
    `03 00000047 00 ${header("03", "80", "00".repeat(16))} ${"ff".repeat(16)} 0017 02 0000 0000`
  ],
  [
    "Statistics Report, RFC 7854 §4.8 and RFC 8671 §6.2",
    {
      _tag: "StatisticsReport",
      peer,
      statistics: [
        { type: 0, value: octets("00000001") },
        { type: 15, value: octets("0000000000000007") }
      ]
    },
    `03 00000048 01 ${header("00", "00")}
     00000002                        # two statistics
     0000 0004 00000001              # prefixes rejected
     000f 0008 0000000000000007      # routes in the Adj-RIB-Out after policy`
  ],
  [
    "Peer Down, RFC 7854 §4.9, with the NOTIFICATION of the other side",
    { _tag: "PeerDown", peer, reason: 3, data: notification },
    `03 00000046 02 ${header("00", "00")} 03 ${"ff".repeat(16)} 0015 03 06 02`
  ],
  [
    "Peer Up, RFC 7854 §4.10, on an IPv6 session (V flag)",
    {
      _tag: "PeerUp",
      peer: { ...peer, address: address("2001:db8::2") },
      localAddress: address("2001:db8::1"),
      localPort: 179,
      remotePort: 40_000,
      sentOpen: open,
      receivedOpen: open,
      information: [textTlv(0, "tor")]
    },
    `03 00000085 03 ${header("00", "80", "20010db8000000000000000000000002")}
     20010db8000000000000000000000001  # local address
     00b3                              # local port 179
     9c40                              # remote port
     ${"ff".repeat(16)} 001d 01 04 fbf5 005a c0000201 00
     ${"ff".repeat(16)} 001d 01 04 fbf5 005a c0000201 00
     0000 0003 746f72`
  ],
  [
    "Route Mirroring, RFC 7854 §4.7",
    {
      _tag: "RouteMirroring",
      peer,
      mirrored: [
        { type: 0, value: update },
        { type: 1, value: Uint8Array.of(0, 1) }
      ]
    },
    `03 00000051 06 ${header("00", "00")}
     0000 0017 ${"ff".repeat(16)} 0017 02 0000 0000
     0001 0002 0001                    # messages lost`
  ]
]

describe("octets as the RFCs' figures have them", () => {
  it.each(rows)("%s", (_, message, text) => {
    const bytes = octets(text)
    assert.deepStrictEqual(encodeBmp(message), bytes)
    const frame = takeBmpFrame(bytes, 0)
    assert.strictEqual(frame._tag, "Frame")
    if (frame._tag !== "Frame") return
    assert.strictEqual(frame.end, bytes.length)
    assert.deepStrictEqual(decodeBmp(frame), Result.succeed(message))
  })
})

const refused: ReadonlyArray<readonly [string, string, number, RegExp]> = [
  ["another version", "02 00000006 04", 0, /expected BMP version 3, found 2/],
  ["a length below the header", "03 00000005 04", 1, /expected a length of 6\.\.262144, found 5/],
  ["a length that nobody waits for", "03 7fffffff 00", 1, /found 2147483647/],
  ["a TLV without its length", "03 00000008 04 0001", 6, /4 octets, found 2/],
  ["a TLV beyond the end", "03 0000000b 04 0001 0007 4c", 8, /at most 1 octets, found 7/],
  ["half a per-peer header", "03 00000007 02 00", 6, /42 octets, found 1/],
  ["a Peer Down without a reason", `03 00000030 02 ${header("00", "00")}`, 48, /expected a reason/],
  ["statistics without a count", `03 00000032 01 ${header("00", "00")} 0000`, 48, /expected a count in 4 octets/],
  ["a count that is not so", `03 00000034 01 ${header("00", "00")} 00000001`, 48, /count of 0, found 1/],
  ["a Peer Up without addresses", `03 00000031 03 ${header("00", "00")} 00`, 48, /20 octets, found 1/],
  ["a Peer Up without OPENs", `03 00000044 03 ${header("00", "00")} ${"00".repeat(20)}`, 68, /the OPEN that was sent/],
  [
    "a marker with a zero",
    `03 00000047 00 ${header("00", "00")} ff00${"ff".repeat(14)} 0017 02 0000 0000`,
    49,
    /marker/
  ],
  [
    "an UPDATE beyond the end",
    `03 00000047 00 ${header("00", "00")} ${"ff".repeat(16)} 0018 02 0000 0000`,
    64,
    /23\.\.23 octets, found 24/
  ],
  [
    "an OPEN where an UPDATE belongs",
    `03 00000047 00 ${header("00", "00")} ${"ff".repeat(16)} 0017 01 0000 0000`,
    66,
    /type 2, found type 1/
  ],
  [
    "octets behind the UPDATE",
    `03 00000048 00 ${header("00", "00")} ${"ff".repeat(16)} 0017 02 0000 0000 00`,
    71,
    /the end after the UPDATE/
  ]
]

describe("what cannot be read is refused with its octet", () => {
  it.each(refused)("%s", (_, text, offset, reason) => {
    const framing = takeBmpFrame(octets(text), 0)
    const fault = framing._tag === "Frame" ? Result.getOrThrow(Result.flip(decodeBmp(framing))) : framing
    assert.strictEqual(fault._tag, "BmpFault")
    if (fault._tag !== "BmpFault") return
    assert.strictEqual(fault.offset, offset)
    assert.match(fault.reason, reason)
  })

  it("a message that is not all there is waited for, one of an unknown type is passed over (RFC 7854 §4.1)", () => {
    assert.strictEqual(takeBmpFrame(octets("03 00000009 04 0001"), 0)._tag, "Incomplete")
    assert.strictEqual(takeBmpFrame(octets("03 0000"), 0)._tag, "Incomplete")
    assert.deepStrictEqual(
      decodeBmp({ type: 9, bytes: octets("03 00000007 09 00") }),
      Result.succeed({ _tag: "Unknown", type: 9 })
    )
  })
})
