import { assert, describe, it } from "@effect/vitest"
import { type Prefix, parsePrefix } from "@lowtide/net"
import { Result } from "effect"
import { PrefixMap } from "../src/prefix-map.ts"

const prefix = (text: string): Prefix => Result.getOrThrow(parsePrefix(text))

// Prefixes that only their length, their family or the highest bit of their address tells apart.
const texts = [
  "0.0.0.0/0",
  "10.0.0.0/8",
  "10.0.0.0/32",
  "255.255.255.255/32",
  "127.255.255.255/32",
  "::/0",
  "::/32"
].concat(["::/128", "::ffff/128", "2001:db8::/32", "2001:db8::/128"])

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
