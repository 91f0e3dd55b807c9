import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as Arbitrary from "effect/Arbitrary"
import {
  addressFromBytes,
  addressToBytes,
  addressToken,
  compareAddresses,
  formatIpAddress,
  type IpAddress,
  maxAddressValue,
  parseIpAddress
} from "../src/index.ts"

const parsed = (text: string) => Result.getOrThrow(parseIpAddress(text))

const u32 = Arbitrary.schema(Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: 0xffff_ffff }))))
/** Words of which many are 0, so that runs of zeros are common. */
const word = Arbitrary.map(Arbitrary.all([u32, u32]), ([value, coin]) => (coin % 2 === 0 ? 0n : BigInt(value)))
const ipv4 = Arbitrary.map(u32, (value): IpAddress => ({ family: 4, value: BigInt(value) }))
const ipv6 = Arbitrary.map(
  Arbitrary.all([word, word, word, word]),
  (words): IpAddress => ({
    family: 6,
    value: words.reduce((value, next) => (value << 32n) | next, 0n)
  })
)

describe("IPv6 text, RFC 5952 §4", () => {
  const canonical: ReadonlyArray<readonly [string, string, string]> = [
    ["§4.1 leading zeros are dropped", "2001:0db8:0000:0000:0000:0000:0002:0001", "2001:db8::2:1"],
    ["§4.1 one digit stays", "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["§4.2.1 as much as possible is shortened", "2001:db8:0:0:0:0:2:1", "2001:db8::2:1"],
    ["§4.2.2 a single zero group is not", "2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["§4.2.3 the longest run is", "2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["§4.2.3 the first of equal runs is", "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["§4.3 letters are small", "2001:DB8::ABCD:EF01", "2001:db8::abcd:ef01"],
    ["§5 mapped IPv4 keeps its dots", "::ffff:c000:0201", "::ffff:192.0.2.1"],
    ["all zero", "0:0:0:0:0:0:0:0", "::"],
    ["loopback", "0::1", "::1"],
    ["a run at the end", "2001:db8:0:0:0:0:0:0", "2001:db8::"],
    ["an IPv4 tail is read, RFC 4291 §2.2", "64:ff9b::192.0.2.33", "64:ff9b::c000:221"]
  ]
  it.each(canonical)("%s: %s -> %s", (_, text, expected) => {
    assert.strictEqual(formatIpAddress(parsed(text)), expected)
  })
})

describe("what is not an address", () => {
  it.each([
    "",
    "192.0.2",
    "192.0.2.256",
    "192.0.2.01", // some read it as octal
    "192.0.2.1 ",
    "1.2.3.4.5",
    "2001:db8",
    "2001:db8::1::2",
    "2001:db8:1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7::8", // :: must stand for one group at least
    ":1:2:3:4:5:6:7",
    "2001:db8::12345",
    "2001:db8::g",
    "fe80::1%eth0",
    "::192.0.2.1:1",
    "2001:db8::/32"
  ])("%s is refused with what was found", (text) => {
    const reason = Result.getOrThrow(Result.flip(parseIpAddress(text)))
    assert.strictEqual(reason, `expected an IPv4 or IPv6 address, found ${JSON.stringify(text)}`)
  })
})

describe("round trips", () => {
  for (const [name, arbitrary] of [
    ["IPv4", ipv4],
    ["IPv6", ipv6]
  ] as const) {
    it.prop(`${name}: text`, [arbitrary], ([address]) => {
      assert.deepStrictEqual(parsed(formatIpAddress(address)), address)
    })
    it.prop(`${name}: octets`, [arbitrary], ([address]) => {
      assert.deepStrictEqual(addressFromBytes(addressToBytes(address)), address)
    })
  }
  it.prop("the canonical text is a fixed point", [ipv6], ([address]) => {
    const text = formatIpAddress(address)
    assert.strictEqual(formatIpAddress(parsed(text)), text)
  })
  it("the highest addresses", () => {
    assert.strictEqual(formatIpAddress({ family: 4, value: maxAddressValue(4) }), "255.255.255.255")
    assert.strictEqual(
      formatIpAddress({ family: 6, value: maxAddressValue(6) }),
      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
    )
  })
  it("octets of another length are a defect", () => {
    assert.throws(() => addressFromBytes(new Uint8Array(5)), /4 or 16 octets, found 5/)
  })
})

describe("order and tokens", () => {
  it("IPv4 stands before IPv6, then the lower before the higher", () => {
    const sorted = ["2001:db8::1", "198.51.100.1", "::1", "192.0.2.10", "192.0.2.9"].map(parsed).sort(compareAddresses)
    assert.deepStrictEqual(sorted.map(formatIpAddress), [
      "192.0.2.9",
      "192.0.2.10",
      "198.51.100.1",
      "::1",
      "2001:db8::1"
    ])
    assert.strictEqual(compareAddresses(parsed("::1"), parsed("::1")), 0)
  })
  it("a token has nothing that a NATS subject cannot have", () => {
    assert.strictEqual(addressToken(parsed("192.0.2.1")), "4-192-0-2-1")
    assert.strictEqual(addressToken(parsed("2001:db8::10")), "6-20010db8000000000000000000000010")
  })
})
