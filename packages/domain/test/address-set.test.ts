import { formatIpAddress, parseAddressRange, parseIpAddress } from "@lowtide/net"
import { Result } from "effect"
import { assert, describe, it } from "vitest"
import { AddressSet } from "../src/allocation/address-set.ts"
import { isBuggy } from "../src/allocation/pick.ts"

const address = (text: string) => Result.getOrThrow(parseIpAddress(text))
const range = (text: string) => Result.getOrThrow(parseAddressRange(text))
const lowest = (set: AddressSet, text: string) => {
  const found = set.lowestMissing(range(text))
  return found === undefined ? undefined : formatIpAddress(found)
}

describe("the lowest address of a range that is not in the set", () => {
  it("is the first of an empty set, in a /32, a /8 and a /64", () => {
    const set = new AddressSet()
    assert.strictEqual(lowest(set, "192.0.2.7/32"), "192.0.2.7")
    assert.strictEqual(lowest(set, "10.0.0.0/8"), "10.0.0.0")
    assert.strictEqual(lowest(set, "2001:db8::/64"), "2001:db8::")
  })

  it("is none when the range is full, also where the set goes on behind it", () => {
    const set = new AddressSet()
    for (let last = 0; last < 40; last++) set.add(address(`192.0.2.${last}`))
    assert.strictEqual(lowest(set, "192.0.2.0/27"), undefined)
    assert.strictEqual(lowest(set, "192.0.2.0-192.0.2.39"), undefined)
    assert.strictEqual(lowest(set, "192.0.2.0/24"), "192.0.2.40")
  })

  it("comes back when it is deleted", () => {
    const set = new AddressSet()
    for (let last = 0; last < 256; last++) set.add(address(`192.0.2.${last}`))
    set.delete(address("192.0.2.77"))
    assert.strictEqual(lowest(set, "192.0.2.0/24"), "192.0.2.77")
    set.add(address("192.0.2.77"))
    assert.strictEqual(lowest(set, "192.0.2.0/24"), undefined)
  })

  it("is found at the very end of both families, and nothing beyond", () => {
    const set = new AddressSet()
    set.add(address("255.255.255.255"))
    set.add(address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"))
    assert.strictEqual(lowest(set, "255.255.255.254/31"), "255.255.255.254")
    assert.strictEqual(lowest(set, "255.255.255.255/32"), undefined)
    assert.strictEqual(lowest(set, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"), undefined)
  })

  it("is found behind a /96 of IPv6 of which the end is taken, and in a range that begins in one and ends in another", () => {
    const set = new AddressSet()
    for (const last of ["fffe", "ffff"]) set.add(address(`2001:db8::ffff:${last}`))
    set.add(address("2001:db8::1:0:0"))
    const across = "2001:db8::ffff:fffe-2001:db8::1:0:1"
    assert.strictEqual(lowest(set, across), "2001:db8::1:0:1")
    set.add(address("2001:db8::1:0:1"))
    assert.strictEqual(lowest(set, across), undefined)
    set.delete(address("2001:db8::ffff:ffff"))
    assert.strictEqual(lowest(set, across), "2001:db8::ffff:ffff")
    assert.isFalse(set.has(address("2001:db8::ffff:ffff")))
    assert.isTrue(set.has(address("2001:db8::1:0:0")))
    assert.isFalse(set.has(address("0.0.0.0")), "IPv4 is another set")
  })

  it("is none that ends in .0 or .255 where those are passed over, also where nothing else is left", () => {
    const set = new AddressSet()
    const passing = (text: string) => {
      const found = set.lowestMissing(range(text), { passBuggy: true })
      return found === undefined ? undefined : formatIpAddress(found)
    }
    assert.strictEqual(passing("10.0.0.0/8"), "10.0.0.1")
    assert.strictEqual(passing("192.0.2.255/32"), undefined)
    assert.strictEqual(passing("2001:db8::/120"), "2001:db8::", "IPv6 has none")
    for (let last = 1; last < 255; last++) set.add(address(`192.0.2.${last}`))
    assert.strictEqual(passing("192.0.2.0/23"), "192.0.3.1")
    assert.strictEqual(lowest(set, "192.0.2.0/23"), "192.0.2.0")
    set.delete(address("192.0.2.254"))
    assert.strictEqual(passing("192.0.2.0/24"), "192.0.2.254")
  })

  it("agrees with a plain set after random additions and deletions", () => {
    let state = 0x2545f491
    const random = (below: number) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return state % below
    }
    const set = new AddressSet()
    const plain = new Set<number>()
    const base = address("198.18.0.0").value
    for (let step = 0; step < 20_000; step++) {
      const offset = random(3000)
      const value = { family: 4 as const, value: base + BigInt(offset) }
      // Half full, then nearly so, when words and what is above them are full as well.
      if (random(100) < (step < 10_000 ? 60 : 99)) {
        set.add(value)
        plain.add(offset)
      } else {
        set.delete(value)
        plain.delete(offset)
      }
      if (step % 50 !== 0) continue
      const from = random(3000)
      const searched = { family: 4 as const, first: base + BigInt(from), last: base + 2999n }
      let expected: number | undefined = from
      while (expected < 3000 && plain.has(expected)) expected++
      const found = set.lowestMissing(searched)
      assert.strictEqual(found === undefined ? 3000 : Number(found.value - base), expected)
      const isPassed = (offset: number) => plain.has(offset) || isBuggy({ family: 4, value: base + BigInt(offset) })
      while (expected < 3000 && isPassed(expected)) expected++
      const passing = set.lowestMissing(searched, { passBuggy: true })
      assert.strictEqual(passing === undefined ? 3000 : Number(passing.value - base), expected)
      assert.strictEqual(set.has(value), plain.has(offset))
    }
  })
})
