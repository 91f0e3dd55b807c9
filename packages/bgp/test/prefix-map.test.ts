import { assert, describe, it } from "@effect/vitest"
import { type Prefix, parsePrefix } from "@lowtide/net"
import { Result } from "effect"
import { PrefixMap } from "../src/prefix-map.ts"

const prefix = (text: string): Prefix => Result.getOrThrow(parsePrefix(text))

// Prefixes that only their length, their family, or the highest, the middle or the lowest bits of their address tell apart.
const lengths = ["0.0.0.0/0", "0.0.0.0/8", "10.0.0.0/8", "10.0.0.0/32", "::/0", "::/32", "::/128", "2001:db8::/32"]
const hosts4 = ["10.0.0.1", "10.0.8.0", "10.0.16.0", "10.0.16.1", "127.255.255.255", "138.0.0.0", "255.255.255.255"]
const hosts6 = ["::1", "::ff", "::fff", "::ffff", "::1000", "2001:db8::", "2001:db8::1000", "a001:db8::"]
const texts = [...lengths, ...hosts4.map((host) => `${host}/32`), ...hosts6.map((host) => `${host}/128`)]

describe("a map by prefix", () => {
  it("tells apart whatever differs in family, length or address", () => {
    const map = new PrefixMap<string>()
    for (const text of texts) map.set(prefix(text), text)
    assert.strictEqual(map.size, texts.length)
    for (const text of texts) assert.strictEqual(map.get(prefix(text)), text)
    assert.sameMembers([...map.values()], texts)
  })

  it("counts what is set again once, and what is deleted no more; what is not there is not deleted", () => {
    const map = new PrefixMap<number>()
    for (const value of [1, 2]) map.set(prefix("10.0.0.0/32"), value)
    map.delete(prefix("10.0.0.0/8"))
    assert.deepStrictEqual([map.size, map.get(prefix("10.0.0.0/32"))], [1, 2])
    map.delete(prefix("10.0.0.0/32"))
    assert.deepStrictEqual([map.size, map.get(prefix("10.0.0.0/32")), [...map.values()]], [0, undefined, []])
  })

  it("gives every value while the current one is deleted, and none once it is cleared", () => {
    const map = new PrefixMap<string>()
    for (const text of texts) map.set(prefix(text), text)
    const seen: Array<string> = []
    for (const text of map.values()) {
      seen.push(text)
      map.delete(prefix(text))
    }
    assert.sameMembers(seen, texts)
    map.set(prefix("10.0.0.0/8"), "10.0.0.0/8")
    map.clear()
    assert.deepStrictEqual([map.size, [...map.values()]], [0, []])
  })
})
