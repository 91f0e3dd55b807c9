import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as Arbitrary from "effect/Arbitrary"
import {
  formatAddressRange,
  formatPrefix,
  hostPrefix,
  inPrefixOrder,
  parseAddressRange,
  parseIpAddress,
  parsePrefix,
  prefixContains,
  prefixCovers,
  prefixFamily,
  prefixOf,
  rangeContains,
  rangeOverlap,
  rangeSize
} from "../src/index.ts"

const prefix = (text: string) => Result.getOrThrow(parsePrefix(text))
const range = (text: string) => Result.getOrThrow(parseAddressRange(text))
const address = (text: string) => Result.getOrThrow(parseIpAddress(text))
const between = (minimum: number, maximum: number) =>
  Arbitrary.schema(Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum, maximum }))))

describe("prefixes, RFC 4632 §3.1", () => {
  it.each(["0.0.0.0/0", "192.0.2.0/24", "192.0.2.1/32", "::/0", "2001:db8::/32", "2001:db8::1/128"])(
    "%s is read and written",
    (text) => assert.strictEqual(formatPrefix(prefix(text)), text)
  )
  it.each([
    ["192.0.2.0", /expected a prefix like/],
    ["192.0.2.0/33", /expected a prefix like/],
    ["2001:db8::/129", /expected a prefix like/],
    ["192.0.2.0/-1", /expected a prefix like/],
    ["192.0.2.0/24/24", /expected a prefix like/],
    ["192.0.2.1/24", /without host bits, found 192\.0\.2\.1\/24 \(did you mean 192\.0\.2\.0\/24\?\)/]
  ])("%s is refused", (text, reason) => {
    assert.match(Result.getOrThrow(Result.flip(parsePrefix(text))), reason)
  })
  it("holds its own addresses alone", () => {
    const documentation = prefix("192.0.2.0/24")
    assert.isTrue(prefixContains(documentation, address("192.0.2.255")))
    assert.isFalse(prefixContains(documentation, address("192.0.3.0")))
    assert.isFalse(prefixContains(prefix("::/0"), address("192.0.2.1"))) // families do not mix
  })
  it("covers what lies in it, itself too", () => {
    assert.isTrue(prefixCovers(prefix("192.0.2.0/24"), prefix("192.0.2.128/25")))
    assert.isTrue(prefixCovers(prefix("192.0.2.0/24"), prefix("192.0.2.0/24")))
    assert.isFalse(prefixCovers(prefix("192.0.2.128/25"), prefix("192.0.2.0/24")))
  })
  it("a host prefix has all bits of its family", () => {
    assert.strictEqual(formatPrefix(hostPrefix(address("192.0.2.1"))), "192.0.2.1/32")
    assert.strictEqual(formatPrefix(hostPrefix(address("2001:db8::1"))), "2001:db8::1/128")
    assert.strictEqual(prefixFamily(prefix("2001:db8::/32")), 6)
  })
  it.prop(
    "the prefix of an address holds it, and survives its text",
    [between(0, 0xffff_ffff), between(0, 32)],
    ([value, length]) => {
      const of = { family: 4, value: BigInt(value) } as const
      const found = prefixOf(of, length)
      assert.isTrue(prefixContains(found, of))
      assert.deepStrictEqual(prefix(formatPrefix(found)), found)
    }
  )
})

describe("ranges", () => {
  it.each([
    ["192.0.2.0/24", "192.0.2.0/24", 256n],
    ["192.0.2.77/24", "192.0.2.0/24", 256n], // as MetalLB reads it
    ["192.0.2.10-192.0.2.40", "192.0.2.10-192.0.2.40", 31n],
    [" 192.0.2.10 - 192.0.2.10 ", "192.0.2.10/32", 1n],
    ["192.0.2.0-192.0.2.127", "192.0.2.0/25", 128n],
    ["192.0.2.64-192.0.2.191", "192.0.2.64-192.0.2.191", 128n], // a power of two, but not aligned
    ["0.0.0.0-255.255.255.255", "0.0.0.0/0", 1n << 32n],
    ["2001:db8::/64", "2001:db8::/64", 1n << 64n],
    ["::/0", "::/0", 1n << 128n],
    ["2001:db8::1-2001:db8::ff", "2001:db8::1-2001:db8::ff", 255n]
  ] as const)("%s is %s, %d addresses", (text, canonical, size) => {
    assert.strictEqual(formatAddressRange(range(text)), canonical)
    assert.strictEqual(rangeSize(range(text)), size)
  })
  it.each([
    ["192.0.2.0/33", /expected a prefix like/],
    ["192.0.2.1", /expected a prefix like/],
    ["192.0.2.1-", /expected a prefix like/],
    ["192.0.2.1-192.0.2.2-192.0.2.3", /expected a prefix like/],
    ["192.0.2.1-2001:db8::1", /both ends of one IP version/],
    ["192.0.2.9-192.0.2.1", /lower address first/]
  ])("%s is refused", (text, reason) => {
    assert.match(Result.getOrThrow(Result.flip(parseAddressRange(text))), reason)
  })
  it("both ends belong to it", () => {
    const ten = range("192.0.2.10-192.0.2.19")
    assert.deepStrictEqual(
      ["192.0.2.9", "192.0.2.10", "192.0.2.19", "192.0.2.20", "::c000:20a"].map((text) =>
        rangeContains(ten, address(text))
      ),
      [false, true, true, false, false]
    )
  })
  it.each([
    ["192.0.2.0-192.0.2.9", "192.0.2.10-192.0.2.19", undefined],
    ["192.0.2.0-192.0.2.10", "192.0.2.10-192.0.2.19", "192.0.2.10/32"],
    ["192.0.2.0/24", "192.0.2.10-192.0.2.19", "192.0.2.10-192.0.2.19"],
    ["0.0.0.0/0", "::/0", undefined]
  ])("%s and %s have %s in common, either way round", (left, right, common) => {
    for (const overlap of [rangeOverlap(range(left), range(right)), rangeOverlap(range(right), range(left))]) {
      assert.strictEqual(overlap && formatAddressRange(overlap), common)
    }
  })
  it.prop("a range survives its text", [between(0, 0xffff), between(0, 0xffff)], ([first, more]) => {
    const some = { family: 4, first: BigInt(first), last: BigInt(first + more) } as const
    assert.deepStrictEqual(range(formatAddressRange(some)), some)
  })
})

describe("inPrefixOrder", () => {
  const named = (prefix: string, name = "") => ({ prefix, name })

  it("goes by number and not by text, IPv4 first, shorter prefixes before longer ones, what is none last", () => {
    const sorted = [
      "2001:db8::10/128",
      "nothing",
      "192.0.2.10/32",
      "2001:db8::9/128",
      "192.0.2.9/32",
      "192.0.2.0/32",
      "192.0.2.0/24"
    ]
    assert.deepStrictEqual(
      inPrefixOrder(sorted.map((prefix) => named(prefix))).map(({ prefix }) => prefix),
      [
        "192.0.2.0/24",
        "192.0.2.0/32",
        "192.0.2.9/32",
        "192.0.2.10/32",
        "2001:db8::9/128",
        "2001:db8::10/128",
        "nothing"
      ]
    )
  })

  it("leaves to the second order what is of one prefix, which else stays as it is", () => {
    const items = [named("192.0.2.9/32", "b"), named("192.0.2.9/32", "a"), named("192.0.2.8/32", "c")]
    const names = (all: ReadonlyArray<{ readonly name: string }>) => all.map(({ name }) => name).join()
    assert.strictEqual(names(inPrefixOrder(items)), "c,b,a")
    assert.strictEqual(names(inPrefixOrder(items, (left, right) => (left.name < right.name ? -1 : 1))), "c,a,b")
  })
})
