import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { familiesOffered, restartFlags } from "../src/wire/capability.ts"
import { type BgpOpen, decodeOpen, encodeOpen } from "../src/wire/open.ts"
import { octets } from "./octets.ts"

const sample = octets(`
  04          # version
  5ba0        # my AS: AS_TRANS, 23456
  005a        # hold time 90 s
  c0000202    # BGP Identifier 192.0.2.2
  16          # 22 octets of optional parameters
  02 14       # parameter 2, capabilities, 20 octets
  01 04 0001 00 01   # multiprotocol: IPv4, reserved, unicast
  01 04 0002 00 01   # multiprotocol: IPv6, reserved, unicast
  02 00              # route refresh
  41 04 0001000f     # four-octet AS 65551`)

const sampleOpen: BgpOpen = {
  _tag: "Open",
  version: 4,
  asn: 65551,
  holdTimeSeconds: 90,
  routerId: 0xc0000202,
  capabilities: [
    { _tag: "MultiProtocol", afi: 1, safi: 1 },
    { _tag: "MultiProtocol", afi: 2, safi: 1 },
    { _tag: "RouteRefresh" },
    { _tag: "FourOctetAs", asn: 65551 }
  ]
}

const decoded = (text: string) => decodeOpen(octets(text))

describe("OPEN, RFC 4271 §4.2, RFC 5492, RFC 6793 §4.1", () => {
  it("is read with its capabilities; the four-octet AS is the true one", () => {
    assert.deepStrictEqual(Result.getOrThrow(decodeOpen(sample)), sampleOpen)
  })
  it("is written as it was read", () => assert.deepStrictEqual(encodeOpen(sampleOpen), sample))

  it("with two four-octet AS numbers is of the last, as all that is told twice", () => {
    const twice = "04 5ba0 00b4 c0000201 0e 02 0c 41 04 00010000 41 04 0001000f"
    assert.strictEqual(Result.getOrThrow(decoded(twice)).asn, 65551)
  })
  it("from an old speaker has no parameters, and offers IPv4 alone", () => {
    const open = Result.getOrThrow(decoded("04 fbf0 00b4 c0000201 00"))
    assert.deepInclude(open, { asn: 64496, capabilities: [] })
    assert.deepStrictEqual(familiesOffered(open.capabilities), [4])
  })
  it("tells graceful restart, roles, extended messages, next hops and refresh in their octets", () => {
    const open: BgpOpen = {
      ...sampleOpen,
      asn: 64496,
      capabilities: [
        { _tag: "ExtendedNextHop", encodings: [{ afi: 1, safi: 1, nextHopAfi: 2 }] },
        { _tag: "ExtendedMessage" },
        { _tag: "Role", code: 3 },
        {
          _tag: "GracefulRestart",
          flags: restartFlags.restarted | restartFlags.notification,
          restartTimeSeconds: 120,
          families: [{ afi: 1, safi: 1, flags: restartFlags.forwardingPreserved }]
        },
        { _tag: "EnhancedRouteRefresh" }
      ]
    }
    const bytes = octets(`
      04 fbf0 005a c0000202 19 02 17
      05 06 0001 0001 0002   # IPv4 unicast with IPv6 next hops: RFC 8950 §4
      06 00                  # extended message: RFC 8654 §3
      09 01 03               # role: customer: RFC 9234 §4.1
      40 06 c078 0001 01 80  # R and N, 120 s; IPv4 unicast with F: RFC 4724 §3, RFC 8538 §2
      46 00                  # enhanced route refresh: RFC 7313 §3.1`)
    assert.deepStrictEqual(encodeOpen(open), bytes)
    assert.deepStrictEqual(Result.getOrThrow(decodeOpen(bytes)), open)
  })
  it("with multiprotocol for VPN routes alone offers no unicast family", () => {
    assert.deepStrictEqual(familiesOffered([{ _tag: "MultiProtocol", afi: 1, safi: 128 }]), [])
  })
  it("keeps a capability it does not know", () => {
    const open = Result.getOrThrow(decoded("04 fbf0 00b4 c0000201 05 02 03 49 01 07"))
    assert.deepStrictEqual(open.capabilities, [{ _tag: "UnknownCapability", code: 0x49, value: octets("07") }])
  })
  it("in the long form of RFC 9072 §2 is read, and written when the short form has no room", () => {
    const open: BgpOpen = {
      ...sampleOpen,
      asn: 64496,
      capabilities: [
        { _tag: "UnknownCapability", code: 73, value: new Uint8Array(200).fill(1) },
        { _tag: "UnknownCapability", code: 74, value: new Uint8Array(200).fill(2) }
      ]
    }
    const bytes = encodeOpen(open)
    assert.deepStrictEqual([...bytes.subarray(9, 11)], [255, 255])
    assert.deepStrictEqual(Result.getOrThrow(decodeOpen(bytes)), open)
  })

  const refused: ReadonlyArray<readonly [string, string, number, string]> = [
    ["version 3: 2/1 with the version spoken here", "03 fbf0 00b4 c0000201 00", 1, "0004"],
    ["AS 0: 2/2, RFC 7607 §2", "04 0000 00b4 c0000201 00", 2, ""],
    ["four-octet AS 0: 2/2, RFC 7607 §2", "04 5ba0 00b4 c0000201 08 02 06 41 04 00000000", 2, ""],
    ["BGP Identifier 0.0.0.0: 2/3, RFC 6286 §2.1", "04 fbf0 00b4 00000000 00", 3, ""],
    ["optional parameter 1 (authentication, deprecated): 2/4", "04 fbf0 00b4 c0000201 03 01 01 00", 4, ""],
    ["hold time 1 s: 2/6", "04 fbf0 0001 c0000201 00", 6, ""],
    ["hold time 2 s: 2/6", "04 fbf0 0002 c0000201 00", 6, ""],
    ["parameters that end before their length: 2/0", "04 fbf0 00b4 c0000201 04 02 06 41", 0, ""],
    ["a parameter that runs past the end: 2/0", "04 fbf0 00b4 c0000201 02 02 06", 0, ""],
    ["a parameter without a length: 2/0", "04 fbf0 00b4 c0000201 01 02", 0, ""],
    ["a capability that runs past its parameter: 2/0", "04 fbf0 00b4 c0000201 04 02 02 41 04", 0, ""],
    ["an extended next hop capability of four octets: 2/0", "04 fbf0 00b4 c0000201 08 02 06 05 04 00010001", 0, ""],
    ["a role of two octets: 2/0", "04 fbf0 00b4 c0000201 06 02 04 09 02 0000", 0, ""],
    ["a four-octet AS capability of two octets: 2/0", "04 fbf0 00b4 c0000201 06 02 04 41 02 fbf0", 0, ""]
  ]
  it.each(refused)("%s", (_, text, subcode, data) => {
    const fault = Result.getOrThrow(Result.flip(decoded(text)))
    assert.deepStrictEqual(fault.notification, { _tag: "Notification", code: 2, subcode, data: octets(data) })
  })
})
